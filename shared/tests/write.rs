//! Whatever is written loads without a word, and says what it was made of.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_manifests_schema::fleet::{
    BastionTable, DefaultsTable, FLEET_SCHEMA, FleetFile, GroupTable, KeysTable, RunnerTable,
};
use countersign_manifests_schema::lock::{LOCK_SCHEMA, LockFile};
use countersign_manifests_schema::manifest::{
    Disposal, HostTable, MANIFEST_SCHEMA, ManifestFile, PackageRule, PackageTable, SameAs, Selinux, UnlistedTable,
};
use countersign_manifests_schema::waiver::{WAIVER_SCHEMA, WaiverFile, WaiverTable};
use countersign_shared::evr::Evr;
use countersign_shared::manifest::{Canonical, write};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIccdLYrxAC1Zd5pFtEvnXOd+gi7wSuUkw0gTxFsNW5J";
const SIGN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzhgRR4Hh7Q3zTpOVEcKTqcBfVHuM0gRdiyMBN+vH5k";

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str, value: &T) {
    let again: T = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&again, value, "{text}");
}

fn a_fleet() -> FleetFile {
    let group = GroupTable { owner: Some("b@example.org".to_owned()), manifests: strings(&["builder"]) };
    let bastion = BastionTable {
        address: "192.0.2.1".to_owned(),
        user: "jump".to_owned(),
        port: Some(2222),
        host_keys: strings(&[KEY]),
    };
    let runner = RunnerTable {
        address: "10.0.0.1".to_owned(),
        port: Some(23),
        groups: strings(&["builders"]),
        manifests: strings(&["own"]),
        host_keys: strings(&[KEY, &format!("@revoked {SIGN}")]),
        bastion: Some("gate".to_owned()),
        wave: 2,
        ..RunnerTable::default()
    };
    let bare = RunnerTable { address: "10.0.0.2".to_owned(), ..RunnerTable::default() };
    FleetFile {
        schema: FLEET_SCHEMA.to_owned(),
        keys: Some(KeysTable {
            observer_ssh: strings(&[KEY]),
            observer_sign: strings(&[SIGN]),
            actuator_ssh: Vec::new(),
        }),
        defaults: Some(DefaultsTable { user: Some("watch".to_owned()), actuator_user: None, port: Some(22) }),
        groups: BTreeMap::from([("builders".to_owned(), group)]),
        bastions: BTreeMap::from([("gate".to_owned(), bastion)]),
        runners: BTreeMap::from([("runner-01.example.org".to_owned(), runner), ("runner-02".to_owned(), bare)]),
    }
}

fn a_manifest() -> ManifestFile {
    let table = |table: PackageTable| PackageRule::Table(table);
    ManifestFile {
        schema: MANIFEST_SCHEMA.to_owned(),
        include: Vec::new(),
        owner: Some("a \"quoted\" owner".to_owned()),
        lock: Some("locks/builder.toml".to_owned()),
        packages: BTreeMap::from([
            ("htop".to_owned(), PackageRule::Short("*".to_owned())),
            ("python3.12".to_owned(), PackageRule::Short(write::pin(&Evr::parse("2:3.12.1~rc1-1.fc41").unwrap()))),
            ("glibc.i686".to_owned(), PackageRule::Short("absent".to_owned())),
            ("libstdc++".to_owned(), PackageRule::Short("allowed".to_owned())),
            (
                "kernel-devel".to_owned(),
                table(PackageTable { same_as: Some(SameAs::RunningKernel), ..PackageTable::default() }),
            ),
            (
                "glibc".to_owned(),
                table(PackageTable {
                    version: Some(">= 2.40, < 2.41".to_owned()),
                    from: strings(&["fedora", "updates"]),
                    reason: Some("tenant X's module\nneeds \"it\"".to_owned()),
                    ..PackageTable::default()
                }),
            ),
        ]),
        unlisted: Some(UnlistedTable {
            user_installed: Some(Disposal::Remove),
            ignore: Some(strings(&["*-debuginfo"])),
            ..UnlistedTable::default()
        }),
        host: Some(HostTable {
            selinux: Some(Selinux::Enforcing),
            repositories: Some((0..40).map(|i| format!("repository-{i}")).collect()),
            ..HostTable::default()
        }),
    }
}

