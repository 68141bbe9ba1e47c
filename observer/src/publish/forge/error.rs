//! One variant per way in which a forge can say no.

use super::token::TokenError;

/// Why something did not happen at the forge. `detail` is the forge's own message: bounded, escaped, without the token.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// `[forge]` cannot be used as it is.
    #[error("[forge] cannot be used: {0}")]
    Configuration(String),
    /// There is no token.
    #[error("there is no token for the forge")]
    Token(#[source] TokenError),
    /// The file with the certificates of the own authority cannot be used.
    #[error("the certificates in ca_file cannot be used")]
    Authority(#[source] std::io::Error),
    /// No connection, or no TLS.
    #[error("{doing}: the forge cannot be reached: {detail}")]
    Unreachable {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        detail: String,
    },
    /// No answer in time.
    #[error("{doing}: the forge did not answer in time")]
    TimedOut {
        /// What was tried.
        doing: &'static str,
    },
    /// 401.
    #[error("{doing}: the forge does not know the token, or it has expired: {detail}")]
    Unauthorized {
        /// What was tried.
        doing: &'static str,
        /// The forge's message.
        detail: String,
    },
    /// 403.
    #[error("{doing}: the token may not do that: {detail}")]
    Forbidden {
        /// What was tried.
        doing: &'static str,
        /// The forge's message.
        detail: String,
    },
    /// 404.
    #[error("{doing}: the forge knows no such thing, or does not show it to this token")]
    NotFound {
        /// What was tried.
        doing: &'static str,
    },
    /// 409.
    #[error("{doing}: the forge has something else there already: {detail}")]
    Conflict {
        /// What was tried.
        doing: &'static str,
        /// The forge's message.
        detail: String,
    },
    /// 412 and 422.
    #[error("{doing}: the forge does not accept it: {detail}")]
    Invalid {
        /// What was tried.
        doing: &'static str,
        /// The forge's message.
        detail: String,
    },
    /// 413 and 423: the quota is used up, or the repository is archived.
    #[error("{doing}: the repository takes nothing any more: {detail}")]
    Closed {
        /// What was tried.
        doing: &'static str,
        /// The forge's message.
        detail: String,
    },
    /// 429, or 403 that says to wait.
    #[error("{doing}: the forge asks to wait {seconds} s before the next request")]
    RateLimited {
        /// What was tried.
        doing: &'static str,
        /// How long.
        seconds: u64,
    },
    /// 5xx, also after it was tried again.
    #[error("{doing}: the forge failed with status {status}")]
    Server {
        /// What was tried.
        doing: &'static str,
        /// The status.
        status: u16,
    },
    /// Another status, a redirect among them.
    #[error("{doing}: the forge answered with status {status}, which is not known here")]
    Unexpected {
        /// What was tried.
        doing: &'static str,
        /// The status.
        status: u16,
    },
    /// The body is too large, or is not what the API promises.
    #[error("{doing}: the forge's answer is not what its API promises: {detail}")]
    Malformed {
        /// What was tried.
        doing: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl ForgeError {
    /// Stable, lower-case with dashes.
    pub fn code(&self) -> &'static str {
        match self {
            ForgeError::Configuration(_) => "forge-configuration",
            ForgeError::Token(_) => "forge-token",
            ForgeError::Authority(_) => "forge-ca",
            ForgeError::Unreachable { .. } => "forge-unreachable",
            ForgeError::TimedOut { .. } => "forge-timeout",
            ForgeError::Unauthorized { .. } => "forge-unauthorized",
            ForgeError::Forbidden { .. } => "forge-forbidden",
            ForgeError::NotFound { .. } => "forge-not-found",
            ForgeError::Conflict { .. } => "forge-conflict",
            ForgeError::Invalid { .. } => "forge-invalid",
            ForgeError::Closed { .. } => "forge-closed",
            ForgeError::RateLimited { .. } => "forge-rate-limited",
            ForgeError::Server { .. } => "forge-server",
            ForgeError::Unexpected { .. } => "forge-unexpected",
            ForgeError::Malformed { .. } => "forge-malformed",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ForgeError::Configuration(_) => {
                "api is https://HOST/api/v1, or https://api.github.com; repository is OWNER/NAME"
            }
            ForgeError::Token(error) => error.hint(),
            ForgeError::Authority(_) => "ca_file holds certificates in PEM form",
            ForgeError::Unreachable { .. } => {
                "check api and ca_file in [forge]; branches are pushed, the next run goes on"
            }
            ForgeError::TimedOut { .. } | ForgeError::Server { .. } => {
                "branches are pushed, and the next run goes on; look at the forge if it stays so"
            }
            ForgeError::Unauthorized { .. } => {
                "have the forge make a new token for this account, and put it into token_file"
            }
            ForgeError::Forbidden { .. } => {
                "the token needs: read the user, read the repository, write issues and pull requests"
            }
            ForgeError::NotFound { .. } => "check repository in [forge], and that the account may read it",
            ForgeError::Conflict { .. } => "the next run looks at what is there and goes on with it",
            ForgeError::Invalid { .. } => "look at the repository's settings for pull requests and labels",
            ForgeError::Closed { .. } => "take the repository out of the archive, or give it more room",
            ForgeError::RateLimited { .. } => "the next run goes on; run less often if it stays so",
            ForgeError::Unexpected { .. } => "api must be the address itself: redirects are not followed with a token",
            ForgeError::Malformed { .. } => "check kind and api in [forge], and what stands in front of the forge",
        }
    }
}
