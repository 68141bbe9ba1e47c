//! The commands.

mod enroll;
mod halt;
mod ledger;
mod plan;
mod review;
mod show;
mod status;

pub use enroll::{Form, enroll};
pub use halt::halt;
pub use ledger::{show as ledger_show, verify as ledger_verify};
pub use plan::plan;
pub use review::review;
pub use status::status;

pub(crate) use plan::{halt_outcome, halted, is_settled, planned};
pub(crate) use show::{json, plan as shown};
