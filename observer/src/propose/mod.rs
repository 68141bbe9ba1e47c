//! From the drift of a report to proposals: what would remove it, what the runner's dnf makes of that, and whether it
//! stands.
//!
//! Nothing is changed on a runner, and nothing leaves this machine: proposals are kept on the [`Shelf`].

mod attempt;
mod barred;
mod case;
mod risks;
mod shelf;
mod standing;
mod tried;

pub use attempt::propose;
pub use barred::barred;
pub use case::{Case, Member, Proposed};
pub use risks::{risks, unknown};
pub use shelf::{Shelf, ShelfError};
pub use standing::standings;
pub use tried::is_spent;

#[cfg(test)]
mod tests;
