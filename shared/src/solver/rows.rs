//! dnf4's transaction, as the probe has dnf's own library say it: action, package, reason, repository, sha256.

use countersign_manifests_schema::transaction::{Action, Reason, SYSTEM_REPO};

use super::Step;
use crate::nevra::Nevra;

/// Reads the rows of one resolution; the message names what was not understood.
pub(super) fn parse(rows: &[&str]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> =
        rows.iter().map(|row| step(row).ok_or_else(|| format!("{row:?}"))).collect::<Result<_, _>>()?;
    // What is replaced is replaced by the package of that name, or by whatever obsoletes it.
    let incoming: Vec<String> =
        steps.iter().filter(|step| step.action.is_incoming()).map(|step| step.nevra.clone()).collect();
    for step in &mut steps {
        if step.action == Action::Replaced {
            step.replaced_by = incoming.iter().filter(|new| same_place(new, &step.nevra)).cloned().collect();
        }
    }
    steps.sort();
    steps.dedup();
    Ok(steps)
}

fn step(row: &str) -> Option<Step> {
    let [action, nevra, reason, repo, sha256] = row.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let action = match action {
        "Install" => Action::Install,
        "Upgrade" => Action::Upgrade,
        "Downgrade" => Action::Downgrade,
        "Reinstall" => Action::Reinstall,
        "Removed" => Action::Remove,
        "Upgraded" | "Downgraded" | "Obsoleted" | "Reinstalled" => Action::Replaced,
        "Reason Change" => Action::ReasonChange,
        _ => return None,
    };
    let incoming = action.is_incoming();
    if (repo == SYSTEM_REPO) == incoming || repo.is_empty() || repo.contains(' ') {
        return None;
    }
    let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if sha256 != "-" && !(incoming && is_digest) {
        return None;
    }
    let reason = super::reason(reason)?;
    // dnf4 does not know why a replaced package was there; what is asked of the runner afterwards does.
    let reason = (action != Action::Replaced || reason != Reason::None).then_some(reason);
    Some(Step {
        nevra: Nevra::parse(nevra).ok()?.to_string(),
        action,
        reason,
        repo_id: repo.to_owned(),
        sha256: is_digest.then(|| sha256.to_owned()),
        replaced_by: Vec::new(),
    })
}

fn same_place(new: &str, old: &str) -> bool {
    match (Nevra::parse(new), Nevra::parse(old)) {
        (Ok(new), Ok(old)) => new.name == old.name && new.arch == old.arch,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_steps() {
        let sum = "a".repeat(64);
        let new = format!("Downgrade\tllvm-0:19.1.0-1.fc41.x86_64\tUser\tfedora\t{sum}");
        let steps = parse(&[new.as_str(), "Downgraded\tllvm-0:20.1.0-1.fc41.x86_64\tUser\t@System\t-"]).unwrap();
        assert_eq!(steps[0].nevra, "llvm-19.1.0-1.fc41.x86_64");
        assert_eq!((steps[0].action, steps[0].sha256.as_deref()), (Action::Downgrade, Some(sum.as_str())));
        assert_eq!((steps[1].action, &steps[1].replaced_by), (Action::Replaced, &vec![steps[0].nevra.clone()]));
    }

    #[test]
    fn anything_else_is_refused() {
        for row in [
            "",
            "Install\ta-0:1-1.noarch\tUser\tfedora",
            "Install\ta-0:1-1.noarch\tUser\t@System\t-",
            "Removed\ta-0:1-1.noarch\tUser\tfedora\t-",
            "Obsolete\ta-0:1-1.noarch\tUser\tfedora\t-",
            "Install\ta\tUser\tfedora\t-",
            "Install\ta-0:1-1.noarch\tBecause\tfedora\t-",
            "Install\ta-0:1-1.noarch\tUser\tfedora\tabc",
            "Install\ta-0:1-1.noarch\tUser\tfed ora\t-",
        ] {
            assert!(parse(&[row]).is_err(), "{row:?}");
        }
    }
}
