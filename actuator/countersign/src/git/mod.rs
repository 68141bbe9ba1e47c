//! A person's clone: fetched, committed to and pushed with git as the person has set it up, read with libgit2.
//!
//! What the person has configured says who signs and how a server is reached. It never says what is made: commits are
//! made from trees without a checked-out tree, an index or a hook, and pushes name one commit and one branch.

mod commit;
mod repository;

pub(crate) use commit::{Files, Pushed};
pub(crate) use repository::Repository;
