//! What the wardens remember, for whoever compares it with the ledger.

use super::identity;
use super::warden::Wardens;
use crate::config::Config;
use crate::gather::{self, From};
use crate::stop::Stop;
use countersign_manifests_schema::warden::Application;
use countersign_shared::exit::Outcome;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Wardens that are asked at once.
const AT_ONCE: usize = 16;

/// What a warden remembers; `Err` = it could not be asked, and why.
type Memory = Result<Vec<Application>, String>;

/// The memory of each of these runners' wardens. The fleet is as it was fetched last.
pub(crate) fn remembered(config: &Config, runners: BTreeSet<String>) -> Vec<(String, Memory)> {
    if runners.is_empty() {
        return Vec::new();
    }
    ask(config, &runners).unwrap_or_else(|stop| {
        let why = stop.words();
        runners.into_iter().map(|runner| (runner, Err(why.clone()))).collect()
    })
}

fn ask(config: &Config, runners: &BTreeSet<String>) -> Result<Vec<(String, Memory)>, Stop> {
    let gathered = gather::gather(config, From::Mirrors, &[], Timestamp::now().as_second())?;
    let fleet = &gathered.spec.canonical.fleet;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::of(Outcome::Failed, "runtime", &error))?;
    runtime.block_on(async {
        let wardens = Wardens::new(config, identity(config, &gathered).await?, fleet).map_err(super::unusable)?;
        let one = async |name: &String| {
            let Some(runner) = fleet.runners.iter().find(|runner| runner.name == *name) else {
                return (name.clone(), Err("it is not in the fleet any more".to_owned()));
            };
            let said = async {
                let warden = wardens.connect(runner).await?;
                let started = warden.status().await;
                warden.close().await;
                started
            };
            (name.clone(), said.await.map_err(|failure| format!("{}: {}", failure.code, failure.message)))
        };
        Ok(stream::iter(runners).map(one).buffered(AT_ONCE).collect().await)
    })
}
