use super::*;

/// `name: groups | variables` of every host.
fn resolved(file: &str, text: &str) -> Vec<String> {
    let inventory = Inventory::read(file, text).unwrap_or_else(|list| panic!("{}", list[0]));
    let shown = |host: Host| {
        let vars: Vec<String> = host.vars.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{}: {} | {}", host.name, host.groups.join(","), vars.join(" "))
    };
    inventory.resolve().into_iter().map(shown).collect()
}

const INI: &str = r#"
# comment
mail.example.org ansible_user=post ; not a comment in ansible, but not key=value either
"#;

const GOOD_INI: &str = r#"
; hosts before any group
mail.example.org:2222 ansible_user=post

[web]
web[01:03].example.org ansible_host=10.0.0.1 # the rest is a comment
db-a ansible_ssh_common_args='-o ProxyJump="jump@gate" -v'

[db]
db-[a:b]

[servers:children]
web
db

[all:vars]
ansible_port = 22
ansible_user = watch
[servers:vars]
ansible_port=2022
[db:vars]
ansible_port="2023"
"#;

#[test]
fn an_ini_inventory_gives_hosts_groups_and_variables() {
    assert_eq!(
        resolved("hosts", GOOD_INI),
        [
            "db-a: db,servers,web | ansible_port=2022 ansible_ssh_common_args=-o ProxyJump=\"jump@gate\" -v ansible_user=watch",
            "db-b: db,servers | ansible_port=2023 ansible_user=watch",
            "mail.example.org:  | ansible_port=2222 ansible_user=post",
            "web01.example.org: servers,web | ansible_host=10.0.0.1 ansible_port=2022 ansible_user=watch",
            "web02.example.org: servers,web | ansible_host=10.0.0.1 ansible_port=2022 ansible_user=watch",
            "web03.example.org: servers,web | ansible_host=10.0.0.1 ansible_port=2022 ansible_user=watch",
        ]
        .map(|line| if line.starts_with("db-a") { line.replace("port=2022", "port=2023") } else { line.to_owned() }),
        "the innermost group wins over the outer ones"
    );
}

const YAML: &str = r#"---
all:
  vars:
    ansible_user: watch
    ansible_become_password: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      6162
  hosts:
    mail.example.org:
      ansible_port: 2222
  children:
    servers:
      children:
        web:
          hosts:
            web[01:02].example.org:
              ansible_host: 10.0.0.1
              tags: [a, b]
        db:
          vars: {ansible_port: "2023"}
          hosts:
            db-a:
            db-b: {}
    empty:
"#;

#[test]
fn a_yaml_inventory_gives_the_same() {
    for name in ["hosts.yml", "hosts"] {
        assert_eq!(
            resolved(name, YAML),
            [
                "db-a: db,servers | ansible_become_password=$ANSIBLE_VAULT;1.1;AES256\n6162\n ansible_port=2023 ansible_user=watch",
                "db-b: db,servers | ansible_become_password=$ANSIBLE_VAULT;1.1;AES256\n6162\n ansible_port=2023 ansible_user=watch",
                "mail.example.org:  | ansible_become_password=$ANSIBLE_VAULT;1.1;AES256\n6162\n ansible_port=2222 ansible_user=watch",
                "web01.example.org: servers,web | ansible_become_password=$ANSIBLE_VAULT;1.1;AES256\n6162\n ansible_host=10.0.0.1 ansible_user=watch",
                "web02.example.org: servers,web | ansible_become_password=$ANSIBLE_VAULT;1.1;AES256\n6162\n ansible_host=10.0.0.1 ansible_user=watch",
            ]
        );
    }
}

#[test]
fn what_is_no_inventory_is_refused_with_its_place() {
    let cases = [
        ("hosts", INI),
        ("hosts", "[web:kinds]\nx"),
        ("hosts", "[]\nx"),
        ("hosts", "[web:vars]\nx"),
        ("hosts", "web ansible_user='x"),
        ("hosts", "web[3:1]"),
        ("hosts", "web[1:99999999]"),
        ("hosts", "a b=c\n\n[web]\nweb[x:1]\n[db:kind]\n"),
        ("hosts", "[a:children]\nb\n[b:children]\na\n"),
        ("hosts.yml", "all: [a, b]\n"),
        ("hosts.yml", "all:\n  hosts:\n   - a\n"),
        ("hosts.yml", "all:\n  hosts: {\n"),
        ("hosts.yml", "all:\n  hosts:\n    a[3:1]:\n"),
        ("hosts.yml", "a: {children: {b: {children: {a: }}}}\n"),
        ("hosts.json", "{\"_meta\": {\"hostvars\": {}}, \"all\": {\"children\": {}}}"),
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|(file, text)| {
            let problems = Inventory::read(file, text).unwrap_err();
            let lines: Vec<String> = problems
                .iter()
                .map(|p| format!("{} {} | {}", p.at(), p.message, p.hint.as_deref().unwrap_or("-")))
                .collect();
            format!("{text:?}\n    {}", lines.join("\n    "))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

proptest::proptest! {
    #[test]
    fn no_text_stops_the_reader(words in proptest::collection::vec(proptest::sample::select(vec![
        "[", "]", ":", "\n", "web", "1", "9", " ", "=", "'", "\"", "\\", "#", "all", "hosts", "children", "vars", "  ",
        "- ", "{", "}", "&a", "*a", "!vault", "|", "---", "[a:f]", "[1:3]", "\t", ",", "null", "é",
    ]), 0..40)) {
        let text = words.concat();
        for file in ["hosts", "hosts.yml"] {
            if let Ok(inventory) = Inventory::read(file, &text) {
                inventory.resolve();
            }
        }
    }
}
