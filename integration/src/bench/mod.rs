//! What observing costs, measured next to other ways of doing it: `cargo bench -p countersign-integration --bench fleet`.
//!
//! The servers run in another process; what is counted is the process that asks, children included. The output is
//! the Markdown of the README's tables. `-- --quick` leaves out what takes minutes.

pub mod bare;
pub mod measure;
mod observer;
pub mod plan;
mod rivals;
pub mod servers;
mod table;

use measure::MEASURE;
use observer::Observer;
use rivals::{BARE, SESSION};
use servers::Servers;
use std::ffi::OsString;
use std::path::Path;
use table::{Row, Table};

/// Packages of an ordinary runner.
const PACKAGES: usize = crate::embedded::catalog::FULL_SIZE;
/// Connections at once, for everybody who can have more than one.
const PARALLEL: usize = 64;
/// Fleet sizes.
const SIZES: [usize; 4] = [10, 100, 1000, 10_000];
/// Fleet and package sets for the report alone.
const LARGE: (usize, usize) = (10_000, 2000);

/// Runs the benches, or one of the small programs of which they are made. `embedded_fleet` is the program of that name.
pub fn main(embedded_fleet: &Path) -> anyhow::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).filter(|a| a != "--bench").collect();
    match arguments.split_first() {
        Some((word, rest)) if word == MEASURE => measure::main(rest),
        Some((word, rest)) if word == BARE => rivals::main(BARE, rest),
        Some((word, rest)) if word == SESSION => rivals::main(SESSION, rest),
        Some((word, [])) if word == "--quick" => all(embedded_fleet, true),
        Some((word, _)) => anyhow::bail!("unknown argument {}; there is only --quick", word.display()),
        None => all(embedded_fleet, false),
    }
}

fn all(embedded_fleet: &Path, quick: bool) -> anyhow::Result<()> {
    let observer = Observer::build()?;
    let sizes = if quick { &SIZES[..3] } else { &SIZES[..] };
    let mut by_size = Table::new("Whole nightly run (observe, diff, report), 1,846 packages per runner");
    let mut cold = Vec::new();
    for &size in sizes {
        let dir = tempfile::tempdir()?;
        let servers = Servers::start(embedded_fleet, dir.path(), size, PACKAGES)?;
        let cost = observer.nightly(&servers.config())?;
        cold.push((size, cost.cpu * 1e3));
        by_size.add(Row::of(&format!("{size} runners, cold"), size, cost));
        by_size.add(Row::of(&format!("{size} runners, warm"), size, observer.nightly(&servers.config())?));
        if size == 1000 {
            print(&beside(&servers, size)?);
        }
    }
    print(&by_size);
    print(&further(&cold));
    if !quick {
        print(&large(embedded_fleet, &observer)?);
    }
    Ok(())
}

/// Everybody else over the same servers.
fn beside(servers: &Servers, size: usize) -> anyhow::Result<Table> {
    let mut table = Table::new("The same question asked of the same 1,000 servers, the answer thrown away");
    let dir = &servers.dir;
    table.add(Row::of("bare russh loop", size, rivals::russh_loop(BARE, dir, PARALLEL)?));
    table.add(Row::of("the observer's SSH session alone", size, rivals::russh_loop(SESSION, dir, PARALLEL)?));
    for (name, cost) in [("asyncssh", rivals::asyncssh(dir, PARALLEL)?), ("ssh in a loop", rivals::ssh_loop(dir)?)] {
        table.add(match cost {
            Ok(cost) => Row::of(name, size, cost),
            Err(absent) => Row::absent(name, absent.0),
        });
    }
    Ok(table)
}

/// Diff and report alone, over what a night has stored.
fn large(embedded_fleet: &Path, observer: &Observer) -> anyhow::Result<Table> {
    let (runners, packages) = LARGE;
    let dir = tempfile::tempdir()?;
    let servers = Servers::start(embedded_fleet, dir.path(), runners, packages)?;
    let mut table = Table::new("10,000 runners with 2,000 packages each");
    table.add(Row::of("observe", runners, observer.run(&servers.config(), "observe")?));
    table.add(Row::of("diff", runners, observer.run(&servers.config(), "diff")?));
    table.add(Row::of("report", runners, observer.run(&servers.config(), "report")?));
    Ok(table)
}

/// What a night costs before its first runner, and what each further one costs, from its cold milliseconds by size.
fn further(cold: &[(usize, f64)]) -> String {
    let mut text = String::new();
    for pair in cold.windows(2) {
        let [(from, less), (to, more)] = *pair else { continue };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (runners, each) = (from as f64, (more - less) / (to - from) as f64);
        if text.is_empty() {
            text = format!("Before the first runner: {:.0} ms\n", less - runners * each);
        }
        text.push_str(&format!("Each further runner, {from} to {to}: {each:.2} ms\n"));
    }
    text
}

#[expect(clippy::print_stdout, reason = "the tables are the output of this program")]
fn print(table: &impl std::fmt::Display) {
    println!("{table}");
}
