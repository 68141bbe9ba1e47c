//! Time: the wall clock for what people signed, the boot clock for what must not be stretched by setting a clock.

use std::fs;
use std::io;

/// Unix seconds.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// RFC 3339 UTC seconds.
pub(crate) fn text(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// Seconds since the machine started, suspended time included (CLOCK_BOOTTIME).
pub(crate) fn since_boot() -> u64 {
    u64::try_from(rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec).unwrap_or(0)
}

/// What differs after every start of the machine: the kernel's id of the boot, and when process 1 started, which
/// differs for containers too.
pub(crate) fn boot() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let stat = fs::read_to_string("/proc/1/stat")?;
    // proc_pid_stat(5): the name in brackets may hold anything; starttime is field 22, the 20th after it.
    let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19));
    let started = started.ok_or_else(|| io::Error::other("/proc/1/stat is not understood"))?;
    Ok(format!("{}/{started}", id.trim()))
}
