//! Processes that scriptlets left behind. The worker adopts them (PR_SET_CHILD_SUBREAPER), so none of them is missed.

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait as wait_for_any};
use std::fs;
use std::time::{Duration, Instant};

/// How long what a scriptlet began may go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until nothing that was begun by a scriptlet is running. What does not end is ended, and spoils the outcome.
pub(crate) fn wait() -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        reap();
        let left = children();
        let Some(first) = left.first() else { return Ok(()) };
        if Instant::now() >= deadline {
            let command = fs::read(format!("/proc/{first}/cmdline")).unwrap_or_default();
            end();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            return Err(format!("a scriptlet left a process behind: {}", command.trim()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ends all of them.
pub(crate) fn end() {
    for _ in 0..100 {
        reap();
        let left = children();
        if left.is_empty() {
            return;
        }
        for pid in left.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn reap() {
    while let Ok(Some(_)) = wait_for_any(WaitOptions::NOHANG) {}
}

/// Numbers of our children but the watch, which is meant to outlive us.
fn children() -> Vec<i32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = fs::read_link("/proc/self/exe").ok();
    let us = std::process::id().to_string();
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // proc_pid_stat(5): the name in brackets may hold anything; the state and then the parent follow it.
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(us.as_str())
        })
        .filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).ok() != own)
        .collect()
}
