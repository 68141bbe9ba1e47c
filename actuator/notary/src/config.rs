//! `notary.toml`: where the notary lives, who may ask it, and within which budgets.

use crate::peer::{Allowed, Directory};
use countersign_manifests_schema::policy::BreakerTable;
use countersign_shared::approval::people::read_keys;
use countersign_shared::diagnostic::{Severity, Source};
use countersign_shared::terminal::{Failure, Place};
use serde::Deserialize;
use ssh_key::public::KeyData;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/countersign/notary.toml";

/// The whole file, with paths made absolute and accounts as numbers.
#[derive(Debug, Clone)]
pub struct Config {
    /// The unix socket.
    pub socket: PathBuf,
    /// What was burned, the clock's mark, and the halt.
    pub state_dir: PathBuf,
    /// The key that signs tokens.
    pub signing_key: PathBuf,
    /// The people, in OpenSSH's allowed_signers format.
    pub approvers: PathBuf,
    /// Keys that count no more.
    pub revoked: Option<PathBuf>,
    /// Keys of machines: never a person.
    pub bots: Vec<KeyData>,
    /// Who may ask for nonces, leases, orders and a halt.
    pub operators: Vec<Allowed>,
    /// Who may ask for tokens.
    pub actuator_uid: u32,
    /// Whether leases and orders need a touched security key.
    pub require_touch: bool,
    /// The budgets.
    pub breaker: BreakerTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default = "default_socket")]
    socket: PathBuf,
    #[serde(default = "default_state_dir")]
    state_dir: PathBuf,
    signing_key: PathBuf,
    #[serde(default = "default_approvers")]
    approvers: PathBuf,
    revoked: Option<PathBuf>,
    #[serde(default)]
    bots: Vec<Spanned<String>>,
    operators: Spanned<Vec<Spanned<String>>>,
    actuator_uid: Spanned<u32>,
    #[serde(default = "yes")]
    require_touch: bool,
    #[serde(default)]
    breaker: BreakerTable,
}

fn default_socket() -> PathBuf {
    "/run/countersign/notary.sock".into()
}

fn default_state_dir() -> PathBuf {
    "/var/lib/countersign-notary".into()
}

fn default_approvers() -> PathBuf {
    "/etc/countersign/approvers".into()
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads and checks the file; relative paths are relative to it. Accounts with names are looked up on this machine.
    pub fn load(path: &Path) -> Result<Self, Box<Failure>> {
        let unreadable = |error: std::io::Error| {
            Failure::of("config", &error)
                .at(Place::File(path.display().to_string()))
                .hint("--config names another file")
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let base = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, &path.display().to_string(), base, &Directory::of_this_machine())
    }

    /// Parses the text of `file`.
    pub fn parse(text: &str, file: &str, base: &Path, accounts: &Directory) -> Result<Self, Box<Failure>> {
        let source = Source::new(file, text);
        let wrong = |span: std::ops::Range<usize>, message: String, hint: &str| {
            Box::new(Failure::from(&source.diagnostic(Severity::Error, span, message, Some(hint.to_owned()))))
        };
        let read: ConfigFile = toml::from_str(text).map_err(|error| {
            wrong(error.span().unwrap_or(0..0), error.message().to_owned(), "notary.toml is described in the man page")
        })?;
        if read.operators.get_ref().is_empty() {
            return Err(wrong(
                read.operators.span(),
                "nobody may take a lease".to_owned(),
                "operators = [\"gid:wheel\"]",
            ));
        }
        let mut operators = Vec::new();
        for operator in read.operators.get_ref() {
            let parsed = Allowed::parse(operator.get_ref(), accounts);
            operators.push(parsed.map_err(|error| wrong(operator.span(), error.to_string(), error.hint()))?);
        }
        let actuator_uid = *read.actuator_uid.get_ref();
        if operators.contains(&Allowed::User(actuator_uid)) {
            let message = "the actuator's account is also an operator".to_owned();
            return Err(wrong(read.actuator_uid.span(), message, "who applies does not decide: name two accounts"));
        }
        let mut bots = Vec::new();
        for bot in &read.bots {
            match read_keys(bot.get_ref()) {
                Ok(keys) if keys.len() == 1 => bots.extend(keys),
                _ => return Err(wrong(bot.span(), "not a public key".to_owned(), "write it as in a .pub file")),
            }
        }
        Ok(Self {
            socket: base.join(read.socket),
            state_dir: base.join(read.state_dir),
            signing_key: base.join(read.signing_key),
            approvers: base.join(read.approvers),
            revoked: read.revoked.map(|path| base.join(path)),
            bots,
            operators,
            actuator_uid,
            require_touch: read.require_touch,
            breaker: read.breaker,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_shared::terminal::Palette;

    const MINIMAL: &str =
        "signing_key = \"keys/notary\"\noperators = [\"gid:wheel\", \"uid:1000\"]\nactuator_uid = 986\n";

    fn parse(text: &str) -> Result<Config, Box<Failure>> {
        let accounts = Directory::of("root:x:0:0::/:/bin/sh\nops:x:1001:1001::/:/bin/sh\n", "wheel:x:10:ops\n");
        Config::parse(text, "notary.toml", Path::new("/etc/countersign"), &accounts)
    }

    #[test]
    fn paths_are_relative_to_the_file_and_defaults_are_the_safe_ones() {
        let config = parse(MINIMAL).unwrap();
        assert_eq!(config.signing_key, Path::new("/etc/countersign/keys/notary"));
        assert_eq!(config.socket, Path::new("/run/countersign/notary.sock"));
        assert_eq!(config.state_dir, Path::new("/var/lib/countersign-notary"));
        assert_eq!(config.approvers, Path::new("/etc/countersign/approvers"));
        assert_eq!(config.operators, [Allowed::Group(10), Allowed::User(1000)]);
        assert!(config.require_touch);
        assert_eq!(config.breaker, BreakerTable::default());
        let named = parse(&MINIMAL.replace("uid:1000", "uid:ops")).unwrap();
        assert_eq!(named.operators[1], Allowed::User(1001));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place_and_a_hint() {
        let mut shown = String::new();
        for (from, to) in [
            ("actuator_uid", "actuator_user"),
            ("\"uid:1000\"", "\"uid:nobody-here\""),
            ("\"gid:wheel\"", "\"wheel\""),
            ("\"gid:wheel\", \"uid:1000\"", ""),
            ("\"uid:1000\"", "\"uid:986\""),
            ("986", "\"986\""),
            ("986\n", "986\nbots = [\"ssh-ed25519 x\"]\n"),
            ("986\n", "986\n[breaker]\nfailurs = 2\n"),
        ] {
            let text = MINIMAL.replace(from, to);
            assert_ne!(text, MINIMAL, "the table must change something: {from}");
            shown.push_str(&parse(&text).unwrap_err().text(100, Palette::Plain));
            shown.push('\n');
        }
        insta::assert_snapshot!(shown);
    }
}
