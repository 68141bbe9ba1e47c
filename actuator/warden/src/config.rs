//! `warden.toml`: by what this runner judges. Strict: what is not understood is an error with its place.

use crate::owned::{self, Unowned};
use crate::store;
use countersign_shared::approval::allowed_signers::{AllowedSigners, AllowedSignersError};
use countersign_shared::canonical_json;
use countersign_shared::diagnostic::{Diagnostic, Severity, Source, closest};
use countersign_shared::duration::Span;
use countersign_shared::manifest::fleet::is_runner_name;
use countersign_shared::nevra::check_name;
use countersign_shared::warden::policy_digest;
use serde::Deserialize;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where it is, unless an administrator by hand says otherwise.
pub(crate) const DEFAULT_PATH: &str = "/etc/countersign/warden.toml";

/// Bytes of each file that decides.
const FILE_MAX: u64 = 4 << 20;
/// Every key.
pub(crate) const KEYS: &[&str] = &[
    "runner",
    "approvers",
    "notary_key",
    "revoked",
    "bots",
    "state_dir",
    "confirm_within",
    "max_age",
    "require_touch",
    "required",
    "protected",
    "protected_required",
    "halt_file",
    "drain",
    "undrain",
    "busy",
    "hook",
];

/// The file as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    runner: String,
    approvers: PathBuf,
    notary_key: PathBuf,
    revoked: Option<PathBuf>,
    #[serde(default)]
    bots: Vec<Machine>,
    #[serde(default = "state_dir")]
    state_dir: PathBuf,
    #[serde(default = "confirm_within")]
    confirm_within: Span,
    #[serde(default = "max_age")]
    max_age: Span,
    #[serde(default = "yes")]
    require_touch: bool,
    #[serde(default = "one")]
    required: u32,
    #[serde(default)]
    protected: Vec<String>,
    #[serde(default = "two")]
    protected_required: u32,
    #[serde(default = "halt_file")]
    halt_file: PathBuf,
    drain: Option<PathBuf>,
    undrain: Option<PathBuf>,
    busy: Option<PathBuf>,
    #[serde(default)]
    hook: HookMode,
}

/// A program's public key, as OpenSSH writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Machine(KeyData);

impl<'de> Deserialize<'de> for Machine {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = PublicKey::from_openssh(&text);
        let key = key.map_err(|_| serde::de::Error::custom("not a public key such as `ssh-ed25519 AAAA...`"))?;
        Ok(Self(key.key_data().clone()))
    }
}

fn state_dir() -> PathBuf {
    "/var/lib/countersign-warden".into()
}
fn confirm_within() -> Span {
    Span::from_secs(600)
}
fn max_age() -> Span {
    Span::from_secs(86_400)
}
const fn yes() -> bool {
    true
}
const fn one() -> u32 {
    1
}
const fn two() -> u32 {
    2
}
fn halt_file() -> PathBuf {
    "/etc/countersign/HALT".into()
}

/// What the hook does with a transaction that nobody approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HookMode {
    /// Nothing.
    #[default]
    Off,
    /// Writes it down.
    Audit,
    /// Refuses it, unless a break-glass is in force.
    Block,
}

/// What this runner judges by, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Its own name.
    pub(crate) runner: String,
    /// The people.
    pub(crate) approvers: AllowedSigners,
    /// The key that signs tokens.
    pub(crate) notary: KeyData,
    /// Keys that count for nothing.
    pub(crate) revoked: Vec<KeyData>,
    /// Keys of programs, the notary's among them: never a person, even when listed.
    pub(crate) bots: Vec<KeyData>,
    /// Where it remembers.
    pub(crate) state_dir: PathBuf,
    /// How long an application may stay unconfirmed.
    pub(crate) confirm_within: Duration,
    /// How old a proposal may be.
    pub(crate) max_age: Duration,
    /// Whether software keys do not count.
    pub(crate) require_touch: bool,
    /// Distinct people.
    pub(crate) required: u32,
    /// Package names that want more people.
    pub(crate) protected: Vec<String>,
    /// How many.
    pub(crate) protected_required: u32,
    /// A stop of this runner alone.
    pub(crate) halt_file: PathBuf,
    /// Takes the runner out of use.
    pub(crate) drain: Option<PathBuf>,
    /// Puts it back into use.
    pub(crate) undrain: Option<PathBuf>,
    /// Says by its exit status whether it is in use.
    pub(crate) busy: Option<PathBuf>,
    /// What everybody else may do.
    pub(crate) hook: HookMode,
    /// The file itself and every path that it names.
    pub(crate) paths: Vec<PathBuf>,
    /// sha256 of the files.
    pub(crate) digests: Digests,
}

