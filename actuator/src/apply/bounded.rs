//! What others say goes into the ledger up to a size only: a line that is too long to be written, or to be read again,
//! would stop every later run. Pure.

use crate::gather::is_digest;
use countersign_manifests_schema::ledger::{CommandRecord, Event};
use countersign_shared::canonical_json::sha256;

/// Bytes of the commands of one entry at most.
const COMMANDS: usize = 1 << 20;
/// Bytes of one sentence at most.
const SENTENCE: usize = 8 << 10;

/// The event as it is recorded.
pub(super) fn event(mut event: Event) -> Event {
    match &mut event {
        Event::Started { commands, .. } => *commands = self::commands(std::mem::take(commands)),
        Event::Ended { after, commands, detail, .. } => {
            *commands = self::commands(std::mem::take(commands));
            after.take_if(|after| !is_digest(after));
            *detail = detail.take().map(sentence);
        }
        Event::Refused { code, detail, .. } => {
            *code = sentence(std::mem::take(code));
            *detail = sentence(std::mem::take(detail));
        }
        Event::Halted { reason } | Event::Tripped { reason } => *reason = sentence(std::mem::take(reason)),
        Event::Reset { .. } => {}
    }
    event
}

/// The first of them, as many as there is room for; the rest is one line that says how many, with their digest.
fn commands(mut commands: Vec<CommandRecord>) -> Vec<CommandRecord> {
    let mut room = COMMANDS;
    let fits = |command: &CommandRecord| {
        let bytes = command.argv.iter().map(|word| word.len() + 8).sum::<usize>() + command.output.len() + 64;
        room.checked_sub(bytes).map(|left| room = left).is_some()
    };
    let kept = commands.iter().map(fits).take_while(|fits| *fits).count();
    let rest = commands.split_off(kept);
    if !rest.is_empty() {
        let argv = vec![format!("... and {} more, too long to be recorded", rest.len())];
        commands.push(CommandRecord { argv, exit: None, output: sha256(format!("{rest:?}").as_bytes()) });
    }
    commands
}

/// Its beginning.
pub(super) fn sentence(mut text: String) -> String {
    if text.len() > SENTENCE {
        let end = (0..=SENTENCE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::notary::Outcome;

    fn ended(after: &str, commands: Vec<CommandRecord>, detail: String) -> Event {
        let (proposal, runner) = ("p".to_owned(), "runner-04".to_owned());
        let (after, detail) = (Some(after.to_owned()), Some(detail));
        Event::Ended { proposal, runner, outcome: Outcome::Undone, after, commands, detail }
    }

    fn command(length: usize) -> CommandRecord {
        CommandRecord { argv: vec!["x".repeat(length)], exit: Some(0), output: sha256(b"") }
    }

    #[test]
    fn what_is_of_a_usual_size_stays_as_it_is() {
        let usual = ended(&sha256(b"set"), vec![command(4000); 20], "it was asked for".to_owned());
        assert_eq!(event(usual.clone()), usual);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        for hostile in [vec![command(40 << 20)], vec![command(1000); 50_000], vec![command(0); 1_000_000]] {
            let count = hostile.len();
            let Event::Ended { after, commands, detail, .. } =
                event(ended(&"f".repeat(1 << 20), hostile, "\u{e9}".repeat(1 << 20)))
            else {
                panic!("it was an end");
            };
            assert_eq!(after, None, "no digest");
            assert!(serde_json::to_vec(&commands).unwrap().len() < 2 * COMMANDS);
            let last = &commands.last().unwrap().argv[0];
            assert_eq!(*last, format!("... and {} more, too long to be recorded", count - (commands.len() - 1)));
            let detail = detail.unwrap();
            assert!(detail.len() <= SENTENCE + 3 && detail.ends_with("..."));
        }
    }
}
