//! Makes the seeds: real objects, signed by keys that are thrown away.

use super::mutate::directory;
use super::targets::{MESSAGE, PEOPLE};
use crate::keys::{Keys, piped};
use crate::repositories::{git, git_command};
use crate::sample;
use crate::security_key::{SecurityKey, TOUCHED};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, ORDER_SCHEMA, Order, OrderKind, RESUME_NAMESPACE};
use countersign_manifests_schema::token::TOKEN_NAMESPACE;
use countersign_shared::canonical_json::to_bytes;
use std::fs;

#[test]
fn seeds_are_made_anew_when_asked_for() {
    if std::env::var_os("UPDATE_SEEDS").is_none() {
        return;
    }
    let keys = Keys::new();
    keys.make("p256", &["-t", "ecdsa", "-b", "256"]);
    keys.make("rsa", &["-t", "rsa", "-b", "3072"]);
    keys.make("fido", &["-t", "ed25519"]);
    keys.certify("bot", &["-n", "dan", "-V", "20200101:20991231"]);
    let fido = SecurityKey::of(&keys.path("fido"));
    let list = format!(
        "# People\nada@example.org {}\nben@example.org {} a comment\np256 valid-after=\"20200101\",valid-before=\"20991231Z\" {}\n\
         rsa namespaces=\"git,countersign\" {}\nfido {}\nd?n,!den cert-authority,namespaces=\"*\" {}\n",
        keys.public("ada"),
        keys.public("ben"),
        keys.public("p256"),
        keys.public("rsa"),
        fido.line(),
        keys.public("authority"),
    );
    save(PEOPLE, "allowed", list.as_bytes());
    save(PEOPLE, "notary.pub", keys.public("notary").as_bytes());
    save("allowed_signers", "all", list.as_bytes());
    save("allowed_signers", "one", format!("ada {}", keys.public("ada")).as_bytes());
    save("revoked", "two", format!("# gone\n{}\n{}\n", keys.public("p256"), fido.line()).as_bytes());
    for name in ["ada", "p256", "rsa", "bot.cert"] {
        save("sshsig", name, keys.sign(name, "git", MESSAGE).as_bytes());
    }
    save("sshsig", "fido", fido.sign("git", MESSAGE, TOUCHED).as_bytes());
    objects(&keys);

    let sealed = sample::sealed("r1");
    let lines = format!("Merge\n\n{}\n{}\n\ntext\n", sample::line(&sealed), sample::line(&sample::sealed("r2")));
    save("statement", "two", lines.as_bytes());
    save("sealed", "proposal.json", sealed.bytes());
    save("bundle", "whole.json", &to_bytes(&sample::whole(&keys, &sealed)).unwrap());
    let two = vec![sample::signature(&keys, "ada", &sealed), sample::signature(&keys, "p256", &sealed)];
    save("bundle", "early.json", &to_bytes(&sample::bundle(&sealed, two)).unwrap());
    let lease = sample::signed(&keys, "ada", LEASE_NAMESPACE, &sample::lease(&sealed));
    let token = sample::signed(&keys, "notary", TOKEN_NAMESPACE, &sample::token(&sealed, &lease));
    let order = Order {
        schema: ORDER_SCHEMA.to_owned(),
        kind: OrderKind::Resume,
        nonce: "aa".repeat(32),
        reason: "looked at it".to_owned(),
        issued: sample::at(-5),
    };
    save("signed", "lease.json", &to_bytes(&lease).unwrap());
    save("signed", "token.json", &to_bytes(&token).unwrap());
    save("signed", "order.json", &to_bytes(&sample::signed(&keys, "ben", RESUME_NAMESPACE, &order)).unwrap());
}

/// Commits and trees, as git writes them.
fn objects(keys: &Keys) {
    let path = keys.path("repository");
    let proposal = path.join("proposals/r1").join("ab".repeat(32));
    fs::create_dir_all(&proposal).unwrap();
    fs::write(proposal.join("proposal.json"), "{}\n").unwrap();
    fs::write(proposal.join("README.md"), "# One\n").unwrap();
    fs::write(path.join("proposals.txt"), "text\n").unwrap();
    std::os::unix::fs::symlink("proposals.txt", path.join("link")).unwrap();
    git(&path, &["init", "--quiet", "."]);
    git(&path, &["add", "--all"]);
    git(&path, &["update-index", "--chmod=+x", "proposals.txt"]);
    git(&path, &["commit", "--quiet", "--no-gpg-sign", "-m", "Begin"]);
    let raw = |kind: &str, what: &str| {
        let mut command = git_command(&path);
        command.args(["cat-file", kind, what]);
        piped(command, b"").1
    };
    save("commit", "unsigned", raw("commit", "HEAD").as_bytes());
    // ssh-keygen finds the key beside its certificate by this name.
    fs::copy(keys.path("bot.cert"), keys.path("bot-cert.pub")).unwrap();
    for (name, key) in [("ada", "ada"), ("p256", "p256"), ("certificate", "bot-cert.pub")] {
        let key = format!("user.signingkey={}", keys.path(key).display());
        let message = format!("Subject\n\nCountersign-Approves: r1 sha256:{}", "ab".repeat(32));
        git(&path, &["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--allow-empty", "-S", "-m", &message]);
        save("commit", name, raw("commit", "HEAD").as_bytes());
    }
    for (name, what) in [("root", "HEAD^{tree}"), ("proposals", "HEAD:proposals"), ("files", "HEAD:proposals/r1")] {
        let mut command = git_command(&path);
        command.args(["cat-file", "tree", what]);
        let output = command.output().unwrap();
        assert!(output.status.success());
        save("tree", name, &output.stdout);
    }
}

fn save(target: &str, name: &str, bytes: &[u8]) {
    let directory = directory(target);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), bytes).unwrap();
}
