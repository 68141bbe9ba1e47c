//! The JSON Schemas in `schemas/` are those of the types.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_manifests_schema::{
    bundle, error, fleet, lease, ledger, lock, manifest, person, plan, policy, proposal, report, token, waiver, why,
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const HOW: &str = "UPDATE_SCHEMAS=1 cargo test -p countersign-manifests-schema";

fn schema<T: JsonSchema>(id: &str) -> (String, Value) {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), Value::String(id.to_owned()));
    let properties = schema.get_mut("properties").unwrap();
    properties["schema"]["const"] = Value::String(id.to_owned());
    let name = id.strip_prefix("countersign/").unwrap().replace('/', "-");
    (format!("{name}.json"), schema.to_value())
}

fn all() -> Vec<(String, Value)> {
    vec![
        schema::<fleet::FleetFile>(fleet::FLEET_SCHEMA),
        schema::<manifest::ManifestFile>(manifest::MANIFEST_SCHEMA),
        schema::<lock::LockFile>(lock::LOCK_SCHEMA),
        schema::<policy::PolicyFile>(policy::POLICY_SCHEMA),
        schema::<waiver::WaiverFile>(waiver::WAIVER_SCHEMA),
        schema::<report::DriftReport>(report::DRIFT_REPORT_SCHEMA),
        schema::<proposal::Proposal>(proposal::PROPOSAL_SCHEMA),
        schema::<bundle::Bundle>(bundle::BUNDLE_SCHEMA),
        schema::<lease::Lease>(lease::LEASE_SCHEMA),
        schema::<lease::Order>(lease::ORDER_SCHEMA),
        schema::<token::Token>(token::TOKEN_SCHEMA),
        schema::<ledger::Entry>(ledger::LEDGER_SCHEMA),
        schema::<plan::PlanDocument>(plan::PLAN_SCHEMA),
        schema::<person::ReviewDocument>(person::REVIEW_SCHEMA),
        schema::<person::ActDocument>(person::ACT_SCHEMA),
        schema::<error::ErrorDocument>(error::ERROR_SCHEMA),
        schema::<why::WhyDocument>(why::WHY_SCHEMA),
    ]
}

#[test]
fn the_schemas_in_the_tree_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let mut expected = BTreeSet::new();
    for (name, value) in all() {
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
        let path = folder.join(&name);
        expected.insert(name.clone());
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "schemas/{name} is not what the types say; run: {HOW}");
    }
    let found: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, expected, "a schema without a type; remove it");
}

#[test]
fn whatever_people_write_refuses_unknown_keys() {
    fn walk(value: &Value, at: &str, open: &mut Vec<String>) {
        if let Value::Object(map) = value {
            let is_struct = map.contains_key("properties");
            if is_struct && map.get("additionalProperties") != Some(&Value::Bool(false)) {
                open.push(at.to_owned());
            }
            for (key, inner) in map {
                walk(inner, &format!("{at}/{key}"), open);
            }
        }
    }
    for (name, value) in all() {
        let mut open = Vec::new();
        walk(&value, &name, &mut open);
        let by_programs =
            ["act-1.json", "drift-report-1.json", "error-1.json", "plan-1.json", "review-1.json", "why-1.json"];
        let for_people = !by_programs.contains(&name.as_str());
        assert_eq!(open.is_empty(), for_people, "{open:?}");
    }
}

#[test]
fn what_a_schema_says_can_be_looked_up_by_whoever_has_only_the_schema() {
    for (name, schema) in countersign_manifests_schema::SCHEMAS {
        let found = schema.lines().find(|line| line.contains("SPEC") || line.contains("DESIGN"));
        assert_eq!(found, None, "{name}");
    }
}
