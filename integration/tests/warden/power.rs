//! A power cut: what was not yet on the disk is gone. The warden's directory is a file system of its own, cut off at once by
//! the kernel, with everything that it had not written.

use std::process::Command;

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};
use countersign_manifests_schema::warden::{Stage, WardenRequest};

use crate::faults::{HELD, fault, picture, reached, settle, work};
use crate::house::{House, PROGRAM, STATE};
use crate::people::{People, text};

/// A disk of the runner's own.
struct Disk {
    device: String,
    _file: tempfile::NamedTempFile,
}

impl Disk {
    /// ext4 writes the content of new files half a minute late, as most do.
    fn new(runner: &Runner) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(64 << 20).unwrap();
        run("mkfs.ext4", &["-q", file.path().to_str().unwrap()]);
        let device = run("losetup", &["--find", "--show", file.path().to_str().unwrap()]);
        let number = device.strip_prefix("/dev/loop").unwrap();
        let mounted = format!("mknod /dev/state b 7 {number}; mkdir {STATE}; {MOUNT}; chmod 700 {STATE}");
        runner.sh(&format!("{mounted}; rmdir {STATE}/lost+found")).unwrap();
        Self { device, _file: file }
    }
}

impl Drop for Disk {
    /// It goes when its last mount does.
    fn drop(&mut self) {
        run("losetup", &["--detach", &self.device]);
    }
}

const MOUNT: &str = "mount /dev/state /var/lib/countersign-warden";

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Nothing more reaches the disk (`EXT4_IOC_SHUTDOWN`, `EXT4_GOING_FLAGS_NOLOGFLUSH`), every warden is dead, and the machine
/// comes back with what the disk has.
fn cut_power(runner: &Runner) {
    let shutdown = "open my $at, '<', $ARGV[0] or die $!; my $how = pack 'L', 2; ioctl $at, 0x8004587d, $how or die $!";
    runner.sh(&format!("perl -e \"{}\" {STATE}", shutdown.replace('$', "\\$"))).unwrap();
    let wardens = format!(
        "for p in /proc/[0-9]*; do [ \"$(readlink $p/exe)\" != {PROGRAM} ] || kill -9 ${{p#/proc/}}; done; true"
    );
    runner.sh(&format!("{wardens}; until umount {STATE}; do {wardens}; done; {MOUNT}")).unwrap();
}

#[test]
fn after_a_power_cut_an_undo_has_all_that_it_needs() {
    let Some(_turn) = turn("after_a_power_cut_an_undo_has_all_that_it_needs") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let people = People::new();
    for runner in lab.runners() {
        let _disk = Disk::new(runner);
        let house = House::fresh(&lab, runner, &people);
        for step in ["ApplyMarked", "ApplyReplayed", "ApplyWaiting"] {
            let sealed = work(&house);
            let before = picture(&house);
            let bundle = house.permitted(&sealed, &[&people.mira]);
            fault(&house, "ApplyChecked", "hold");
            let asking = house.asking(&WardenRequest::Apply { bundle: text(&bundle) });
            let asking = runner.spawn_sh(&asking).unwrap();
            reached(&house);
            // As if they had been fetched just now: the longer one waits, the more a kernel has written of its own accord.
            let anew = "mv $f $f.old; cat $f.old >$f; rm $f.old";
            runner.sh(&format!("for f in {STATE}/current/*/*.rpm; do {anew}; done")).unwrap();
            fault(&house, step, "hold");
            runner.sh(&format!("rm {HELD}")).unwrap();
            reached(&house);
            let needed =
                || runner.sh(&format!("cd {STATE} && sha256sum *.json current/*.json current/*/*.rpm")).unwrap();
            let written = needed();
            cut_power(runner);
            assert_eq!(written, needed(), "{step}");
            asking.wait().unwrap();
            runner.sh(&format!("rm -f {HELD}")).unwrap();
            let now = house.started().pop().unwrap().stage;
            // Only a restart ends what already waits, and this was none.
            let last = match now {
                Stage::Unconfirmed => house.confirm(sealed.id(), false).unwrap(),
                _ => {
                    settle(&house);
                    house.started().pop().unwrap()
                }
            };
            assert_eq!((last.proposal.as_str(), last.stage), (sealed.id(), Stage::Undone), "{step}: {:?}", last.detail);
            assert_eq!(before, picture(&house), "{step}");
            assert_eq!(house.stage(&people.approve(&sealed, &[&people.mira])).unwrap_err().0, "spent", "{step}");
        }
    }
}