/// sha256 of what decides, 64 hex digits: of the rules without the runner's name, and of each file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) policy: String,
    pub(crate) approvers: String,
    pub(crate) notary_key: String,
}

/// Why there is nothing to judge by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// Somebody else could have written it, or it cannot be read.
    #[error("what the warden judges by is not only root's")]
    Unowned(#[from] Unowned),
    /// A problem with its place.
    #[error("{}", one_line(.0))]
    File(Box<Diagnostic>),
    /// The people cannot be read.
    #[error("{} cannot be used", .0.display())]
    Approvers(PathBuf, #[source] AllowedSignersError),
    /// Not text.
    #[error("{} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// A key cannot be read.
    #[error("{} line {}: not a public key such as `ssh-ed25519 AAAA...`", .0.display(), .1)]
    Key(PathBuf, usize),
    /// No key, or several.
    #[error("{} must hold exactly one public key", .0.display())]
    NotOneKey(PathBuf),
}

fn one_line(problem: &Diagnostic) -> String {
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}: {}{hint}", problem.at(), problem.message)
}

impl Policy {
    /// Reads the file, and the files that it names.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = text(path)?;
        let file = parse(&path.to_string_lossy(), &text).map_err(ConfigError::File)?;
        let approvers_text = self::text(&file.approvers)?;
        let approvers = AllowedSigners::parse(&approvers_text)
            .map_err(|error| ConfigError::Approvers(file.approvers.clone(), error))?;
        let notary_text = self::text(&file.notary_key)?;
        let notary = match keys(&file.notary_key, &notary_text)?.as_slice() {
            [key] => key.clone(),
            _ => return Err(ConfigError::NotOneKey(file.notary_key.clone())),
        };
        let revoked = match &file.revoked {
            Some(path) => keys(path, &self::text(path)?)?,
            None => Vec::new(),
        };
        for program in [&file.drain, &file.undrain, &file.busy].into_iter().flatten() {
            owned::check(program)?;
        }
        let digest = |text: &str| canonical_json::sha256(text.as_bytes());
        let named = paths(&file).into_iter().filter_map(|(_, path)| path.cloned());
        Ok(Self {
            paths: named.chain([path.to_owned(), store::shown(&file.state_dir)]).collect(),
            runner: file.runner,
            approvers,
            bots: file.bots.into_iter().map(|Machine(key)| key).chain([notary.clone()]).collect(),
            notary,
            revoked,
            state_dir: file.state_dir,
            confirm_within: file.confirm_within.as_duration(),
            max_age: file.max_age.as_duration(),
            require_touch: file.require_touch,
            required: file.required,
            protected: file.protected,
            protected_required: file.protected_required,
            halt_file: file.halt_file,
            drain: file.drain,
            undrain: file.undrain,
            busy: file.busy,
            hook: file.hook,
            digests: Digests {
                policy: policy_digest(&text).unwrap_or_else(|| digest(&text)),
                approvers: digest(&approvers_text),
                notary_key: digest(&notary_text),
            },
        })
    }
}

/// Where the memory is, as far as a file says that cannot be used otherwise.
pub(crate) fn state_dir_of(path: &Path) -> PathBuf {
    let table = text(path).ok().and_then(|text| text.parse::<toml::Table>().ok());
    let written = table.as_ref().and_then(|table| table.get("state_dir")).and_then(toml::Value::as_str);
    written.map(PathBuf::from).filter(|path| path.is_absolute()).unwrap_or_else(state_dir)
}

fn text(path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(owned::read(path, FILE_MAX)?).map_err(|_| ConfigError::NotUtf8(path.to_owned()))
}

/// One public key per line; comments with `#`.
fn keys(path: &Path, text: &str) -> Result<Vec<KeyData>, ConfigError> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let key = PublicKey::from_openssh(line).map_err(|_| ConfigError::Key(path.to_owned(), number))?;
            Ok(key.key_data().clone())
        })
        .collect()
}

fn parse(name: &str, text: &str) -> Result<File, Box<Diagnostic>> {
    let source = Source::new(name, text);
    let file: File = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let hint = hint(text, &span, error.message());
        Box::new(source.diagnostic(Severity::Error, span, error.message(), Some(hint)))
    })?;
    check(&file).map_err(|(key, message, hint)| {
        Box::new(source.diagnostic(Severity::Error, place(text, key), message, Some(hint.to_owned())))
    })?;
    Ok(file)
}

fn hint(text: &str, span: &Range<usize>, message: &str) -> String {
    let word = text.get(span.clone()).unwrap_or_default();
    match closest(word, KEYS.iter().copied()) {
        Some(meant) if message.contains("unknown field") => format!("is `{meant}` meant?"),
        _ if message.contains("missing field") => "runner, approvers and notary_key must be there".to_owned(),
        _ => "countersign-warden(8) lists the keys".to_owned(),
    }
}

