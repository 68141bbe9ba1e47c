//! Version specs: `>= 2.40, < 2.41`, with the semantics of RPM dependencies.

use crate::evr::{Evr, ParseError, check_version, compare_version, split_epoch};
use std::cmp::Ordering;
use std::fmt;

/// Comparisons that one spec may have.
pub const MAX_BOUNDS: usize = 16;

/// A parsed version spec: bounds with the meaning of rpm dependencies, joined by commas; `*` = any.
///
/// Lower bounds first, then `=`, then upper bounds, without repetition: two specs that say the same in another order
/// are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionSpec {
    /// All must hold; empty = any version (`*`).
    pub bounds: Vec<Bound>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The comparison.
    pub operator: Operator,
    /// Exact epoch when written; otherwise the candidate's epoch is taken.
    pub epoch: Option<u32>,
    /// The version.
    pub version: String,
    /// The release; without one any release fits, for every operator.
    pub release: Option<String>,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Where a version lies in relation to a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Every comparison holds.
    Fits,
    /// Above an upper bound or an `=`.
    Above,
    /// Below a lower bound or an `=`.
    Below,
}

/// Why a text is not a version spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Nothing is written.
    #[error("the version spec is empty")]
    Empty,
    /// There is nothing between two commas, or after the last.
    #[error("a comparison is missing next to a comma")]
    EmptyBound,
    /// `!=` has no place in rpm's dependencies.
    #[error("`!=` is not a comparison of RPM dependencies")]
    NotEqual,
    /// A version without an operator.
    #[error("`{0}` has no operator")]
    Bare(String),
    /// Something that looks like an operator and is none.
    #[error("`{0}` is not an operator")]
    Operator(String),
    /// `*` next to comparisons.
    #[error("`*` stands alone: it fits every version")]
    AnyWithOthers,
    /// The text after the operator is not a version.
    #[error("`{0}` is not a version")]
    Version(String, #[source] ParseError),
    /// No version satisfies all comparisons.
    #[error("no version can satisfy `{0}`")]
    Unsatisfiable(String),
    /// More than [`MAX_BOUNDS`] comparisons.
    #[error("more than {MAX_BOUNDS} comparisons")]
    TooMany,
}

impl SpecError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            SpecError::Empty => "write `*` for any version".to_owned(),
            SpecError::EmptyBound => "remove the comma, or write `>= 1.2, < 2`".to_owned(),
            SpecError::NotEqual => "write the range that is wanted, such as `> 1.2` or `< 1.2`".to_owned(),
            SpecError::Bare(version) => format!("write `= {version}` or `>= {version}`"),
            SpecError::Operator(_) => "the operators are `=`, `<`, `<=`, `>` and `>=`".to_owned(),
            SpecError::AnyWithOthers => "remove `*` or the comparisons".to_owned(),
            SpecError::Version(_, cause) => format!("[epoch:]version[-release]: {cause}"),
            SpecError::Unsatisfiable(_) => "widen one of the comparisons, or write `absent`".to_owned(),
            SpecError::TooMany => "write a range of two comparisons".to_owned(),
        }
    }
}

impl Operator {
    /// The operator as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        }
    }

    /// Whether the comparison holds for a candidate that compares so with the bound.
    const fn holds(self, candidate: Ordering) -> bool {
        match self {
            Operator::Equal => candidate.is_eq(),
            Operator::Less => candidate.is_lt(),
            Operator::LessOrEqual => candidate.is_le(),
            Operator::Greater => candidate.is_gt(),
            Operator::GreaterOrEqual => candidate.is_ge(),
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Operator::GreaterOrEqual => 0,
            Operator::Greater => 1,
            Operator::Equal => 2,
            Operator::LessOrEqual => 3,
            Operator::Less => 4,
        }
    }
}

impl Bound {
    /// How the candidate compares with the bound, by what the bound says of epoch and release.
    fn compare(&self, candidate: &Evr<'_>) -> Ordering {
        self.epoch
            .map_or(Ordering::Equal, |epoch| candidate.epoch.cmp(&epoch))
            .then_with(|| compare_version(candidate.version, &self.version))
            .then_with(|| match &self.release {
                None => Ordering::Equal,
                Some(release) => compare_version(candidate.release, release),
            })
    }

    /// Whether the candidate fits this comparison.
    pub fn matches(&self, candidate: &Evr<'_>) -> bool {
        self.operator.holds(self.compare(candidate))
    }

    fn parse(text: &str) -> Result<Self, SpecError> {
        let is_sign = |c: char| "=<>!~^".contains(c);
        let end = text.find(|c| !is_sign(c)).unwrap_or(text.len());
        let (sign, rest) = text.split_at(end);
        let operator = match sign {
            "=" => Operator::Equal,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "!=" => return Err(SpecError::NotEqual),
            "" => return Err(SpecError::Bare(text.to_owned())),
            other => return Err(SpecError::Operator(other.to_owned())),
        };
        let rest = rest.trim();
        let bad = |cause| SpecError::Version(rest.to_owned(), cause);
        let (epoch, version) = split_epoch(rest).map_err(bad)?;
        let (version, release) = match version.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (version, None),
        };
        check_version("the version", version).map_err(bad)?;
        if let Some(release) = release {
            check_version("the release", release).map_err(bad)?;
        }
        Ok(Self { operator, epoch, version: version.to_owned(), release: release.map(str::to_owned) })
    }
}

impl VersionSpec {
    /// `*`: any version.
    pub const ANY: Self = Self { bounds: Vec::new() };

