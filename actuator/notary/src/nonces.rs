//! Nonces that were given out. They live in memory alone: after a restart none is valid, and people ask for another.

use crate::clock::moment;
use crate::judge::Refusal;
use countersign_manifests_schema::lease::LEASE_SECONDS;
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::VecDeque;
use std::fmt::Write as _;

/// Nonces of one account that wait for a signature.
const MOST: usize = 32;

/// Those that wait for a signature, oldest first.
#[derive(Debug, Default)]
pub struct Nonces(VecDeque<Given>);

#[derive(Debug)]
struct Given {
    nonce: String,
    issued: i64,
    uid: u32,
}

impl Nonces {
    /// A fresh one. An account that asks for too many loses its own oldest.
    pub fn give(&mut self, now: i64, uid: u32) -> std::io::Result<String> {
        self.forget(now);
        let mut bytes = [0; 32];
        let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
        if filled != bytes.len() {
            return Err(std::io::Error::other("the kernel gave too few random bytes"));
        }
        let mut nonce = String::with_capacity(64);
        for byte in bytes {
            write!(nonce, "{byte:02x}").expect("NOTE: a String never fails");
        }
        if self.0.iter().filter(|given| given.uid == uid).count() >= MOST
            && let Some(oldest) = self.0.iter().position(|given| given.uid == uid)
        {
            self.0.remove(oldest);
        }
        self.0.push_back(Given { nonce: nonce.clone(), issued: now, uid });
        Ok(nonce)
    }

    /// Uses one up. `issued` is what was signed with it.
    pub fn take(&mut self, nonce: &str, issued: &str, now: i64) -> Result<(), Refusal> {
        self.forget(now);
        let given = self.0.iter().position(|given| given.nonce == nonce);
        let given = given.ok_or_else(|| {
            Refusal::new(
                "nonce",
                "the nonce was not given out, is used up, or is too old: ask for another and sign again",
            )
        })?;
        if moment(self.0[given].issued) != issued {
            return Err(Refusal::new("nonce", "`issued` is not when the nonce was given out"));
        }
        self.0.remove(given);
        Ok(())
    }

    /// The longest that can be signed with one lasts as long.
    fn forget(&mut self, now: i64) {
        self.0.retain(|given| now < given.issued + LEASE_SECONDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_for_its_time_and_in_its_time() {
        let mut nonces = Nonces::default();
        let nonce = nonces.give(1000, 5).unwrap();
        assert!(nonce.len() == 64 && nonce != nonces.give(1000, 5).unwrap());
        assert!(nonces.take(&nonce, &moment(1001), 1001).is_err(), "another time");
        nonces.take(&nonce, &moment(1000), 1001).unwrap();
        assert!(nonces.take(&nonce, &moment(1000), 1001).is_err(), "used");
        let late = nonces.give(2000, 5).unwrap();
        assert!(nonces.take(&late, &moment(2000), 2000 + LEASE_SECONDS).is_err(), "late");
        assert!(nonces.take(&"0".repeat(64), &moment(2000), 2000).is_err(), "never given");
    }

    #[test]
    fn an_account_that_asks_for_ever_pushes_out_its_own() {
        let mut nonces = Nonces::default();
        let other = nonces.give(1000, 6).unwrap();
        let first = nonces.give(1000, 5).unwrap();
        for _ in 0..10 * MOST {
            nonces.give(1000, 5).unwrap();
        }
        assert_eq!(nonces.0.len(), MOST + 1);
        assert!(nonces.take(&first, &moment(1000), 1000).is_err());
        nonces.take(&other, &moment(1000), 1000).unwrap();
    }
}
