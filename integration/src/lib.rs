//! Everything that needs more than one program: the lab of real runners, the embedded fleet, the demo, end-to-end tests.

pub mod lab;