    /// Exactly this build, with its epoch written when it is not 0.
    pub fn exactly(evr: &Evr<'_>) -> Self {
        Self {
            bounds: vec![Bound {
                operator: Operator::Equal,
                epoch: (evr.epoch != 0).then_some(evr.epoch),
                version: evr.version.to_owned(),
                release: Some(evr.release.to_owned()),
            }],
        }
    }

    /// Reads `*` or comparisons with commas between them; a spec that nothing can satisfy is an error.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let text = text.trim();
        match text {
            "" => return Err(SpecError::Empty),
            "*" => return Ok(Self::ANY),
            _ => {}
        }
        let parts: Vec<&str> = text.split(',').map(str::trim).take(MAX_BOUNDS + 1).collect();
        if parts.len() > MAX_BOUNDS {
            return Err(SpecError::TooMany);
        }
        let mut bounds = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                "" => return Err(SpecError::EmptyBound),
                "*" => return Err(SpecError::AnyWithOthers),
                part => bounds.push(Bound::parse(part)?),
            }
        }
        let spec = Self::from_bounds(bounds);
        if spec.is_empty() {
            return Err(SpecError::Unsatisfiable(spec.to_string()));
        }
        Ok(spec)
    }

    /// A spec of these comparisons, sorted and without repetition; it may be unsatisfiable.
    pub fn from_bounds(mut bounds: Vec<Bound>) -> Self {
        bounds.sort_by(|a, b| {
            (a.operator.rank(), a.epoch, &a.version, &a.release).cmp(&(
                b.operator.rank(),
                b.epoch,
                &b.version,
                &b.release,
            ))
        });
        bounds.dedup();
        Self { bounds }
    }

    /// Whether any version fits.
    pub fn is_any(&self) -> bool {
        self.bounds.is_empty()
    }

    /// Whether the candidate fits.
    pub fn matches(&self, candidate: &Evr<'_>) -> bool {
        self.bounds.iter().all(|bound| bound.matches(candidate))
    }

    /// Where the candidate lies.
    ///
    /// A satisfiable spec can fail on both sides only when one of the failing comparisons names an epoch and the
    /// other does not; the named epoch then decides, because it comes first in rpm's order.
    pub fn position(&self, candidate: &Evr<'_>) -> Position {
        let failing = || self.bounds.iter().filter(|b| !b.matches(candidate));
        let decisive = failing().find(|bound| bound.epoch.is_some()).or_else(|| failing().next());
        match decisive {
            None => Position::Fits,
            Some(bound) if bound.compare(candidate).is_lt() => Position::Below,
            Some(bound) if bound.compare(candidate).is_gt() => Position::Above,
            // `<` and `>` also fail on their own limit.
            Some(bound) if bound.operator == Operator::Less => Position::Above,
            Some(_) => Position::Below,
        }
    }

    /// Whether no version at all fits.
    ///
    /// rpm's order of versions is dense and without ends: between `v` and any greater `w` lies `v^` followed by enough
    /// `~`, above `v` lies a greater number, below it `~` in front. So it is enough to try, for each epoch that
    /// matters, each written version and each gap between written versions, and the same for releases.
    pub fn is_empty(&self) -> bool {
        let versions = ladder(self.bounds.iter().map(|b| b.version.as_str()));
        let releases = ladder(self.bounds.iter().filter_map(|b| b.release.as_deref()));
        let epochs = self
            .bounds
            .iter()
            .filter_map(|b| b.epoch)
            .flat_map(|e| [e.checked_sub(1), Some(e), e.checked_add(1)])
            .flatten()
            .chain([0]);
        let steps: Vec<Step> = self
            .bounds
            .iter()
            .map(|bound| Step {
                operator: bound.operator,
                epoch: bound.epoch,
                version: rung(&versions, &bound.version),
                release: bound.release.as_deref().map(|r| rung(&releases, r)),
            })
            .collect();
        for epoch in epochs {
            for version in 0..=2 * versions.len() {
                for release in 0..=2 * releases.len() {
                    if steps.iter().all(|s| s.holds(epoch, version, release)) {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// A bound whose version and release are rungs: odd for a written one, even for the gap below the next.
struct Step {
    operator: Operator,
    epoch: Option<u32>,
    version: usize,
    release: Option<usize>,
}

impl Step {
    fn holds(&self, epoch: u32, version: usize, release: usize) -> bool {
        self.operator.holds(
            self.epoch
                .map_or(Ordering::Equal, |own| epoch.cmp(&own))
                .then(version.cmp(&self.version))
                .then(self.release.map_or(Ordering::Equal, |own| release.cmp(&own))),
        )
    }
}

/// The written versions in rpm's order, equal ones once.
fn ladder<'a>(written: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ladder: Vec<&str> = written.collect();
    ladder.sort_by(|a, b| compare_version(a, b));
    ladder.dedup_by(|a, b| compare_version(a, b).is_eq());
    ladder
}

fn rung(ladder: &[&str], written: &str) -> usize {
    2 * ladder.partition_point(|other| compare_version(other, written).is_lt()) + 1
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.operator.as_str())?;
        if let Some(epoch) = self.epoch {
            write!(f, "{epoch}:")?;
        }
        f.write_str(&self.version)?;
        if let Some(release) = &self.release {
            write!(f, "-{release}")?;
        }
        Ok(())
    }
}

/// As people write it: `*`, or `>= 2.40, < 2.41`.
impl fmt::Display for VersionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bounds.is_empty() {
            return f.write_str("*");
        }
        for (index, bound) in self.bounds.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            bound.fmt(f)?;
        }
        Ok(())
    }
}
