//! Version specs: `>= 2.40, < 2.41`, with the semantics of RPM dependencies.

/// A parsed version spec. See SPEC "Version specs".
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
