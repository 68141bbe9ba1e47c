//! The real observer, as an account without rights, over real runners and a canonical behind a real sshd: what it says
//! is exactly what was planted, and whatever is broken costs its own row or ends the run with one document.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod expected;
mod fleet;
mod forge;
mod interrupted;
mod observer;
mod refused;
mod site;
