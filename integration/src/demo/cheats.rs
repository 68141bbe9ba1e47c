//! What somebody could try who has a bot's credentials, or a copy of what was sent.

use super::stage::Stage;
use crate::embedded::acting::git;
use anyhow::Context as _;
use countersign_manifests_schema::plan::{GateVerdict, PlanDocument, PlannedProposal};
use countersign_manifests_schema::warden::WardenAnswer;
use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Connector, ConnectorConfig, Endpoint, Identity, Limits, Target};
use countersign_shared::warden::open_answer;
use std::fs;
use std::sync::Arc;

/// The observer's bot edits a proposal that nobody has signed, and merges it itself.
#[expect(clippy::print_stdout, reason = "this is the demo's output")]
pub(super) fn bot_merges(stage: &Stage, id: &str) -> anyhow::Result<Option<String>> {
    let work = stage.acting.dir.path().join("bot");
    let at = work.to_str().context("a temporary directory has a plain name")?;
    git(stage.acting.dir.path(), &["clone", "--quiet", stage.proposed.to_str().context("plain")?, at])?;
    let branches = git(&work, &["for-each-ref", "--format=%(refname)", "refs/remotes/origin/proposals"])?;
    let holds =
        |branch: &&str| git(&work, &["ls-tree", "-r", "--name-only", branch]).is_ok_and(|files| files.contains(id));
    let branch = branches.lines().find(holds).context("the proposal is on a branch")?;
    git(&work, &["merge", "--quiet", "--no-ff", "-m", "Merge a pull request", branch])?;
    let files = git(&work, &["ls-files", "*/proposal.json"])?;
    let file = work.join(files.lines().find(|file| file.contains(id)).context("the proposal was merged")?);
    let text = fs::read_to_string(&file)?;
    fs::write(&file, text.replacen("\"Install\"", "\"Remove\"", 1))?;
    git(&work, &["commit", "--quiet", "--all", "--amend", "--no-edit"])?;
    git(&work, &["push", "--quiet", "origin", "HEAD:main"])?;
    let output = stage.acting.actuator(&["plan", id, "--json"]).output()?;
    let document: PlanDocument = serde_json::from_slice(&output.stdout)?;
    let row = document.proposals.first().context("the plan has the proposal")?;
    let refusing: Vec<&str> =
        row.gates.iter().filter(|gate| gate.verdict == GateVerdict::Refuse).map(|gate| gate.gate.as_str()).collect();
    println!("  The observer's bot edits a proposal for {} and merges it by itself:", row.runner);
    println!("    refused: {}", refusing.join(", "));
    let fine = refusing.contains(&"not-human") && refusing.contains(&"edited");
    Ok((!fine).then(|| format!("the bot's merge was refused by {refusing:?} only")))
}

/// Somebody has kept what was sent to a runner, token and all, and sends it again.
#[expect(clippy::print_stdout, reason = "this is the demo's output")]
pub(super) fn token_twice(stage: &Stage, applied: &[PlannedProposal]) -> anyhow::Result<Option<String>> {
    let row = applied.first().context("something was applied")?;
    let (warden, served) = stage.runner(&row.runner).context("the runner is served")?;
    let bytes = warden.overheard().context("something was sent to it")?;
    let before = warden.machine().rpmdb_digest();
    let key = crate::embedded::site::bare(&served.host_key)?;
    let target = Target {
        name: row.runner.clone(),
        endpoint: Endpoint {
            address: served.address.ip().to_string(),
            port: served.address.port(),
            user: "countersign-actuator".to_owned(),
            host_keys: Arc::new(HostKeys::new([key.as_str()], None)?),
        },
        bastion: None,
    };
    let identity = Identity::from_files(&stage.acting.dir.path().join("runners_apply"), None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(async {
        let session = Connector::new(ConnectorConfig::new(identity)).connect(&target).await?;
        session.exec("anything", &bytes, Limits::default()).await
    })?;
    let said = open_answer(&output.stdout)?;
    println!("  Somebody with the actuator's own key sends {} the same token a second time:", row.runner);
    match said {
        WardenAnswer::Refused { code, message } if warden.machine().rpmdb_digest() == before => {
            println!("    refused: {code} ({message})");
            Ok((code != "spent").then(|| format!("the second use was refused as {code}")))
        }
        other => Ok(Some(format!("the second use was not refused: {other:?}"))),
    }
}
