//! kill -9 of the writer at every step.

use crate::place::{Place, START, id, started};
use countersign_actuator::ledger::{Ledger, LedgerError};
use countersign_manifests_schema::ledger::Event;
use countersign_shared::journal::{JournalError, Step, Watch};
use countersign_shared::signing_key::SigningKey;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

const DIR: &str = "LEDGER_TEST_DIR";
const DEATH: &str = "LEDGER_TEST_DEATH";

/// Bytes of a line that are written when the process dies before it would be: none, one, half, all but the newline.
const TORN: [fn(usize) -> usize; 4] = [|_| 0, |_| 1, |length| length / 2, |length| length - 1];

/// Not a test by itself: a writer that dies as it is told to, and says which entries are on the disk.
#[test]
#[expect(clippy::print_stdout, reason = "it talks to the test that started it")]
fn writes_when_started_for_it() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let death = std::env::var(DEATH).unwrap();
    let mut words = death.split(' ').map(|word| word.parse::<usize>().unwrap());
    let mut next = || words.next().unwrap();
    let (step, on, torn) = (Step::ALL[next()], next(), TORN[next()]);
    let begun = std::sync::atomic::AtomicUsize::new(0);
    let watch = Watch::with(move |at, mut file, line| {
        use std::sync::atomic::Ordering::Relaxed;
        let count = if at == Step::Begun { begun.fetch_add(1, Relaxed) + 1 } else { begun.load(Relaxed) };
        if at != step || count != on {
            return;
        }
        if at == Step::Begun {
            file.write_all(&line[..torn(line.len())]).unwrap();
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    });
    let key = SigningKey::load(&dir.join("key")).unwrap();
    let mut ledger = Ledger::open(&dir.join("ledger.jsonl"), key, watch, &mut |_, _| ()).unwrap();
    for _ in 0..3 {
        let number = ledger.head().map_or(1, |head| head.number + 1);
        let head = ledger.append(START, started(number)).unwrap();
        println!("stored {}", head.number);
    }
}

/// Dies at this step of the `on`th append of its own; 0 = while it opens.
fn die(place: &Place, step: Step, on: usize, torn: usize) -> Output {
    let step = Step::ALL.into_iter().position(|s| s == step).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::writes_when_started_for_it", "--nocapture"]);
    command.env(DIR, place.path("")).env(DEATH, format!("{step} {on} {torn}")).output().unwrap()
}

/// Every entry that was acknowledged is there, once, and the next one follows.
fn holds(place: &Place, acknowledged: usize, at: &str) {
    place.open().unwrap();
    let (entries, scan) = place.read();
    assert!(entries.len() == acknowledged || entries.len() == acknowledged + 1, "{at}: {} entries", entries.len());
    assert!(!scan.unfinished, "{at}");
    let proposals: BTreeSet<_> = entries
        .iter()
        .map(|entry| match &entry.event {
            Event::Started { proposal, .. } => proposal.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(proposals, (1..=entries.len() as u64).map(id).collect(), "{at}");
    place.write([started(99)]);
    assert_eq!(place.read().0.len(), entries.len() + 1, "{at}");
}

fn stored(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout).matches("stored ").count()
}

#[test]
fn the_writer_may_die_at_every_step() {
    let mut points = 0;
    for on in 1..=3 {
        for step in [Step::Begun, Step::Written, Step::Synced] {
            let cuts = if step == Step::Begun { TORN.len() } else { 1 };
            for torn in 0..cuts {
                let at = format!("{step:?} of entry {on}, {torn}");
                let place = Place::new();
                let output = die(&place, step, on, torn);
                assert_eq!(output.status.signal(), Some(9), "{at}: it must die there");
                assert_eq!(stored(&output), on - 1, "{at}");
                holds(&place, on - 1, &at);
                points += 1;
            }
        }
    }
    // And while it opens: a new file, and a torn one that it mends.
    let place = Place::new();
    assert_eq!(die(&place, Step::Created, 0, 0).status.signal(), Some(9));
    holds(&place, 0, "created");
    points += 1;
    for step in [Step::Created, Step::Mending, Step::Mended] {
        for torn in 1..TORN.len() {
            let at = format!("{step:?} after {torn}");
            let place = Place::new();
            assert_eq!(stored(&die(&place, Step::Begun, 3, torn)), 2, "{at}");
            assert_eq!(die(&place, step, 0, 0).status.signal(), Some(9), "{at}: it must die there");
            holds(&place, 2, &at);
            points += 1;
        }
    }
    eprintln!("killed at {points} points");
}

#[test]
fn there_is_one_writer_and_readers_do_not_mind_it() {
    let place = Place::new();
    place.write([started(1)]);
    let first = place.open().unwrap();
    assert!(matches!(place.open(), Err(LedgerError::Journal(JournalError::Locked { .. }))));
    assert_eq!(place.read().0.len(), 1);
    drop(first);
    // A line that is being written is not an entry, and not an error.
    let mut text = std::fs::read(place.file()).unwrap();
    let half = text[..text.len() / 2].to_vec();
    text.extend_from_slice(&half);
    std::fs::write(place.file(), &text).unwrap();
    let (entries, scan) = place.read();
    assert!(entries.len() == 1 && scan.unfinished);
    assert_eq!(std::fs::read(place.file()).unwrap(), text, "a reader mends nothing");
}
