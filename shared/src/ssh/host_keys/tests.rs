//! Tables for the judgement; `tests/ssh` compares it with OpenSSH's own.

use russh::keys::ssh_key::public::KeyData;

use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINABBUQaIvqoOJBx4GtDJz0Zk+3Xr6l2d62w1XFMfKTG";

fn key(text: &str) -> KeyData {
    entry::parse_pinned(text).unwrap().key
}

/// One word for the verdict on `offered` at `host`, with `lines` as known_hosts; `A` and `B` stand for keys.
fn verdict(lines: &str, host: &str, port: u16, offered: &str) -> &'static str {
    let file = lines.replace("KEY-A", A).replace("KEY-B", B);
    let known = Arc::new(KnownHosts::parse(file.as_bytes()));
    let keys = HostKeys::new([], Some(known)).unwrap();
    word(keys.judge(host, port, Offered::Key(&key(offered)), 0))
}

fn word(verdict: Result<Accepted, HostKeyError>) -> &'static str {
    match verdict {
        Ok(Accepted::Key) => "accepted",
        Ok(Accepted::Certificate) => "certificate",
        Err(HostKeyError::Unknown { .. }) => "unknown",
        Err(HostKeyError::Changed { .. }) => "changed",
        Err(HostKeyError::Revoked { .. }) => "revoked",
        Err(HostKeyError::UnknownAuthority { .. }) => "unknown-authority",
        Err(HostKeyError::Certificate { .. }) => "certificate-problem",
    }
}

#[test]
fn known_hosts_lines_decide() {
    for (lines, host, port, expected) in [
        ("", "h", 22, "unknown"),
        ("h KEY-A", "h", 22, "accepted"),
        ("h KEY-A", "H", 22, "accepted"),
        ("H KEY-A", "h", 22, "accepted"),
        ("h\tKEY-A comment # and more", "h", 22, "accepted"),
        ("  h   KEY-A\r", "h", 22, "accepted"),
        ("# h KEY-A", "h", 22, "unknown"),
        ("h KEY-B", "h", 22, "changed"),
        ("h KEY-B\nh KEY-A", "h", 22, "accepted"),
        ("other KEY-A", "h", 22, "unknown"),
        ("x,h,y KEY-A", "h", 22, "accepted"),
        ("*,!h KEY-A", "h", 22, "unknown"),
        ("? KEY-A", "h", 22, "accepted"),
        ("h KEY-A\n@revoked h KEY-A", "h", 22, "revoked"),
        ("@revoked * KEY-A\nh KEY-A", "h", 22, "revoked"),
        ("h KEY-A\n@revoked\t* KEY-A", "h", 22, "revoked"),
        ("h KEY-A\n@revoked other KEY-A", "h", 22, "accepted"),
        ("h KEY-A\n@revoked h KEY-B", "h", 22, "accepted"),
        ("@revoked h KEY-A", "h", 22, "revoked"),
        ("@cert-authority h KEY-A", "h", 22, "unknown"),
        ("@other h KEY-A", "h", 22, "unknown"),
        ("@revoked @cert-authority h KEY-A\nh KEY-A", "h", 22, "accepted"),
        ("[h]:2222 KEY-A", "h", 2222, "accepted"),
        ("[h]:2222 KEY-A", "h", 22, "unknown"),
        ("h KEY-A", "h", 2222, "accepted"),
        ("h KEY-A\n[h]:2222 KEY-B", "h", 2222, "changed"),
        ("[h]:2222 KEY-A\n@revoked h KEY-A", "h", 2222, "revoked"),
        ("[*]:2222 KEY-A", "h", 2222, "accepted"),
        ("::1 KEY-A", "::1", 22, "accepted"),
        ("h", "h", 22, "unknown"),
        ("h ssh-ed25519", "h", 22, "unknown"),
        ("h ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio", "h", 22, "unknown"),
    ] {
        assert_eq!(verdict(lines, host, port, A), expected, "{lines:?} for {host}:{port}");
    }
}

