//! Epoch, version and release of a package, in rpm's order.

use std::cmp::Ordering;
use std::fmt;

/// Epoch-version-release, borrowed from the text that it was read from.
///
/// `Eq` is identity of the text, so `1.0` and `1.00` differ; [`Evr::cmp_rpm`] is rpm's order, in which they are equal.
/// `Ord` is rpm's order with the text as tie-break, so that `Ord` and `Eq` agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Evr<'a> {
    /// 0 when the package has none, as rpm treats it (`%{epochnum}`).
    pub epoch: u32,
    /// `%{version}`.
    pub version: &'a str,
    /// `%{release}`.
    pub release: &'a str,
}

/// Why a text is not an EVR or a NEVRA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The epoch is not a number from 0 to 4294967295.
    #[error("the epoch is not a number from 0 to 4294967295")]
    Epoch,
    /// A part is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A part has a character that rpm does not allow there.
    #[error("{0} has the character {1:?}, which rpm does not allow there")]
    Character(&'static str, char),
    /// There is no `-` or `.` where the form needs one.
    #[error("not of the form {0}")]
    Form(&'static str),
}

impl<'a> Evr<'a> {
    /// Reads `[epoch:]version-release`.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let (epoch, rest) = split_epoch(text)?;
        let (version, release) = rest.rsplit_once('-').ok_or(ParseError::Form("[epoch:]version-release"))?;
        Self::new(epoch.unwrap_or(0), version, release)
    }

    /// Checks the parts as `rpmbuild` does.
    pub fn new(epoch: u32, version: &'a str, release: &'a str) -> Result<Self, ParseError> {
        check_version("the version", version)?;
        check_version("the release", release)?;
        Ok(Self { epoch, version, release })
    }

    /// rpm's own order (`rpmVersionCompare`), under which different texts may be equal.
    pub fn cmp_rpm(&self, other: &Evr<'_>) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_version(self.version, other.version))
            .then_with(|| compare_version(self.release, other.release))
    }
}

/// rpm's `rpmvercmp` over one version or one release.
pub fn compare_version(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    rpm_version::Evr::new("", a, "").cmp(&rpm_version::Evr::new("", b, ""))
}

/// Splits a leading `epoch:` off; `None` when the text has none.
pub fn split_epoch(text: &str) -> Result<(Option<u32>, &str), ParseError> {
    match text.split_once(':') {
        None => Ok((None, text)),
        Some((epoch, rest)) => {
            let digits = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
            let epoch = epoch.parse().ok().filter(|_| digits).ok_or(ParseError::Epoch)?;
            Ok((Some(epoch), rest))
        }
    }
}

/// Letters, digits and `._+~^`: what rpm accepts in a version or release since 4.16.
pub fn check_version(what: &'static str, text: &str) -> Result<(), ParseError> {
    if text.is_empty() {
        return Err(ParseError::Empty(what));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !"._+~^".contains(*c)) {
        Some(c) => Err(ParseError::Character(what, c)),
        None => Ok(()),
    }
}

impl Ord for Evr<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_rpm(other).then_with(|| self.version.cmp(other.version)).then_with(|| self.release.cmp(other.release))
    }
}

impl PartialOrd for Evr<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `version-release`, with `epoch:` in front unless it is 0.
impl fmt::Display for Evr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 {
            write!(f, "{}:", self.epoch)?;
        }
        write!(f, "{}-{}", self.version, self.release)
    }
}
