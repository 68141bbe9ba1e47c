//! The probe's request, as strictly as the probe reads it.

use std::collections::BTreeSet;

/// First word of every request and answer.
pub(super) const MAGIC: &str = "countersign-probe/1";
const NAMES_MAX: usize = 8192;

/// A request that the probe would answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FakeRequest {
    /// 32 hex digits.
    pub(super) nonce: String,
    /// Token of the lists that the observer still has.
    pub(super) packages: Option<String>,
    /// Token of the history that the observer still has.
    pub(super) history: Option<String>,
    /// Names that the manifest lists.
    pub(super) names: BTreeSet<String>,
    /// `offers`, `solve` or `each`: a question about a plan.
    pub(super) plan: Option<String>,
    /// Whether the sha256 of files is asked for.
    pub(super) digests: bool,
    /// Keys and packages of that question.
    pub(super) items: Vec<(String, String)>,
}

impl FakeRequest {
    /// What is wrong with it otherwise, in the probe's words.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)))
            .ok_or("bytes that are not printable ASCII")?;
        let mut lines = (1..).zip(text.lines());
        if lines.next().map(|(_, line)| line) != Some("countersign-probe/1 request") {
            return Err("line 1: not a request of this version".to_owned());
        }
        let mut request = Self::default();
        let mut count = 0;
        let mut ended = false;
        for (number, line) in lines {
            let wrong = |what: &str| Err(format!("line {number}: {what}"));
            if ended {
                return wrong("text after the end");
            }
            if line == "end" {
                ended = true;
                continue;
            }
            let Some((key, value)) = line.split_once(' ').filter(|(_, v)| !v.contains(' ')) else {
                return wrong("not a key and a value");
            };
            if matches!(key, "any" | "offer" | "install" | "upgrade" | "downgrade" | "remove") {
                let offers = matches!(key, "any" | "offer");
                if request.plan.is_none() || (request.plan.as_deref() == Some("offers")) != offers || !is_name(value) {
                    return wrong("not in this request, or not a package");
                }
                request.items.push((key.to_owned(), value.to_owned()));
                continue;
            }
            if value.len() > 128 {
                return wrong("too long");
            }
            match key {
                "name" => {
                    count += 1;
                    if !is_name(value) {
                        return wrong("not a package name");
                    }
                    if count > NAMES_MAX {
                        return wrong("too many names");
                    }
                    request.names.insert(value.to_owned());
                }
                "nonce" if request.nonce.is_empty() && is_hex(value, 32) => {
                    value.clone_into(&mut request.nonce);
                }
                "packages" if request.packages.is_none() && is_hex(value, 64) => {
                    request.packages = Some(value.to_owned());
                }
                "history" if request.history.is_none() && is_hex(value, 64) => {
                    request.history = Some(value.to_owned());
                }
                "plan" if request.plan.is_none() && matches!(value, "offers" | "solve" | "each") => {
                    request.plan = Some(value.to_owned());
                }
                "digests" if value == "yes" && request.plan.as_deref() == Some("offers") => request.digests = true,
                "erasing" if value == "yes" && request.plan.is_some() => {}
                "wait" if matches!(value.parse(), Ok(1..=10)) => {}
                _ => return wrong("an unknown key, a wrong value, or twice"),
            }
        }
        if !ended {
            return Err("no end line".to_owned());
        }
        if request.nonce.is_empty() {
            return Err("no nonce".to_owned());
        }
        Ok(request)
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+:~^-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "nonce 000102030405060708090a0b0c0d0e0f\n";

    #[test]
    fn only_a_complete_request_is_read() {
        let good = format!("countersign-probe/1 request\n{NONCE}name gcc-c++\nname llvm\nwait 10\nend\n");
        let request = FakeRequest::read(good.as_bytes()).unwrap();
        assert_eq!(request.names, ["gcc-c++".to_owned(), "llvm".to_owned()].into());
        for bad in [
            String::new(),
            good.replace("probe/1", "probe/2"),
            good.replace("end\n", ""),
            good.replace(NONCE, ""),
            good.replace("name llvm", "name --option"),
            good.replace("name llvm", "name /etc/passwd"),
            good.replace("name llvm", "packages 12"),
            format!("{good}name more\n"),
        ] {
            assert!(FakeRequest::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
