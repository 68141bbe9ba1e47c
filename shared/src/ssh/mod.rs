//! SSH as the observer and the actuator use it: one connection, one command, and a judgement of what else the key
//! could do.
//!
//! What is in here cannot be switched off by a caller: the server's host key is judged as OpenSSH judges it and never
//! trusted on first use ([`host_keys`]), an authentication is tried once, every phase has a timeout, and output is
//! bounded. What is not in here: reading `~/.ssh/config`, passwords, forwarding anything to the server.

mod algorithms;
mod authentication;
mod bastions;
mod connector;
mod error;
mod gates;
mod guard;
pub mod host_keys;
mod identity;
mod lifeline;
mod output;
mod reach;
mod remote_text;
mod session;
mod target;
mod targets;

pub use connector::{Connector, ConnectorConfig};
pub use error::{Bound, Phase, SshError};
pub use identity::{Identity, IdentityError};
pub use output::{Ended, Exit, Limits, Output, Sink};
pub use reach::{Attempt, Finding};
pub use remote_text::RemoteText;
pub use session::Session;
pub use target::{Bastion, Endpoint, Target};
pub use targets::Targets;

/// The SSH key types used throughout; another version of the same crate would be incompatible.
pub use russh::keys::ssh_key;
