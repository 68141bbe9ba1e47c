//! Metadata that nothing has solved with yet: as a timer's `makecache` leaves it.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_shared::observation::Verb;

use crate::place::{changes, files};
use crate::stage::{Stage, want};

#[test]
fn what_a_timer_has_just_fetched_is_planned_with_before_root_ever_solves() {
    let Some(_turn) = turn("what_a_timer_has_just_fetched_is_planned_with_before_root_ever_solves") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let stage = Stage::new(runner);
        runner
            .sh(&format!("rm -rf /var/cache/libdnf5/* /var/cache/dnf/*; {} makecache >/dev/null 2>&1", runner.dnf()))
            .unwrap();
        let rules = stage.rules();
        let before = files(runner);
        let wants = [want(Verb::Install, "strace-6.11-1.fc41.x86_64")];
        let plan = stage.plan(&wants, &rules).unwrap();
        assert_eq!((plan.stands.len(), plan.blocked.len()), (1, 0), "{}: {plan:#?}", runner.name);
        let changed = changes(&before, &files(runner));
        assert!(changed.is_empty(), "{}: {changed:?}", runner.name);
    }
}
