//! Where the clones are: a file, the current directory, a URL; and one clear error otherwise.

use super::stage::Stage;
use std::fs;
use std::process::Command;

fn in_directory(stage: &Stage, directory: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", stage.path("home"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(stage.path(directory))
        .args(args);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn inside_a_clone_nothing_needs_to_be_configured() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    fs::create_dir(stage.path("clones/proposed/deep")).unwrap();
    for directory in ["clones/proposed", "clones/proposed/deep", "clones/canonical"] {
        let (status, stdout, stderr) = in_directory(&stage, directory, &["review"]);
        assert_eq!(status, 0, "{directory}: {stderr}");
        assert!(stdout.contains(&ids[0][..12]), "{directory}: {stdout}");
    }
    let (status, stdout, _) = in_directory(&stage, "work", &["review", "--json"]);
    assert_eq!(status, 2);
    assert!(stdout.contains("\"code\":\"config\"") && stdout.contains("countersign.toml"), "{stdout}");
}

#[test]
fn the_persons_own_file_is_found_and_urls_are_copied() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let url = |name: &str| stage.path(&format!("{name}.git")).display().to_string();
    // A URL has no blanks, so a link leads to the remotes.
    let link = std::env::temp_dir().join(format!("countersign-person-{}", std::process::id()));
    std::os::unix::fs::symlink(stage.path(""), &link).unwrap();
    let linked = |name: &str| link.join(format!("{name}.git")).display().to_string();
    let dir = stage.path("home/.config/countersign");
    fs::create_dir_all(&dir).unwrap();
    let text = |of: &dyn Fn(&str) -> String| {
        format!("[canonical]\nurl = \"{}\"\n[proposed]\nurl = \"{}\"\n", of("canonical"), of("proposed"))
    };
    fs::write(dir.join("countersign.toml"), text(&url)).unwrap();
    let (status, stdout, _) = in_directory(&stage, "work", &["review", "--json"]);
    assert_eq!(status, 2, "{stdout}");
    fs::write(dir.join("countersign.toml"), text(&linked)).unwrap();
    let (status, stdout, stderr) = in_directory(&stage, "work", &["approve", &ids[0], "--yes"]);
    fs::remove_file(&link).unwrap();
    assert_eq!(status, 0, "{stdout}{stderr}");
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
    assert!(stage.path("home/.local/state/countersign").exists());
}

#[test]
fn what_leads_git_astray_does_not_lead_us() {
    let (stage, ids) = Stage::ready(&["runner-01"]);
    let mut command = stage.command(&["approve", &ids[0], "--yes"]);
    let other = stage.path("work/canonical/.git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_INDEX_FILE"] {
        command.env(name, &other);
    }
    command.env("GIT_CONFIG_PARAMETERS", "'gpg.format=openpgp'").env("GIT_NAMESPACE", "x");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stage.approver_by_merge("runner-01", &ids[0]), "ada@example.org");
}

#[test]
fn one_repository_for_both_and_no_repository_are_errors() {
    let (stage, _) = Stage::ready(&[]);
    for (canonical, code) in [("clones/proposed", "config"), ("work", "no-clone"), ("nowhere", "no-clone")] {
        let text = format!("[canonical]\npath = \"{canonical}\"\n[proposed]\npath = \"clones/proposed\"\n");
        fs::write(stage.path("countersign.toml"), text).unwrap();
        stage.run(&["review", "--json"]).stopped(2, code);
    }
    fs::write(stage.path("countersign.toml"), "[canonical]\npth = \"x\"\n").unwrap();
    let said = stage.run(&["review", "--json"]).stopped(2, "config");
    assert!(said.stdout.contains("pth"), "{}", said.stdout);
    stage.run(&["approve", "--json"]).stopped(2, "usage");
}

#[test]
fn a_wrong_file_is_shown_with_its_place_and_a_caret() {
    let (stage, _) = Stage::ready(&[]);
    let path = stage.path("work/wrong.toml");
    let named = path.to_str().unwrap();
    for (text, place, word) in [
        ("[proposed]\npath = \"a\"\nkey = \"b\"\n", ":3:1", "unknown field `key`"),
        ("[proposed]\npath = \"a\"\nurl = \"b\"\n", ":1:1", "either `path` or `url`"),
        ("[proposed]\npath = \"a\"\nremote = \"--upload-pack=x\"\n", ":3:10", "remote"),
        ("[notary]\nssh = \"host\"\nsocket = \"notary.sock\"\n", ":3:10", "absolute"),
    ] {
        fs::write(&path, text).unwrap();
        let (status, stdout, _) = in_directory(&stage, "work", &["--config", named, "review", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((status, document["code"].as_str()), (2, Some("config")), "{document}");
        assert_eq!(document["at"].as_str(), Some(format!("{named}{place}").as_str()), "{document}");
        assert!(document["message"].as_str().unwrap().contains(word), "{document}");
    }
    let (_, _, stderr) = in_directory(&stage, "work", &["--config", named, "review"]);
    assert!(stderr.contains("\n 3 | socket = \"notary.sock\"\n   |          ^^^^^^^^^^^^^\n"), "{stderr}");
}
