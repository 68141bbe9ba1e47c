//! Tables over every code and every sentence of SPEC 2 "Keys", "Install-only", "gpg-pubkey" and SPEC 3.

mod chain;
mod host;
mod incident;
mod kernel;
mod lock;
mod origin;
mod properties;
mod since;
pub(crate) mod story;
mod unjudged;
mod unlisted;
mod version;
