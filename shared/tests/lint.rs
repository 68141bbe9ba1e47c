//! A canonical repository with mistakes: each is found, with its place and a hint.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod example;

use countersign_shared::diagnostic::{Diagnostic, Severity};
use countersign_shared::manifest::Canonical;
use countersign_shared::terminal::Palette;
use example::{KEY, OTHER_KEY, example};
use std::collections::BTreeMap;

/// Problems as `file:line:column severity message | hint`.
fn problems(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let list = match Canonical::load(files) {
        Ok(canonical) => canonical.warnings().to_vec(),
        Err(list) => {
            assert!(list.iter().any(|d| d.severity == Severity::Error));
            list
        }
    };
    list.iter().map(line).collect()
}

fn line(d: &Diagnostic) -> String {
    let hint = d.hint.as_deref().unwrap_or("-");
    format!("{} {} {} | {hint}", d.at(), d.severity.as_str(), d.message)
}

fn with(path: &str, text: &str) -> Vec<String> {
    let mut files = example();
    files.insert(path.to_owned(), text.as_bytes().to_vec());
    problems(&files)
}

fn manifest(body: &str) -> Vec<String> {
    with("manifests/base.toml", &format!("schema = \"countersign/manifest/1\"\n{body}"))
}

#[test]
fn all_problems_of_all_files_come_at_once() {
    let mut files = example();
    files.insert(
        "manifests/base.toml".to_owned(),
        b"schema = \"countersign/manifest/1\"\n[packages]\nbash = \"!= 5\"\nllvm = 5\n[host\n[unlist]\nx=1\n".to_vec(),
    );
    files.insert(
        "policy.toml".to_owned(),
        b"schema = \"countersign/policy/2\"\n[observer]\nsetle = 3\nmax_open = \"many\"\n".to_vec(),
    );
    insta::assert_snapshot!(problems(&files).join("\n"));
}

#[test]
fn a_problem_is_shown_with_its_line_and_a_caret() {
    let mut files = example();
    files.insert(
        "manifests/base.toml".to_owned(),
        "schema = \"countersign/manifest/1\"\n[packages]\nbash = { versoin = \">= 5\" } # \u{202e}\n"
            .as_bytes()
            .to_vec(),
    );
    let errors = Canonical::load(&files).unwrap_err();
    insta::assert_snapshot!(errors[0].to_string());
    let coloured = errors[0].text(100, Palette::Coloured);
    assert_ne!(coloured, errors[0].to_string());
    assert_eq!(without_colours(&coloured), errors[0].to_string(), "colours add nothing but colours");
    files.insert(
        "manifests/base.toml".to_owned(),
        b"schema = \"countersign/manifest/1\"\n[packages]\n'a.i866' = '*'".to_vec(),
    );
    let canonical = Canonical::load(&files).unwrap();
    insta::assert_snapshot!("a_warning_says_that_it_is_one", canonical.warnings()[0].to_string());
}

/// Without `ESC [ ... m`.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}

#[test]
fn every_problem_has_a_hint() {
    let mut files = example();
    for (path, text) in [
        (
            "manifests/base.toml",
            "schema = 1\ninclude = 1\npackages = 1\nunlisted = 1\nhost = { vendors = [\"\"], modules = [1] }\n",
        ),
        (
            "policy.toml",
            "observer = { settle = \"2\", comment = 1, pull_request = 1 }\nwindows = { builders = 1, x = [1] }\n",
        ),
        (
            "waivers/x.toml",
            "schema = \"countersign/waiver/1\"\n[[waive]]\nrunners = [\"zzz\"]\ngroups = [\"zzz\"]\nuntil = 1\n",
        ),
    ] {
        files.insert(path.to_owned(), text.as_bytes().to_vec());
    }
    let errors = Canonical::load(&files).unwrap_err();
    assert!(errors.len() > 15, "{}", errors.len());
    for error in errors {
        assert!(error.hint.is_some(), "{error}");
        assert!(error.line > 0 && error.excerpt.is_some(), "{error}");
    }
}

