//! From drift on real runners to pull requests, to a person's merge, to runners in line again: the observer as it is
//! shipped, real dnf5 and dnf4, git over real ssh, and a forge that knows nothing of the observer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise, and says what it found"
)]

#[path = "../observe/forge.rs"]
mod forge;
#[path = "../observe/observer.rs"]
#[expect(dead_code, reason = "runs here go to their end")]
mod observer;
#[path = "../observe/site.rs"]
#[expect(dead_code, reason = "everything is by one person here")]
mod site;

mod class;
mod house;
