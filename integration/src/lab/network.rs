//! A network per lab: a bridge on the host, and a pair of virtual devices per runner.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::run::{host, output, run};

/// The bridge `cslab<number>` with 10.213.<number>.1/24.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Bridge {
    number: u8,
}

impl Bridge {
    /// Takes the first free number. The kernel refuses a second device of one name, so two labs never share an address.
    pub(super) fn create() -> Result<Self> {
        for number in 0..=u8::MAX {
            let bridge = Self { number };
            let name = bridge.name();
            let made = output(&mut host("ip", ["link", "add", &name, "type", "bridge"].map(AsRef::as_ref)))?;
            if made.status.success() {
                let address = format!("{}/24", bridge.host());
                run(&mut host("ip", ["address", "add", &address, "dev", &name].map(AsRef::as_ref)))?;
                run(&mut host("ip", ["link", "set", &name, "up"].map(AsRef::as_ref)))?;
                return Ok(bridge);
            }
            let error = String::from_utf8_lossy(&made.stderr);
            if !error.contains("File exists") {
                bail!("cannot make a bridge: {error}");
            }
        }
        bail!("256 labs are up on this machine")
    }

    /// Deletes it, if it is there; the runners' devices die with their namespaces.
    pub(super) fn delete(&self) -> Result<()> {
        delete(&self.name())
    }

    /// The host's address.
    pub(super) fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 1)
    }

    /// The address of the runner at this place of the configuration, from 0.
    pub(super) fn runner(&self, index: usize) -> Result<Ipv4Addr> {
        match u8::try_from(index + 10) {
            Ok(last) if last < u8::MAX => Ok(Ipv4Addr::new(10, 213, self.number, last)),
            _ => bail!("a lab has room for 245 runners"),
        }
    }

    /// Puts `eth0` into the network namespace of a process, its other end on the bridge.
    pub(super) fn plug(&self, index: usize, process: u32) -> Result<()> {
        let end = self.end(index);
        // The kernel clears a dead namespace when it has time; a runner that starts again does not wait for that.
        delete(&end)?;
        let process = process.to_string();
        // Always the same hardware address: the host remembers it for a while after the runner has stopped.
        let address = format!("02:c5:00:00:{:02x}:{:02x}", self.number, index + 10);
        let pair =
            ["link", "add", &end, "type", "veth", "peer", "name", "eth0", "address", &address, "netns", &process];
        run(&mut host("ip", pair.map(AsRef::as_ref)))?;
        run(&mut host("ip", ["link", "set", &end, "master", &self.name(), "up"].map(AsRef::as_ref)))?;
        Ok(())
    }

    /// Bytes that the runner at this place has sent since it started, headers included, as the kernel counts them.
    pub(super) fn sent(&self, index: usize) -> Result<u64> {
        let path = format!("/sys/class/net/{}/statistics/rx_bytes", self.end(index));
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(text.trim().parse()?)
    }

    /// The host's end of the pair of a runner.
    fn end(&self, index: usize) -> String {
        format!("{}-{index}", self.name())
    }

    fn name(&self) -> String {
        format!("cslab{}", self.number)
    }
}

/// Deletes a device, if it is there. It may also go by itself meanwhile.
fn delete(name: &str) -> Result<()> {
    if !is_there(name)? {
        return Ok(());
    }
    match run(&mut host("ip", ["link", "delete", name].map(AsRef::as_ref))) {
        Err(error) if is_there(name)? => Err(error),
        _ => Ok(()),
    }
}

fn is_there(name: &str) -> Result<bool> {
    Ok(output(&mut host("ip", ["link", "show", "dev", name].map(AsRef::as_ref)))?.status.success())
}
