//! Outcomes that nobody predicted, from the scriptlet of a real package to the breaker: undone, told, and the run stops.

use crate::stopped::{Place, drift};
use crate::workshop::Forge;
use crate::yard::{Yard, installed};
use countersign_integration::embedded::acting::done;
use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::notary::Outcome;
use countersign_manifests_schema::plan::ApplyResult;
use countersign_manifests_schema::warden::Stage;

/// What its scriptlet does is not the same everywhere: it installs something once dnf has ended, or fails.
const POST: &str = "%post
case $(cat /root/way 2>/dev/null) in
late) setsid sh -c 'sleep 2; rpm -i /srv/lab/loose/site-agent-7.1-1.noarch.rpm' </dev/null >/dev/null 2>&1 & ;;
fails) exit 1 ;;
esac
exit 0
";

#[test]
fn what_nobody_predicted_is_undone_and_told_and_no_further_runner_is_started() {
    let Some(_turn) = turn("what_nobody_predicted_is_undone_and_told_and_no_further_runner_is_started") else {
        return;
    };
    let runners = [
        ("runner-01", Base::Dnf5, "late", "site-agent"),
        ("runner-02", Base::Dnf4, "fails", "a scriptlet failed"),
        ("runner-03", Base::Dnf5, "fails", "a scriptlet failed"),
        ("runner-04", Base::Dnf4, "late", "site-agent"),
        ("runner-05", Base::Dnf5, "", ""),
    ];
    let lab = Lab::up(&LabConfig::new(runners.map(|(name, base, ..)| (name, base)))).unwrap();
    let yard = Yard::wanting(&lab, &["site-tool"]);
    Forge::new(&lab, lab.runner("runner-01"), "side").build("site-tool", "1.0", "1", POST);
    drift(&lab, false);
    for (name, _, way, _) in runners {
        lab.runner(name).sh(&format!("echo {way} >/root/way")).unwrap();
    }
    let report = yard.nightly();
    let ids: Vec<&str> = report.runners.iter().filter_map(|row| row.proposal.as_deref()).collect();
    assert_eq!(ids.len(), runners.len(), "{report:#?}");
    done(yard.acting.person(&[&["approve", "--yes"], &ids[..]].concat())).unwrap();
    let places = runners.map(|(name, ..)| lab.runner(name)).into_iter().zip(&ids);
    let places: Vec<Place<'_>> = places.map(|(runner, id)| Place { yard: &yard, runner, id }).collect();
    let former: Vec<String> = lab.runners().iter().map(installed).collect();
    let on_duty = || done(yard.acting.person(&["lease", "--yes", "--reason", "the llvm incident"])).unwrap();
    let said = |command: &[&str]| {
        let output = yard.acting.actuator(command).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (index, (name, _, way, word)) in runners.into_iter().take(4).enumerate() {
        let (place, later) = (&places[index], &places[index + 1..]);
        let (what, transactions, policy) = (format!("{name} {way}"), place.transactions(), place.policy());
        on_duty();
        let (status, text) = said(&["apply", "--all"]);
        eprintln!("{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let counted = format!("{} proposals: 1 undone, {} not started", 1 + later.len(), later.len());
        assert!(status == Some(20) && words.contains(&counted), "{what}: {status:?} {text}");
        let why = words.split_once(&format!("{name} {}: ", &place.id[..12])).unwrap_or_else(|| panic!("{text}")).1;
        assert!(why.split(&later[0].id[..12]).next().unwrap().contains(word), "{what}: {text}");
        for other in later {
            let stopped = format!("{} {}: {name} was undone", other.runner.name, &other.id[..12]);
            assert!(words.contains(&stopped), "{what}: {text}");
        }
        // By the runner, by the ledger, and by what is there.
        let started = place.started();
        assert_eq!((started.len(), started[0].stage), (1, Stage::Undone), "{what}: {started:?}");
        let detail = started[0].detail.as_ref().unwrap();
        assert!(detail.contains(word) && !detail.contains("\\n"), "{what}: {detail}");
        assert_eq!(place.ends(), [Some(Some(Outcome::Undone))], "{what}");
        assert!(place.why().unwrap().contains(word), "{what}: {:?}", place.why());
        assert_eq!(installed(place.runner), former[index], "{what}");
        assert_eq!((place.transactions() - transactions, place.policy()), (2, policy), "{what}");
        // Nobody else was touched, and nobody is until a person has looked.
        assert!(yard.acting.state().unwrap().tripped.is_some(), "{what}");
        let (_, text) = said(&["status"]);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("{name} {}: {detail}", &place.id[..12])), "{what}: {text}");
        assert!(text.contains("breaker  TRIPPED: 1 of the applications since the last reset failed"), "{text}");
        let (status, document) = yard.actuator(&["apply", "--all"]);
        let results: Vec<_> = document.proposals.iter().map(|row| (row.result, row.refusal.as_deref())).collect();
        let refused = vec![(Some(ApplyResult::Refused), Some("breaker")); later.len()];
        assert_eq!((status, results), (Some(20), refused), "{what}: {document:?}");
        for (other, former) in later.iter().zip(&former[index + 1..]) {
            assert!(other.ends().is_empty() && other.started().is_empty(), "{what}: {} was started", other.runner.name);
            assert_eq!(installed(other.runner), *former, "{what}: {}", other.runner.name);
        }
        done(yard.acting.person(&["reset-breaker", "--yes", "--reason", "a bad package"])).unwrap();
    }
    on_duty();
    let (status, document) = yard.actuator(&["apply", "--all"]);
    let results: Vec<_> = document.proposals.iter().map(|row| (row.runner.as_str(), row.result)).collect();
    assert_eq!((status, results), (Some(0), vec![("runner-05", Some(ApplyResult::Applied))]), "{document:?}");
    let (status, text) = said(&["ledger", "verify"]);
    assert_eq!(status, Some(0), "{text}");
}
