//! The desired package state: loading, merging and checking what people wrote.

pub mod effective;
pub mod version;
