//! Questions about a change that is wanted: what the repositories offer, and what the runner's own solver makes of it.

use std::collections::BTreeSet;

use super::request::{MAGIC, Nonce, REQUEST_MAX, RequestError, is_plain};
use crate::nevra::Nevra;

/// Packages that one request may name.
pub const PLAN_MAX: usize = 2048;

/// Packages that one request may have solved one by one.
pub const EACH_MAX: usize = 64;

/// What is to happen to a package, in dnf5's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// It is to be there, beside what is.
    Install,
    /// It is to be there instead of an older one.
    Upgrade,
    /// It is to be there instead of a newer one.
    Downgrade,
    /// It is to go.
    Remove,
}

impl Verb {
    /// dnf5's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Install => "install",
            Verb::Upgrade => "upgrade",
            Verb::Downgrade => "downgrade",
            Verb::Remove => "remove",
        }
    }

    /// Whether a package comes.
    pub const fn is_incoming(self) -> bool {
        !matches!(self, Verb::Remove)
    }
}

/// One wanted change of exactly one package build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    nevra: String,
    verb: Verb,
}

impl Want {
    /// `nevra` is `name-[epoch:]version-release.arch` of letters, digits and `._+:~^-`, a letter or digit first.
    pub fn new(verb: Verb, nevra: &str) -> Result<Self, RequestError> {
        Ok(Self { nevra: checked(nevra)?, verb })
    }

    /// What is to happen.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// `name-[epoch:]version-release.arch`, epoch 0 left out.
    pub fn nevra(&self) -> &str {
        &self.nevra
    }
}

/// A question about a change, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    nonce: Nonce,
    text: String,
}

impl PlanRequest {
    /// Which repositories offer these packages, and which of them are installed; with `digests` also the sha256 of
    /// each file that is offered.
    pub fn offers<'a>(
        nonce: Nonce,
        nevras: impl IntoIterator<Item = &'a str>,
        digests: bool,
    ) -> Result<Self, RequestError> {
        let nevras: BTreeSet<String> = nevras.into_iter().map(checked).collect::<Result<_, _>>()?;
        let options = if digests { "digests yes\n" } else { "" };
        Self::assemble(nonce, "offers", options, nevras.iter().map(|nevra| ("offer", nevra.as_str())), PLAN_MAX)
    }

    /// Which builds of these packages the repositories offer, by name.
    pub fn candidates<'a>(nonce: Nonce, names: impl IntoIterator<Item = &'a str>) -> Result<Self, RequestError> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(RequestError::Name(name.chars().take(300).collect()));
        }
        Self::assemble(nonce, "offers", "", names.into_iter().map(|name| ("any", name)), PLAN_MAX)
    }

    /// What it would take to do all of it at once. `erasing` lets the solver remove what is in the way.
    pub fn solve(nonce: Nonce, wants: &[Want], erasing: bool) -> Result<Self, RequestError> {
        Self::wanted(nonce, "solve", wants, erasing, PLAN_MAX)
    }

    /// What it would take to do each of it alone.
    pub fn each(nonce: Nonce, wants: &[Want], erasing: bool) -> Result<Self, RequestError> {
        Self::wanted(nonce, "each", wants, erasing, EACH_MAX)
    }

    fn wanted(nonce: Nonce, way: &str, wants: &[Want], erasing: bool, most: usize) -> Result<Self, RequestError> {
        let options = if erasing { "erasing yes\n" } else { "" };
        let items = wants.iter().map(|want| (want.verb.as_str(), want.nevra.as_str()));
        Self::assemble(nonce, way, options, items, most)
    }

    fn assemble<'a>(
        nonce: Nonce,
        way: &str,
        options: &str,
        items: impl Iterator<Item = (&'a str, &'a str)>,
        most: usize,
    ) -> Result<Self, RequestError> {
        let mut text = format!("{MAGIC} request\nnonce {nonce}\nplan {way}\n{options}");
        let mut count = 0;
        for (key, nevra) in items {
            count += 1;
            text.extend([key, " ", nevra, "\n"]);
        }
        text.push_str("end\n");
        if count > most {
            return Err(RequestError::TooMany(count));
        }
        if text.len() > REQUEST_MAX {
            return Err(RequestError::TooLong(text.len()));
        }
        Ok(Self { nonce, text })
    }

    /// The nonce that the answer must carry.
    pub fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The bytes for the probe's stdin; the end of input must follow them.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// The normal form of a package that may be sent.