#[test]
fn rules_that_cannot_be_meant_are_errors() {
    let cases = [
        "a = \"!= 1\"",
        "a = \"1.0-1\"",
        "a = \"\"",
        "a = \"== 1\"",
        "a = \"~> 1\"",
        "a = \"> 2, < 1\"",
        "a = \"= 1, = 2\"",
        "a = \"> 1, <= 1\"",
        "a = \">= 1,\"",
        "a = \"*, > 1\"",
        "a = \"= x:1\"",
        "a = \"= 1-2-3 4\"",
        "a = \"= 1 < 2\"",
        "a = 1.0",
        "a = true",
        "a = [\"*\"]",
        "a = \"absnt\"",
        "a = \"absent > 2, < 1\"",
        "a = { state = \"gone\" }",
        "a = { version = \"*\", state = \"absent\" }",
        "a = { reason = \"x\" }",
        "a = { state = \"absent\", from = [\"updates\"] }",
        "a = { same-as = \"kernel\" }",
        "a = { same_as = \"running-kernel\" }",
        "a = { version = \"*\", from = \"updates\" }",
        "a = { version = \"*\", from = [\"up dates\"] }",
        "\"*-debuginfo\" = \"absent\"",
        "\"glibc.src\" = \"*\"",
        "\"glibc >= 2\" = \"*\"",
        "glibc.i866 = \"*\"",
        "\"glibc.i866\" = \"*\"",
        "python3.12 = \"*\"",
        "\"\" = \"*\"",
        "gpg-pubkey = \"*\"",
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|case| format!("{case}\n    {}", manifest(&format!("[packages]\n{case}")).join("\n    ")))
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn manifests_that_cannot_be_meant_are_errors() {
    let cases = [
        "include = [\"bilder\"]",
        "include = [\"builder\"]",
        "include = [\"base\"]",
        "include = [\"manifests/base.toml\"]",
        "include = \"builder\"",
        "lock = \"locks/none.toml\"",
        "[unlisted]\nuser-installed = \"delete\"",
        "[unlisted]\nuser_installed = \"report\"",
        "[unlisted]\nignore = [\"[\", \"\"]",
        "[host]\nselinux = \"on\"",
        "[host]\nrepositories = \"fedora\"",
        "[host]\nkeys = [\"fedora\"]",
        "[host]\nmodules = [\"nodejs\"]",
        "[packages]\na = \"*\"\na = \"*\"",
        "packages = \"all\"",
    ];
    let shown: Vec<String> =
        cases.iter().map(|case| format!("{case}\n    {}", manifest(case).join("\n    "))).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn fleets_that_cannot_be_meant_are_errors() {
    let short_rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAACQCAAAAAAAAAAQ==";
    let cases = [
        "[runners.Upper]\naddress = \"h1\"".to_owned(),
        "[runners.\"-x\"]\naddress = \"h1\"".to_owned(),
        format!("[runners.{}]\naddress = \"h1\"", "a".repeat(64)),
        "[runners.x]".to_owned(),
        "[runners.x]\naddress = \"h1:22\"".to_owned(),
        "[runners.x]\naddress = \"-oProxyCommand=x\"".to_owned(),
        "[runners.x]\naddress = \"[::1]\"".to_owned(),
        "[runners.x]\naddress = \"10.0.0.11\"\nbastion = \"gate\"\nport = 22".to_owned(),
        "[runners.x]\naddress = \"h1\"\nport = 0".to_owned(),
        "[runners.x]\naddress = \"h1\"\nport = 65536".to_owned(),
        "[runners.x]\naddress = \"h1\"\nuser = \"-l root\"".to_owned(),
        "[runners.x]\naddress = \"h1\"\nwave = -1".to_owned(),
        "[runners.x]\naddress = \"h1\"\ngroups = [\"bilders\"]\nmanifests = [\"nothing-like-it\"]\nbastion = \"gat\""
            .to_owned(),
        "[runners.x]\naddress = \"h1\"\nhost_keys = [\"ssh-ed25519 AAAA\"]".to_owned(),
        "[runners.x]\naddress = \"h1\"\nhost_keys = [\"ssh-dss AAAA\", \"garbage\"]".to_owned(),
        format!("[runners.x]\naddress = \"h1\"\nhost_keys = [\"{}\"]", KEY.replace("ssh-ed25519", "ssh-rsa")),
        format!("[runners.x]\naddress = \"h1\"\nhost_keys = [\"{short_rsa}\"]"),
        "[runners.runner-01]\naddress = \"h1\"".to_owned(),
        "[groups.builders]".to_owned(),
        "[groups.\"a b\"]".to_owned(),
        "[groups.x]\nmanifest = [\"base\"]".to_owned(),
        "[bastions.gate]\naddress = \"h1\"\nuser = \"j\"".to_owned(),
        "[bastions.b]\naddress = \"h1\"".to_owned(),
        "[defaults]\nport = 23".to_owned(),
        format!("[keys]\nactuator_ssh = [\"{KEY}\"]"),
        format!("[keys]\nobserver_sign = [\"{KEY}\"]"),
        "[keys]\nnotary = []".to_owned(),
        "[runner.x]".to_owned(),
        "[runners.x.example.org]\naddress = \"h1\"".to_owned(),
        "[runners]\nx.a.address = \"h1\"\nx.b.address = \"h2\"".to_owned(),
        "[runners.x]\naddress = \"h1\"\ngroups = {}\nextra = {}".to_owned(),
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|case| {
            let text = format!("schema = \"countersign/fleet/1\"\n{case}");
            format!("{case}\n    {}", with("fleet.d/x.toml", &text).join("\n    "))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn other_files_that_cannot_be_meant_are_errors() {
    let waiver = |body: &str| format!("schema = \"countersign/waiver/1\"\n[[waive]]\n{body}");
    let good = "reason = \"r\"\nowner = \"o\"\nuntil = \"2026-12-31\"\n";
    let lock = |body: &str| format!("schema = \"countersign/lock/1\"\narch = \"x86_64\"\nreleasever = \"41\"\n{body}");
    let policy = |body: &str| format!("schema = \"countersign/policy/1\"\n{body}");
    let cases = [
        ("waivers/x.toml", waiver(&format!("{good}package = \"a\""))),
        ("waivers/x.toml", waiver(&format!("{good}runners = [\"runner-01\"]"))),
        ("waivers/x.toml", waiver(&format!("{good}runners = [\"runner-1\"]\ngroups = [\"none\"]\ncode = \"behnd\""))),
        (
            "waivers/x.toml",
            waiver(&format!("{good}runners = [\"runner-01\"]\ncode = \"behind\"\nseen = \"18.1-1.fc41\"")),
        ),
        ("waivers/x.toml", waiver(&format!("{good}runners = [\"runner-01\"]\ncode = \"behind\"\nseen = [18]"))),
        ("waivers/x.toml", waiver(&format!("{good}runners = [\"runner-01\"]\ncode = \"sideways\""))),
        ("waivers/x.toml", waiver("runners = [\"runner-01\"]\npackage = \"a\"\n")),
        (
            "waivers/x.toml",
            waiver("runners = [\"runner-01\"]\npackage = \"a\"\nreason = \" \"\nowner = \"o\"\nuntil = \"soon\""),
        ),
        (
            "waivers/x.toml",
            waiver("runners = [\"runner-01\"]\npackage = \"a\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2026-02-30"),
        ),
        (
            "waivers/x.toml",
            waiver(
                "runners = [\"runner-01\"]\npackage = \"a\"\nreason = \"r\"\nowner = \"o\"\nuntil = 2026-02-20T00:00:00Z",
            ),
        ),
        ("waivers/x.toml", "schema = \"countersign/waiver/1\"\nwaive = {}".to_owned()),
        (
            "locks/x.toml",
            lock(
                "packages = [\"bash-5.2-1.fc41.x86_64\", \"bash-0:5.2-1.fc41.x86_64\", \"bash\", \"a-1-1.pdp11\", \"gpg-pubkey-1-2\"]",
            ),
        ),
        ("locks/x.toml", "schema = \"countersign/lock/1\"\narch = \"noarch\"".to_owned()),
        ("policy.toml", policy("[observer]\npull_request = \"drafts\"\ncomment = \"no\"\nmetadata_max_age = \"0s\"")),
        (
            "policy.toml",
            policy(
                "[approval]\nrequired = 3\nprotected_required = 2\nproposal_ttl = \"a week\"\nevidence = \"merges\"",
            ),
        ),
        ("policy.toml", policy("[approval]\nrequired = 0")),
        (
            "policy.toml",
            policy(
                "[windows]\nbilders = [\"Mon-Fri 22:00-05:00 Europe/Amsterdam\"]\nbuilders = [\"Mon 1:00-2:00 UTC\"]",
            ),
        ),
        (
            "policy.toml",
            policy("[breaker]\nspread_percent = 101\n[protected]\npackages = [\"kernel*\"]\n[drill]\nevery = 30"),
        ),
        ("approvers", format!("*@example.org {KEY}\n")),
        ("approvers", format!("a@example.org,b@example.org {KEY}\n")),
        ("approvers", format!("a@example.org {KEY}\nb@example.org {KEY}\n")),
        ("approvers", format!("*@example.org cert-authority {KEY}\n!x {OTHER_KEY}\n")),
        (
            "approvers",
            "a@example.org\na@example.org namespace=\"git\" ssh-ed25519 AAAA\na ssh-ed25519 AAAA\n".to_owned(),
        ),
        ("approvers", "# nobody\n".to_owned()),
        (
            "approvers",
            "a ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAACQCAAAAAAAAAAQ==\na namespaces=git ssh-ed25519 AAAA\n".to_owned(),
        ),
    ];
    let shown: Vec<String> =
        cases.iter().map(|(path, text)| format!("{text}\n    {}", with(path, text).join("\n    "))).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_policy_key_without_an_effect_is_warned_of() {
    let policy = |body: &str| with("policy.toml", &format!("schema = \"countersign/policy/1\"\n{body}"));
    let found = policy("[observer]\ncomment = true\n[drill]\nevery = \"7d\"\n");
    assert_eq!(found.len(), 2, "{found:?}");
    for (problem, start) in found.iter().zip(["policy.toml:3:1 warning ", "policy.toml:5:1 warning "]) {
        assert!(problem.starts_with(start) && problem.contains("has no effect"), "{problem}");
    }
    // What `lint --show-policy` prints is taken as it is.
    assert_eq!(policy("[observer]\ncomment = false\n[drill]\nevery = \"30d\"\n"), Vec::<String>::new());
}

#[test]
fn a_repository_without_fleet_or_with_unreadable_files_says_so() {
    let none = problems(&BTreeMap::new());
    assert!(none.iter().any(|p| p.starts_with("fleet.toml error there is no fleet.toml")), "{none:?}");

    let mut files = example();
    files.insert("manifests/builder.toml".to_owned(), b"schema = \"\xff\"".to_vec());
    let broken = problems(&files);
    assert_eq!(
        broken,
        ["manifests/builder.toml:1:11 error the byte 0xff is not UTF-8 | save the file as UTF-8"],
        "what refers to an unreadable file is not called unknown"
    );

    let mut files = example();
    files.insert("manifests/big.toml".to_owned(), vec![b'\n'; (32 << 20) + 1]);
    assert!(problems(&files)[0].contains("more than 33554432"));
}

#[test]
fn a_manifest_has_a_name_that_can_be_written_anywhere() {
    let text = "schema = \"countersign/manifest/1\"\n";
    for path in
        ["manifests/a b.toml", "manifests/.toml", "manifests/-x.toml", "manifests/\u{202e}.toml", "manifests/a//b.toml"]
    {
        let found = with(path, text);
        assert_eq!(found.len(), 1, "{path}");
        assert!(found[0].contains("this is not a name for a manifest"), "{}", found[0]);
    }
    for path in ["manifests/web/front.toml", "manifests/c++.toml", "manifests/9.2_x.toml", "manifests/README.md"] {
        assert_eq!(with(path, text), [""; 0], "{path}");
    }
}

#[test]
fn a_flood_of_problems_is_cut_per_file() {
    use std::fmt::Write as _;
    let mut text = String::from("schema = \"countersign/manifest/1\"\n[packages]\n");
    for i in 0..5_000 {
        writeln!(text, "p{i} = \"1\"").unwrap();
    }
    let found = with("manifests/base.toml", &text);
    assert_eq!(found.len(), 200);
    assert!(found[0].contains("more problems than are shown"), "{}", found[0]);
}
