use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIccdLYrxAC1Zd5pFtEvnXOd+gi7wSuUkw0gTxFsNW5J";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzhgRR4Hh7Q3zTpOVEcKTqcBfVHuM0gRdiyMBN+vH5k";

const INVENTORY: &str = "
localhost ansible_connection=local
mail.example.org:2222 ansible_user=root
[web_front]
Web_[01:02] ansible_host=10.0.0.1
web_03 ansible_host='{{ template }}'
[builders]
runner-[1:2].example.org ansible_user=watch
[linux:children]
web_front
builders
[linux:vars]
ansible_ssh_common_args='-o ProxyJump=gate'
";

fn known_hosts() -> Vec<u8> {
    // `runner-2.example.org`, as `ssh-keygen -H` hashes it (HMAC-SHA1, keyed with the first word).
    let hashed = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|ybWQw2DPvMEcNUuEACCr8WCml3Q=";
    format!(
        "# checked by ada\n10.0.0.1 {A}\n10.0.0.1 {A} again\nrunner-1.example.org,10.9.9.9 {B}\n\
         [mail.example.org]:2222 {A}\n@cert-authority *.example.org {B}\n{hashed} {A}\nbroken line\n@revoked 10.0.0.1 {B}\n"
    )
    .into_bytes()
}

#[test]
fn a_skeleton_has_every_host_with_its_groups_and_known_keys() {
    let skeleton = from_ansible("hosts", INVENTORY, Some(&known_hosts())).unwrap();
    let files: Vec<String> = skeleton.files.iter().map(|(path, text)| format!("--- {path}\n{text}")).collect();
    insta::assert_snapshot!(format!(
        "{}\n--- runners\n{}\n--- without key\n{:?}\n--- notes\n{}",
        files.join("\n"),
        skeleton.runners.join("\n"),
        skeleton.without_key,
        skeleton.notes.join("\n")
    ));
    let bytes = skeleton.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
    let canonical = Canonical::load(&bytes).unwrap();
    let runner = canonical.fleet.runner("web-01").unwrap();
    assert_eq!(runner.groups, ["linux", "web_front"]);
    assert_eq!(
        runner.host_keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [A.to_owned(), format!("@revoked {B}")]
    );
    assert_eq!(canonical.manifests["web_front"].includes[0].name, "linux");
}

#[test]
fn without_known_hosts_every_runner_is_listed_as_without_key() {
    let skeleton = from_ansible("hosts", INVENTORY, None).unwrap();
    assert_eq!(skeleton.without_key.len(), skeleton.runners.len());
    assert!(skeleton.without_key.contains(&("mail.example.org".to_owned(), "[mail.example.org]:2222".to_owned())));
}

#[test]
fn hostile_names_never_reach_the_skeleton_as_they_are() {
    let inventory = "[\"g\u{1b}[2J]\n'-oProxyCommand=x' ansible_host=-oProxyCommand=x\n../../etc ansible_host='a b'\nok ansible_user='-l' ansible_port=99999\n";
    let skeleton = from_ansible("hosts.ini", inventory, None);
    if let Ok(skeleton) = skeleton {
        assert_eq!(skeleton.runners, [""; 0], "{skeleton:?}");
    }
    let yaml = "all:\n  children:\n    '../x':\n      hosts:\n        h1:\n    'a b':\n      hosts:\n        h1:\n    'a-b':\n      hosts:\n        h1:\n";
    let skeleton = from_ansible("hosts.yml", yaml, None).unwrap();
    assert!(skeleton.files.keys().all(|path| !path.contains("..")), "{:?}", skeleton.files.keys());
    assert_eq!(skeleton.runners, ["h1"]);
}
