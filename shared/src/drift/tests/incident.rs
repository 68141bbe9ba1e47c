use super::story::{DIGEST, entry, history, judge, line, manifest, runner};
use crate::observation::Section;

/// The incident's drift on one runner: every kind at once, each once, in order.
#[test]
fn the_incident_on_one_runner() {
    let mut effective = manifest(&[
        ("llvm", "= 19.1.0-1.fc41"),
        ("llvm-libs", "= 19.1.0-1.fc41"),
        ("gcc-toolset-13", "absent"),
        ("kernel-devel", "running-kernel"),
        ("htop", "*"),
        ("bash", "*"),
    ]);
    effective.host.selinux = Some("enforcing".to_owned());
    let mut observation = runner(&[
        "bash-5.2.32-1.fc41.x86_64",
        "gcc-toolset-13-13.0-1.fc41.x86_64 user @50",
        "kernel-devel-6.11.3-300.fc41.x86_64 install-only @60",
        "llvm-20.1.0-1.fc41.x86_64 user @305",
        "llvm-libs-20.1.0-1.fc41.x86_64 @304",
        "strace-6.11-1.fc41.x86_64 ext @70",
    ]);
    observation.selinux = Section::Seen("permissive");
    observation.history = history(vec![
        entry(
            2,
            (300, 310),
            DIGEST,
            &[
                "+llvm-20.1.0-1.fc41.x86_64",
                "-llvm-19.1.0-1.fc41.x86_64",
                "+llvm-libs-20.1.0-1.fc41.x86_64",
                "-llvm-libs-19.1.0-1.fc41.x86_64",
                "-htop-3.3.0-1.fc41.x86_64",
            ],
        ),
        entry(1, (40, 80), "", &["+gcc-toolset-13-13.0-1.fc41.x86_64"]),
    ]);
    let drift = judge(effective, &observation);
    let told: Vec<String> = drift
        .items
        .iter()
        .map(|item| {
            let by = item.by.as_ref().map_or("-", |by| by.command.as_str());
            format!("{} since {:?} by {by}", line(item), item.since)
        })
        .collect();
    assert_eq!(
        told,
        [
            "selinux (enforcing) [permissive] ! since None by -",
            "unwanted gcc-toolset-13.x86_64 (absent) [13.0-1.fc41] since Some(80) by dnf 1",
            "missing htop.- (*) [] since Some(310) by dnf 2",
            "kernel-mismatch kernel-devel.x86_64 (6.11.4-301.fc41.x86_64) [6.11.3-300.fc41] since Some(60) by -",
            "ahead llvm.x86_64 (= 19.1.0-1.fc41) [20.1.0-1.fc41] since Some(310) by dnf 2",
            "ahead llvm-libs.x86_64 (= 19.1.0-1.fc41) [20.1.0-1.fc41] since Some(310) by dnf 2",
        ]
    );
}
