//! Requests that are no requests, sent by somebody who holds the observer's key.

use countersign_integration::lab::{Base, Lab, LabConfig, turn};

use crate::place::{Key, changes, files};

#[test]
fn options_paths_and_mixtures_are_refused_and_change_nothing() {
    let Some(_turn) = turn("options_paths_and_mixtures_are_refused_and_change_nothing") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let bad = [
        "plan solve\ninstall --setopt=pluginpath=/tmp-1.noarch\n",
        "plan solve\ninstall /tmp/evil-1-1.noarch.rpm\n",
        "plan solve\ninstall ./evil-1-1.noarch\n",
        "plan solve\ninstall @core-1-1.noarch\n",
        "plan solve\ninstall a*-1-1.noarch\n",
        "plan solve\ninstall a-1-1.noarch --skip-broken\n",
        "plan solve\ninstall a\n",
        "plan solve\nreinstall a-1-1.noarch\n",
        "plan solve\nerasing no\ninstall a-1-1.noarch\n",
        "plan solve\nerasing yes\nerasing yes\ninstall a-1-1.noarch\n",
        "plan solve\noffer a-1-1.noarch\n",
        "plan solve\nname bash\n",
        "plan solve\ndigests yes\n",
        "plan offers\ninstall a-1-1.noarch\n",
        "plan offers\nerasing yes\n",
        "plan apply\ninstall a-1-1.noarch\n",
        "plan solve\nplan each\n",
        "install a-1-1.noarch\nplan solve\n",
        "install a-1-1.noarch\n",
        "erasing yes\n",
        "plan solve\npackages 0000000000000000000000000000000000000000000000000000000000000000\n",
    ];
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let before = files(runner);
        let each: String = (0..65).map(|n| format!("install p{n}-1-1.noarch\n")).collect();
        let long = format!("plan solve\ninstall {}-1-1.noarch\n", "a".repeat(250));
        let all = bad.iter().map(|text| (*text).to_owned()).chain([format!("plan each\n{each}"), long]);
        let mut tried = 0;
        for text in all {
            let request = format!("countersign-probe/1 request\nnonce {}\n{text}end\n", "ab".repeat(16));
            let output = key.ssh(runner, &["probe"], &[], request.as_bytes());
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.starts_with("countersign-probe/1 error request "), "{}: {text:?}: {said}", runner.name);
            tried += 1;
        }
        let changed = changes(&before, &files(runner));
        assert!(changed.is_empty(), "{}: {changed:?}", runner.name);
        eprintln!("{}: {tried} requests refused", runner.name);
    }
}
