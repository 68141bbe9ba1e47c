//! Wire formats of Countersign: what people write into canonical and what programs exchange. Types and serde, no logic.
//!
//! Whatever people write refuses unknown keys. Formats carry `"schema": "countersign/NAME/MAJOR"`; fields may be added
//! within a major, never changed.

pub mod bundle;
pub mod error;
pub mod fleet;
pub mod lease;
pub mod ledger;
pub mod lock;
pub mod manifest;
pub mod notary;
pub mod person;
pub mod plan;
pub mod policy;
pub mod proposal;
pub mod report;
pub mod token;
pub mod transaction;
pub mod waiver;
pub mod warden;
pub mod why;

/// The JSON Schema of each format, by name.
pub const SCHEMAS: &[(&str, &str)] = &[
    ("act", include_str!("../schemas/act-1.json")),
    ("bundle", include_str!("../schemas/bundle-1.json")),
    ("drift-report", include_str!("../schemas/drift-report-1.json")),
    ("error", include_str!("../schemas/error-1.json")),
    ("fleet", include_str!("../schemas/fleet-1.json")),
    ("lease", include_str!("../schemas/lease-1.json")),
    ("ledger", include_str!("../schemas/ledger-1.json")),
    ("lock", include_str!("../schemas/lock-1.json")),
    ("manifest", include_str!("../schemas/manifest-1.json")),
    ("order", include_str!("../schemas/order-1.json")),
    ("plan", include_str!("../schemas/plan-1.json")),
    ("policy", include_str!("../schemas/policy-1.json")),
    ("proposal", include_str!("../schemas/proposal-1.json")),
    ("review", include_str!("../schemas/review-1.json")),
    ("token", include_str!("../schemas/token-1.json")),
    ("waiver", include_str!("../schemas/waiver-1.json")),
    ("why", include_str!("../schemas/why-1.json")),
];