#[test]
fn an_unreadable_line_has_no_effect_but_is_reported() {
    let file = format!("h {A}\n@what h {A}\n|1|x|y {A}\nh ssh-ed25519 AAAA\n\n# comment\nh\n");
    let known = KnownHosts::parse(file.as_bytes());
    assert_eq!(known.len(), 1);
    let ignored: Vec<_> = known.ignored().iter().map(|i| (i.line, i.reason)).collect();
    assert_eq!(
        ignored,
        [(2, EntryError::Marker), (3, EntryError::Hosts), (4, EntryError::Key), (7, EntryError::NoKey),]
    );
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let mut file = vec![0xff, 0xfe, b' ', 0x80, b'\n'];
    file.extend_from_slice(format!("h {A} \u{e9}").as_bytes());
    file.push(0xff);
    let known = Arc::new(KnownHosts::parse(&file));
    let keys = HostKeys::new([], Some(known)).unwrap();
    assert_eq!(word(keys.judge("h", 22, Offered::Key(&key(A)), 0)), "accepted");
}

#[test]
fn a_pin_is_not_widened_by_known_hosts_but_a_revocation_counts() {
    let known = |text: &str| Some(Arc::new(KnownHosts::parse(text.as_bytes())));
    let (pin_a, revoked_b) = (A, format!("@revoked {B}"));
    for (pinned, file, offered, expected) in [
        (vec![pin_a], String::new(), A, "accepted"),
        (vec![pin_a], String::new(), B, "changed"),
        (vec![pin_a], format!("h {B}"), B, "changed"),
        (vec![pin_a], format!("@revoked h {A}"), A, "revoked"),
        (vec![revoked_b.as_str()], format!("h {B}"), B, "revoked"),
        (vec![revoked_b.as_str()], format!("h {A}"), A, "accepted"),
        (vec![pin_a, B], String::new(), B, "accepted"),
        (vec![pin_a, revoked_b.as_str()], String::new(), B, "revoked"),
    ] {
        let keys = HostKeys::new(pinned.iter().copied(), known(&file)).unwrap();
        let verdict = keys.judge("h", 22, Offered::Key(&key(offered)), 0);
        assert_eq!(word(verdict), expected, "{pinned:?} {file:?}");
    }
}

#[test]
fn a_pinned_key_that_cannot_be_read_is_an_error() {
    let error = HostKeys::new([A, "ssh-ed25519 nonsense"], None).unwrap_err();
    assert_eq!((error.number, error.reason), (2, EntryError::Key));
    assert!(HostKeys::new([""], None).is_err());
    assert!(HostKeys::new(["@what ssh-ed25519 AAAA"], None).is_err());
}

#[test]
fn an_unknown_key_is_named_by_its_fingerprint() {
    let keys = HostKeys::default();
    let error = keys.judge("h", 2222, Offered::Key(&key(A)), 0).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("[h]:2222"), "{text}");
    assert!(text.contains("ssh-ed25519 SHA256:"), "{text}");
}

#[test]
fn known_types_are_asked_for_first_and_certificates_only_where_an_authority_counts() {
    let names = |keys: &HostKeys| -> Vec<String> {
        let wanted = keys.wanted("h", 22);
        wanted.keys.iter().map(ToString::to_string).collect()
    };
    let known = |text: String| HostKeys::new([], Some(Arc::new(KnownHosts::parse(text.as_bytes())))).unwrap();
    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";
    assert_eq!(names(&HostKeys::default())[0], "ssh-ed25519");
    assert_eq!(names(&known(format!("h {ecdsa}")))[0], "ecdsa-sha2-nistp256");
    assert_eq!(names(&known(format!("other {ecdsa}")))[0], "ssh-ed25519");
    assert_eq!(names(&known(format!("h {ecdsa}"))).len(), 6);
    assert!(known(format!("h {A}")).wanted("h", 22).certificates.is_empty());
    assert!(known(format!("@cert-authority x {A}")).wanted("h", 22).certificates.is_empty());
    for marker in ["@cert-authority", "@revoked"] {
        let keys = known(format!("{marker} * {A}"));
        assert_eq!(keys.wanted("h", 22).certificates.len(), 6, "{marker}");
    }
}
