//! The forge's token cannot write canonical, and administers neither the forge nor the repository of proposals.

use super::{Code, Violation};

/// What the forge says about the account behind the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whether the account administers the whole forge, or why that is not known.
    pub site_admin: Result<bool, String>,
    /// What it may do with the repository of proposals, or why that is not known.
    pub proposed: Result<Power, String>,
    /// What it may do with canonical; `None` = canonical is elsewhere, or not shown to this account.
    pub canonical: Option<Result<Power, String>>,
}

/// What an account may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Power {
    /// Change its settings.
    pub admin: bool,
    /// Push to it.
    pub push: bool,
}

/// Pure: facts in, violations out.
pub fn judge(facts: &Facts) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut say = |code, message: String| found.push(Violation::new(code, message));
    match &facts.site_admin {
        Ok(false) => {}
        Ok(true) => say(Code::ForgeAdmin, "the forge token belongs to an administrator of the forge".to_owned()),
        Err(why) => {
            say(Code::ForgeUnproven, format!("whether the forge token is an administrator's is not known: {why}"))
        }
    }
    match &facts.proposed {
        Ok(Power { admin: false, .. }) => {}
        Ok(_) => say(Code::ForgeAdmin, "the forge token administers the repository of proposals".to_owned()),
        Err(why) => say(Code::ForgeUnproven, format!("what the forge token may do with proposals is not known: {why}")),
    }
    match &facts.canonical {
        None | Some(Ok(Power { admin: false, push: false })) => {}
        Some(Ok(_)) => say(Code::ForgeWritesCanonical, "the forge token can write canonical".to_owned()),
        Some(Err(why)) => {
            say(Code::ForgeUnproven, format!("whether the forge token can write canonical is not known: {why}"));
        }
    }
    found
}

/// The `owner/name` of a repository's URL, if its host is one of the API's domain; `None` = it is elsewhere.
pub fn on_this_forge(url: &str, api: &str) -> Option<String> {
    let (host, path) = split(url)?;
    let (api, _) = split(api)?;
    let domain = |host: &str| {
        let labels: Vec<&str> = host.rsplit('.').take(2).collect();
        labels.join(".")
    };
    if host != api && (domain(&host) != domain(&api) || host.parse::<std::net::IpAddr>().is_ok()) {
        return None;
    }
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts = path.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    (plain(name) && plain(owner)).then(|| format!("{owner}/{name}"))
}

/// Host without user and port, in lower case, and path.
fn split(url: &str) -> Option<(String, &str)> {
    let (authority, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => url.split_once(':')?,
    };
    let host = authority.rsplit('@').next()?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_without_power_over_canonical_and_administration_passes() {
        use Code::{ForgeAdmin, ForgeUnproven, ForgeWritesCanonical};
        let power = |admin, push| Ok(Power { admin, push });
        let lost = || Err("no answer".to_owned());
        for (site_admin, proposed, canonical, expected) in [
            (Ok(false), power(false, true), None, vec![]),
            (Ok(false), power(false, false), Some(Ok(Power { admin: false, push: false })), vec![]),
            (Ok(true), power(false, true), None, vec![ForgeAdmin]),
            (Ok(false), power(true, true), None, vec![ForgeAdmin]),
            (Ok(false), power(false, true), Some(power(false, true)), vec![ForgeWritesCanonical]),
            (Ok(false), power(false, true), Some(power(true, false)), vec![ForgeWritesCanonical]),
            (Err("no answer".to_owned()), lost(), Some(lost()), vec![ForgeUnproven; 3]),
        ] {
            let facts = Facts { site_admin, proposed, canonical };
            assert_eq!(judge(&facts).into_iter().map(|v| v.code).collect::<Vec<_>>(), expected, "{facts:?}");
        }
    }

    #[test]
    fn canonical_is_found_on_the_forge_by_its_address() {
        let api = "https://forge.example/api/v1";
        for (url, api, expected) in [
            ("ssh://git@forge.example:2222/ops/canonical.git", api, Some("ops/canonical")),
            ("git@forge.example:ops/canonical.git", api, Some("ops/canonical")),
            ("https://FORGE.example/ops/canonical", api, Some("ops/canonical")),
            ("git@github.com:ops/canonical.git", "https://api.github.com", Some("ops/canonical")),
            ("ssh://git@127.0.0.1/srv/ops/canonical.git", "http://127.0.0.1:3000/api/v1", Some("ops/canonical")),
            ("ssh://git@127.0.0.2/ops/canonical.git", "http://127.0.0.1:3000/api/v1", None),
            ("git@other.test:ops/canonical.git", api, None),
            ("/srv/ops/canonical.git", api, None),
            ("https://forge.example/canonical", api, None),
        ] {
            assert_eq!(on_this_forge(url, api).as_deref(), expected, "{url}");
        }
    }
}
