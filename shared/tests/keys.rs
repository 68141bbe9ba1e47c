//! Public keys and people as OpenSSH's own tests have them. Read from the folder that `COUNTERSIGN_DATA` names.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stderr, reason = "how many cases ran is part of the result")]

use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::ssh_key::{HostKey, KeyError, Marker, PublicKey};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn data(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("COUNTERSIGN_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED {test}: COUNTERSIGN_DATA does not name the folder with OpenSSH's keys");
    }
    folder
}

#[test]
fn every_key_of_openssh_is_read_or_refused_for_its_reason() {
    let Some(data) = data("every_key_of_openssh_is_read_or_refused_for_its_reason") else { return };
    let (mut read, mut refused) = (0, 0);
    for folder in ["openssh/sshsig", "openssh/hostkeys"] {
        for entry in fs::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "pub") {
                continue;
            }
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            match PublicKey::parse(&text) {
                Ok(key) => {
                    let mut words = text.split_whitespace();
                    assert_eq!(key.to_string(), format!("{} {}", words.next().unwrap(), words.next().unwrap()));
                    assert_eq!(PublicKey::parse(&key.to_string()).unwrap(), key);
                    read += 1;
                }
                Err(error) => {
                    let expected = match &error {
                        // Version 1 of the protocol: numbers without a type.
                        KeyError::Algorithm(_) => {
                            name.starts_with("rsa1_") || name.starts_with("mldsa") || name.starts_with("dsa")
                        }
                        KeyError::ShortRsa(bits, 2048) => name.starts_with("rsa_") && *bits < 2048,
                        _ => false,
                    };
                    assert!(expected, "{name}: {error}");
                    assert!(!error.hint().is_empty());
                    refused += 1;
                }
            }
        }
    }
    assert!(read >= 15, "{read}");
    eprintln!("openssh keys: {read} read, {refused} refused for their reason");
}

#[test]
fn the_people_of_openssh_are_read() {
    let Some(data) = data("the_people_of_openssh_are_read") else { return };
    let text = fs::read_to_string(data.join("openssh/git/git_allowed_signers")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
    let fleet = "schema = \"countersign/fleet/1\"\n[runners.r]\naddress = \"h\"\n";
    let files = BTreeMap::from([
        ("fleet.toml".to_owned(), fleet.as_bytes().to_vec()),
        ("approvers".to_owned(), text.clone().into_bytes()),
    ]);
    let canonical = Canonical::load(&files).unwrap_or_else(|list| panic!("{}", list[0]));
    let approvers = canonical.approvers.unwrap();
    assert_eq!(approvers.entries.len(), lines);
    assert_eq!(approvers.text, text);
    eprintln!("git_allowed_signers: {lines} people read");
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIccdLYrxAC1Zd5pFtEvnXOd+gi7wSuUkw0gTxFsNW5J";

#[test]
fn damaged_keys_are_refused() {
    let base64 = KEY.split(' ').nth(1).unwrap();
    let with = |base64: String| PublicKey::parse(&format!("ssh-ed25519 {base64}"));
    assert!(with(base64.to_owned()).is_ok());
    for cut in 1..base64.len() {
        assert!(with(base64[..cut].to_owned()).is_err(), "{cut}");
    }
    assert!(with(format!("{base64}AAAA")).is_err());
    assert!(with(format!("{base64}====")).is_err());
    assert!(with(format!("={base64}")).is_err());
    assert!(with(base64.replace('A', "\u{430}")).is_err());
    for text in ["", "ssh-ed25519", "AAAA ssh-ed25519", "ssh-ed25519\nAAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
        assert!(PublicKey::parse(text).is_err(), "{text:?}");
    }
    let certificate = KEY.replace("ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com ");
    assert!(matches!(PublicKey::parse(&certificate), Err(KeyError::Certificate(_))));
}

#[test]
fn host_keys_keep_their_marker_and_lose_their_comment() {
    for (text, marker, shown) in [
        (format!("{KEY} root@host"), Marker::Key, KEY.to_owned()),
        (format!("@cert-authority\t{KEY}"), Marker::Authority, format!("@cert-authority {KEY}")),
        (format!("@revoked {KEY}"), Marker::Revoked, format!("@revoked {KEY}")),
    ] {
        let key = HostKey::parse(&text).unwrap();
        assert_eq!((key.marker, key.to_string()), (marker, shown.clone()));
        assert_eq!(HostKey::parse(&shown).unwrap(), key);
    }
    assert!(HostKey::parse(&format!("@trusted {KEY}")).is_err());
}
