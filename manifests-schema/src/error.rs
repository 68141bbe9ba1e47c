//! `countersign/error/1`: the one JSON document of a command that failed before it had anything else to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `schema` of [`ErrorDocument`].
pub const ERROR_SCHEMA: &str = "countersign/error/1";

/// A failed command, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDocument {
    /// Always [`ERROR_SCHEMA`].
    pub schema: String,
    /// Stable, lower-case with dashes.
    pub code: String,
    /// What failed, with the chain of causes.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// `file:line:column`, a runner's name, or nothing.
    pub at: Option<String>,
}
