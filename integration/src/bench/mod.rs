//! What observing costs, measured next to other ways of doing it.

pub mod bare;
