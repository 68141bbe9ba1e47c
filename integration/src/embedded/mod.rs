//! The embedded fleet: fake runners inside this process, for the demo, for scripted faults and for scale.
//!
//! It is a fake. Behind each SSH server there is no machine but a [`machine::FakeMachine`] in memory, and no probe but
//! [`answer`], which writes what the real probe would have written there. What a real machine does is shown in the lab.

pub mod acting;
pub mod answer;
pub mod catalog;
pub mod command;
pub mod fault;
pub mod git_daemon;
pub mod incident;
pub mod machine;
mod names;
mod request;
pub mod server;
mod session;
pub mod site;
mod solver;
pub mod warden;