fn some_waivers() -> WaiverFile {
    let waiver = WaiverTable {
        runners: strings(&["runner-02"]),
        groups: strings(&["builders"]),
        package: Some("glibc.i686".to_owned()),
        code: Some("unwanted".to_owned()),
        seen: Some(strings(&["2.40-3.fc41"])),
        reason: "because \\ of it".to_owned(),
        owner: "ada@example.org".to_owned(),
        until: "2026-12-31".to_owned(),
    };
    WaiverFile { schema: WAIVER_SCHEMA.to_owned(), waive: vec![waiver] }
}

fn a_lock() -> LockFile {
    LockFile {
        schema: LOCK_SCHEMA.to_owned(),
        arch: "x86_64".to_owned(),
        releasever: "41".to_owned(),
        packages: strings(&["bash-5.2.32-1.fc41.x86_64", "vim-data-2:9.1.785-1.fc41.noarch"]),
    }
}

#[test]
fn a_whole_written_repository_loads_without_a_word() {
    let comment = "written for a test\nin two lines \u{1b}[2J";
    let own = ManifestFile {
        include: strings(&["builder"]),
        owner: None,
        lock: None,
        packages: BTreeMap::new(),
        unlisted: None,
        host: None,
        schema: MANIFEST_SCHEMA.to_owned(),
    };
    let texts = [
        ("fleet.toml", write::fleet(comment, &a_fleet())),
        ("manifests/builder.toml", write::manifest(comment, &a_manifest())),
        ("manifests/own.toml", write::manifest("", &own)),
        ("waivers/x.toml", write::waivers(comment, &some_waivers())),
        ("locks/builder.toml", write::lock(comment, &a_lock())),
        ("approvers", format!("ada@example.org {SIGN}\n")),
    ];
    reads_back(&texts[0].1, &a_fleet());
    reads_back(&texts[1].1, &a_manifest());
    reads_back(&texts[3].1, &some_waivers());
    reads_back(&texts[4].1, &a_lock());
    let files: BTreeMap<String, Vec<u8>> =
        texts.iter().map(|(path, text)| ((*path).to_owned(), text.clone().into_bytes())).collect();
    let canonical = Canonical::load(&files).unwrap_or_else(|list| panic!("{}", list[0]));
    assert_eq!(canonical.warnings(), []);
    let effective = canonical.effective(canonical.fleet.runner("runner-01.example.org").unwrap());
    let python = effective.packages.iter().find(|(key, _)| key.name == "python3.12").unwrap();
    assert_eq!(python.1.rule.to_string(), "= 2:3.12.1~rc1-1.fc41", "a non-zero epoch is always written");
    insta::assert_snapshot!(texts.map(|(path, text)| format!("--- {path}\n{text}")).join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_written_so_that_it_reads_back(text in "\\PC{0,40}|[\"'\\\\\n\t#=\\[\\]]{0,20}", key in "[a-zA-Z0-9._+-]{1,20}") {
        let manifest = ManifestFile {
            owner: Some(text.clone()),
            packages: BTreeMap::from([(key, PackageRule::Table(PackageTable {
                version: Some("*".to_owned()), reason: Some(text.clone()), ..PackageTable::default()
            }))]),
            ..ManifestFile { include: vec![], lock: None, unlisted: None, host: None, ..a_manifest() }
        };
        let written = write::manifest(&text, &manifest);
        let again: ManifestFile = toml::from_str(&written).map_err(|e| TestCaseError::fail(format!("{e}\n{written}")))?;
        prop_assert_eq!(again, manifest);
    }
}