fn checked(nevra: &str) -> Result<String, RequestError> {
    let refused = || RequestError::Name(nevra.chars().take(300).collect());
    if nevra.len() > 250 || !is_plain(nevra) {
        return Err(refused());
    }
    Nevra::parse(nevra).map(|nevra| nevra.to_string()).map_err(|_| refused())
}

/// A name without anything that makes a version of it.
fn is_name(name: &str) -> bool {
    name.len() <= 128 && is_plain(name) && !name.contains([':', '~', '^'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([0xab; 16])
    }

    #[test]
    fn a_request_says_what_is_wanted_and_nothing_else() {
        let wants = [
            Want::new(Verb::Downgrade, "llvm-0:19.1.0-1.fc41.x86_64").unwrap(),
            Want::new(Verb::Remove, "gcc-toolset-13-13.0-2.fc41.noarch").unwrap(),
        ];
        let request = PlanRequest::solve(nonce(), &wants, true).unwrap();
        assert_eq!(
            std::str::from_utf8(request.as_bytes()).unwrap(),
            "countersign-probe/1 request\nnonce abababababababababababababababab\nplan solve\nerasing yes\n\
             downgrade llvm-19.1.0-1.fc41.x86_64\nremove gcc-toolset-13-13.0-2.fc41.noarch\nend\n"
        );
        let request = PlanRequest::offers(nonce(), ["b-2:1-1.noarch", "a-1-1.noarch", "a-0:1-1.noarch"], true).unwrap();
        assert!(
            String::from_utf8_lossy(request.as_bytes())
                .ends_with("\nplan offers\ndigests yes\noffer a-1-1.noarch\noffer b-2:1-1.noarch\nend\n")
        );
    }

    #[test]
    fn only_whole_plain_packages_are_sent() {
        for nevra in [
            "",
            "llvm",
            "llvm-19.1.0",
            "llvm-19.1.0-1",
            "-y-1-1.noarch",
            "--setopt=a-1-1.noarch",
            "/tmp/a-1-1.noarch",
            "./a-1-1.noarch.rpm",
            "a*-1-1.noarch",
            "@a-1-1.noarch",
            "a-1-1.noarch b-1-1.noarch",
            "a-1-1.noarch\nerasing yes",
            "_a-1-1.noarch",
            "a-$(id)-1.noarch",
        ] {
            assert!(Want::new(Verb::Install, nevra).is_err(), "{nevra:?}");
            assert!(PlanRequest::offers(nonce(), [nevra], false).is_err(), "{nevra:?}");
        }
        let long = format!("{}-1-1.noarch", "a".repeat(250));
        assert!(Want::new(Verb::Install, &long).is_err());
    }

    #[test]
    fn candidates_are_asked_for_by_plain_names() {
        let request = PlanRequest::candidates(nonce(), ["llvm", "gtk+extra", "llvm"]).unwrap();
        assert!(String::from_utf8_lossy(request.as_bytes()).ends_with("\nplan offers\nany gtk+extra\nany llvm\nend\n"));
        for name in ["", "-y", "--setopt=a", "/etc/passwd", "a*", "a b", "a\nend", "@a", "_a", "a:b", "$(id)", "a/b"] {
            assert!(PlanRequest::candidates(nonce(), [name]).is_err(), "{name:?}");
        }
        let names: Vec<String> = (0..=PLAN_MAX).map(|n| format!("p{n}")).collect();
        let many = PlanRequest::candidates(nonce(), names.iter().map(String::as_str));
        assert_eq!(many, Err(RequestError::TooMany(PLAN_MAX + 1)));
    }

    #[test]
    fn requests_are_bounded() {
        let wants: Vec<Want> =
            (0..=EACH_MAX).map(|n| Want::new(Verb::Install, &format!("p{n}-1-1.noarch")).unwrap()).collect();
        assert_eq!(PlanRequest::each(nonce(), &wants, false), Err(RequestError::TooMany(EACH_MAX + 1)));
        assert!(PlanRequest::solve(nonce(), &wants, false).is_ok());
    }
}
