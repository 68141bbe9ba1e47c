//! What a proposal is bound to: any setting of dnf or of a repository that could change what dnf does.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_shared::observation::{Observation, Tokens};
use countersign_shared::proposal::configuration_digest;
use std::collections::BTreeMap;

use crate::stage::Stage;

/// Changes that matter, as shell text; each is taken back.
const MATTERS: [(&str, &str); 11] = [
    ("baseurl", "sed -i 's,file:///srv/lab/updates,file:///srv/lab/other,' /etc/yum.repos.d/lab.repo"),
    ("metalink", "sed -i '/^.updates.$/a metalink=https://mirror.example/metalink' /etc/yum.repos.d/lab.repo"),
    ("gpgcheck", "sed -i '/^.updates.$/,/^$/s/^gpgcheck=1/gpgcheck=0/' /etc/yum.repos.d/lab.repo"),
    ("repo_gpgcheck", "sed -i '/^.updates.$/a repo_gpgcheck=1' /etc/yum.repos.d/lab.repo"),
    ("gpgkey", "sed -i '/^.updates.$/,/^$/s,^gpgkey=.*,gpgkey=file:///etc/other.key,' /etc/yum.repos.d/lab.repo"),
    ("priority", "sed -i '/^.updates.$/a priority=5' /etc/yum.repos.d/lab.repo"),
    ("excludes of a repository", "sed -i '/^.updates.$/a excludepkgs=llvm' /etc/yum.repos.d/lab.repo"),
    ("excludes", "echo 'excludepkgs=llvm' >>/etc/dnf/dnf.conf"),
    ("best", "echo 'best=1' >>/etc/dnf/dnf.conf"),
    ("weak dependencies", "echo 'install_weak_deps=0' >>/etc/dnf/dnf.conf"),
    (
        "a repository more",
        "cp /etc/yum.repos.d/lab.repo /etc/yum.repos.d/b.repo; sed -i 's/^.updates.$/[more]/' /etc/yum.repos.d/b.repo",
    ),
];

/// Changes that do not.
const DOES_NOT: [(&str, &str); 4] = [
    ("colours", "echo 'color=never' >>/etc/dnf/dnf.conf"),
    ("patience", "echo 'timeout=7' >>/etc/dnf/dnf.conf"),
    ("a password", "echo 'proxy_password=hunter2' >>/etc/dnf/dnf.conf"),
    ("a title", "sed -i 's/^name=.*/name=Another name/' /etc/yum.repos.d/lab.repo"),
];

#[test]
fn another_setting_of_dnf_or_of_a_repository_is_another_base() {
    let Some(_turn) = turn("another_setting_of_dnf_or_of_a_repository_is_another_base") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let stage = Stage::new(runner);
        runner.sh("grep -q '^.main.' /etc/dnf/dnf.conf || echo '[main]' >>/etc/dnf/dnf.conf; cp -a /etc/dnf /root/dnf; cp -a /etc/yum.repos.d /root/repos").unwrap();
        let back = "cp -a /root/dnf/. /etc/dnf/; rm -r /etc/yum.repos.d; cp -a /root/repos /etc/yum.repos.d";
        let digest = || {
            let record = stage.key.observe(runner, &[], &Tokens::default()).unwrap();
            assert!(!record.contains("hunter2"));
            configuration_digest(&Observation::parse(&record, 0).unwrap()).unwrap()
        };
        let first = digest();
        assert_eq!(digest(), first, "{}: asked twice", runner.name);
        let mut seen = BTreeMap::from([(first.clone(), "nothing")]);
        for (what, change) in MATTERS {
            runner.sh(change).unwrap();
            let other = seen.insert(digest(), what);
            assert_eq!(other, None, "{}: {what} is as {other:?}", runner.name);
            runner.sh(back).unwrap();
        }
        for (what, change) in DOES_NOT {
            runner.sh(change).unwrap();
            assert_eq!(digest(), first, "{}: {what}", runner.name);
            runner.sh(back).unwrap();
        }
        // The same for whoever looks: another account, another time, another temporary directory.
        assert_eq!(digest(), first, "{}: all taken back", runner.name);
    }
}
