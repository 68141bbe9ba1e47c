//! Two runs at once, and runs that are killed.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use countersign_integration::lab::{Base, Lab, LabConfig, plant, turn};
use countersign_manifests_schema::report::{DriftReport, Status};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;

use crate::observer::Running;
use crate::site::{Settings, Site, runners};

/// Moments of a run at which it is killed, evenly over all changes that it makes to its state.
const MOMENTS: usize = 12;

/// Two runners with drift, and the forge.
fn drifted() -> (Lab, Site) {
    let machines = [("runner-01", Base::Dnf5), ("runner-02", Base::Dnf4), ("forge", Base::Dnf5)];
    let lab = Lab::up(&LabConfig::new(machines)).unwrap();
    let site = Site::new(lab.runner("forge"), runners(&lab));
    site.enroll(runners(&lab));
    plant::person_upgrades_llvm(lab.runner("runner-01")).unwrap();
    plant::rpm_erases_behind_dnf(lab.runner("runner-02")).unwrap();
    (lab, site)
}

/// The drift, without what depends on the run.
fn told(report: &DriftReport) -> Vec<(String, String, Option<String>, Vec<String>)> {
    assert!(report.runners.iter().all(|row| row.status == Status::Observed), "{:?}", report.runners);
    let items = report.runners.iter().flat_map(|row| row.drift.iter().map(|item| (row.name.clone(), item)));
    items.map(|(name, item)| (name, item.code.clone(), item.package.clone(), item.seen.clone())).collect()
}

#[test]
fn a_second_run_says_that_one_is_under_way() {
    let Some(_turn) = turn("a_second_run_says_that_one_is_under_way") else {
        return;
    };
    let (lab, site) = drifted();
    // The first one waits for a machine that takes connections and says nothing.
    lab.runner("runner-01").sh("kill -STOP $(cat /run/sshd.pid)").unwrap();
    let observer = site.observer(&Settings { connect_timeout: "10m", ..Settings::of("twice") });
    let mut first = observer.start(&["nightly", "--json"]);
    first.until("observed runner=\"runner-02\"");

    for command in ["nightly", "observe", "diff", "report"] {
        let error = observer.run(&[command, "--json"]).error(1);
        assert_eq!(error.code, "running");
        assert!(error.message.contains("another run is under way"), "{}", error.message);
    }
    assert!(first.is_running());

    // It dies, and the lock with it.
    first.kill();
    lab.runner("runner-01").sh("kill -CONT $(cat /run/sshd.pid)").unwrap();
    let report = observer.run(&["nightly", "--json"]).report(10);
    assert_eq!(told(&report).len(), 4, "{:?}", told(&report));
}

#[test]
fn a_run_that_was_killed_at_any_moment_is_followed_by_a_good_one() {
    let Some(_turn) = turn("a_run_that_was_killed_at_any_moment_is_followed_by_a_good_one") else {
        return;
    };
    let (_lab, site) = drifted();
    let whole = Settings::of("whole");
    let watch = Watch::on(&site.state(&whole));
    let expected = told(&site.observer(&whole).run(&["nightly", "--json"]).report(10));
    let (events, warm) = (watch.waiting(), site.observer(&whole).start(&["nightly", "--json"]));
    assert!(!watch.until(usize::MAX, warm));
    assert!(events >= MOMENTS, "{events} changes of its state are too few to choose from");

    // On a history that grows, and each time on one that begins.
    let kept = Settings::of("kept");
    let kept_watch = Watch::on(&site.state(&kept));
    let mut killed = 0;
    for moment in 0..MOMENTS {
        let change = 1 + moment * events / MOMENTS;
        let name = format!("fresh-{moment}");
        let fresh = Settings::of(&name);
        let fresh_watch = Watch::on(&site.state(&fresh));
        for (settings, watch) in [(&kept, &kept_watch), (&fresh, &fresh_watch)] {
            let observer = site.observer(settings);
            watch.waiting();
            killed += usize::from(watch.until(change, observer.start(&["nightly", "--json"])));
            let report = observer.run(&["nightly", "--json"]).report(10);
            assert_eq!(told(&report), expected, "killed at change {change} of {events}");
        }
    }
    // A warm run changes less than the cold one that was counted, so some may have ended before.
    assert!(killed >= MOMENTS, "{killed} of {} runs were killed", 2 * MOMENTS);
}

/// The kernel's word on each change in a directory.
struct Watch(OwnedFd);

impl Watch {
    fn on(directory: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        let all = inotify::WatchFlags::CREATE | inotify::WatchFlags::MODIFY | inotify::WatchFlags::DELETE;
        inotify::add_watch(&watch, directory, all | inotify::WatchFlags::MOVE).unwrap();
        Self(watch)
    }

    /// Changes that nobody has read of yet.
    fn waiting(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        while reader.next().is_ok() {
            count += 1;
        }
        count
    }

    /// Kills a run at its change of this number; whether it came so far.
    fn until(&self, change: usize, run: Running) -> bool {
        let child = run.handle();
        let mut seen = 0;
        loop {
            let mut either = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(&child, PollFlags::IN)];
            poll(&mut either, None).unwrap();
            let ended = !either[1].revents().is_empty();
            seen += self.waiting();
            if ended || seen >= change {
                run.kill();
                return !ended;
            }
        }
    }
}
