//! Tables over every code, and over what is special: keys with an architecture, install-only packages, gpg-pubkey.

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
