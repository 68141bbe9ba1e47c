//! Wire formats of Countersign: what people write into canonical and what programs exchange. Types and serde, no logic.
//!
//! Whatever people write refuses unknown keys. Formats carry `"schema": "countersign/NAME/MAJOR"`; fields may be added
//! within a major, never changed.

pub mod error;
pub mod fleet;
pub mod lock;
pub mod manifest;
pub mod policy;
pub mod report;
pub mod waiver;
pub mod why;