/// Where a key is written.
fn place(text: &str, key: &str) -> Range<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return start..start + line.trim_end().len();
        }
        start += line.len();
    }
    0..0
}

type Problem = (&'static str, String, &'static str);

/// Every path that is written in it, by its key.
fn paths(file: &File) -> [(&'static str, Option<&PathBuf>); 8] {
    [
        ("approvers", Some(&file.approvers)),
        ("notary_key", Some(&file.notary_key)),
        ("revoked", file.revoked.as_ref()),
        ("state_dir", Some(&file.state_dir)),
        ("halt_file", Some(&file.halt_file)),
        ("drain", file.drain.as_ref()),
        ("undrain", file.undrain.as_ref()),
        ("busy", file.busy.as_ref()),
    ]
}

fn check(file: &File) -> Result<(), Problem> {
    let wrong = |key, message: &str, hint| Err((key, message.to_owned(), hint));
    if !is_runner_name(&file.runner) {
        return wrong("runner", "not the name of a runner", "as in fleet.toml: [a-z0-9][a-z0-9.-]{0,62}");
    }
    if let Some((key, _)) = paths(file).into_iter().find(|(_, path)| path.is_some_and(|path| !path.is_absolute())) {
        return wrong(key, "not an absolute path", "write it from the root directory");
    }
    let limit = file.confirm_within.as_secs();
    if !(1..=86_400).contains(&limit) {
        return wrong("confirm_within", "not from 1s to 24h", "10m is the default");
    }
    if file.max_age.as_secs() == 0 {
        return wrong("max_age", "nothing would ever be new enough", "24h is the default");
    }
    if !(1..=100).contains(&file.required) {
        return wrong("required", "not from 1 to 100 people", "1 is the default");
    }
    if !(1..=100).contains(&file.protected_required) {
        return wrong("protected_required", "not from 1 to 100 people", "2 is the default");
    }
    if let Some(name) = file.protected.iter().find(|name| check_name(name).is_err()) {
        return Err(("protected", format!("{name:?} is not the name of a package"), "names alone, without version"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "runner = \"runner-04\"\napprovers = \"/etc/countersign/approvers\"\nnotary_key = \"/etc/countersign/notary.pub\"\n";

    #[test]
    fn the_defaults_are_the_safe_ones() {
        let file = parse("warden.toml", MINIMAL).unwrap();
        assert_eq!((file.confirm_within.as_secs(), file.max_age.as_secs()), (600, 86_400));
        assert_eq!((file.require_touch, file.required, file.protected_required), (true, 1, 2));
        assert_eq!((file.state_dir, file.hook), (state_dir(), HookMode::Off));
    }

    #[test]
    fn what_cannot_be_meant_has_its_place_and_a_hint() {
        for (line, at, word, hint) in [
            ("confirm_withn = \"5m\"", "warden.toml:4:1", "unknown field", "is `confirm_within` meant?"),
            ("confirm_within = \"5\"", "warden.toml:4:18", "not a length of time", "lists the keys"),
            ("confirm_within = \"2d\"", "warden.toml:4:1", "not from 1s to 24h", "10m"),
            ("max_age = \"0s\"", "warden.toml:4:1", "nothing would ever", "24h"),
            ("require_touch = \"no\"", "warden.toml:4:17", "expected a boolean", "lists the keys"),
            ("required = 0", "warden.toml:4:1", "not from 1 to 100", "1 is"),
            ("protected_required = 0", "warden.toml:4:1", "not from 1 to 100", "2 is"),
            ("protected = [\"glibc-*\"]", "warden.toml:4:1", "not the name of a package", "names alone"),
            ("bots = [\"ssh-ed25519 AAAA\"]", "warden.toml:4:8", "not a public key", "lists the keys"),
            ("busy = \"bin/busy\"", "warden.toml:4:1", "not an absolute path", "root directory"),
            ("hook = \"on\"", "warden.toml:4:8", "unknown variant", "lists the keys"),
            ("runner = \"x\"", "warden.toml:4:1", "duplicate key", "lists the keys"),
        ] {
            let problem = parse("warden.toml", &format!("{MINIMAL}{line}\n")).unwrap_err();
            assert_eq!(problem.at(), at, "{line}: {problem}");
            assert!(problem.message.contains(word), "{line}: {problem}");
            assert!(problem.hint.as_ref().is_some_and(|text| text.contains(hint)), "{line}: {problem}");
        }
        let problem = parse("warden.toml", "runner = \"A\"\napprovers = \"/a\"\nnotary_key = \"/b\"\n").unwrap_err();
        assert_eq!(problem.at(), "warden.toml:1:1");
        assert!(parse("warden.toml", "runner = \"a\"\n").unwrap_err().message.contains("missing field"));
    }
}
