//! The commands.

mod halt;
mod plan;
mod review;
mod show;
mod status;

pub use halt::halt;
pub use plan::plan;
pub use review::review;
pub use status::status;
