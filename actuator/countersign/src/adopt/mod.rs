//! Drift becomes the rule: the smallest change of canonical's files that says so, comments and order kept. Pure.

mod manifest;
mod waiver;

pub(crate) use manifest::patched as manifest;
pub(crate) use waiver::patched as waivers;

use countersign_manifests_schema::proposal::ClaimedItem;
use countersign_shared::evr::Evr;
use countersign_shared::manifest::version::VersionSpec;

/// The rule by which what is there would be right; the error says why no rule can.
pub(crate) fn wish(item: &ClaimedItem) -> Result<String, String> {
    match item.code.as_str() {
        "missing" => Ok("allowed".to_owned()),
        "unwanted" | "unlisted" => Ok("*".to_owned()),
        "ahead" | "behind" => match &item.seen[..] {
            [seen] => match Evr::parse(seen) {
                Ok(evr) => Ok(VersionSpec::exactly(&evr).to_string()),
                Err(_) => Err(format!("{seen:?} is not a version")),
            },
            _ => Err("several versions are there".to_owned()),
        },
        _ => Err("no rule of a manifest says that".to_owned()),
    }
}
