//! Host ranges: `web[01:09].example.org`, `db[a:c]`, `rack[1:9:2]-[a:b]`.

use super::MAX_HOSTS;

/// Why a range has no hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RangeError {
    /// The bounds are neither two numbers nor two letters, or in the wrong order, or the step is 0.
    #[error("a range is `[01:09]`, `[a:f]` or `[1:9:2]`")]
    Form,
    /// More than [`MAX_HOSTS`].
    #[error("the range has more than {MAX_HOSTS} hosts")]
    TooMany,
}

/// All names of a pattern; a name without ranges is itself.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, RangeError> {
    let Some((before, inside, after)) = split(pattern) else {
        return Ok(vec![pattern.to_owned()]);
    };
    let steps = steps(inside)?;
    let rest = expand(after)?;
    if steps.len().saturating_mul(rest.len()) > MAX_HOSTS {
        return Err(RangeError::TooMany);
    }
    Ok(steps.iter().flat_map(|step| rest.iter().map(move |rest| format!("{before}{step}{rest}"))).collect())
}

/// Cuts at the first brackets with a colon inside, which is not the address in an IPv6 URL.
fn split(pattern: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = pattern.split_once('[')?;
    let (inside, after) = rest.split_once(']')?;
    (inside.contains(':') && !inside.contains("::") && inside.matches(':').count() <= 2)
        .then_some((before, inside, after))
}

fn steps(inside: &str) -> Result<Vec<String>, RangeError> {
    let parts: Vec<&str> = inside.split(':').collect();
    let (first, last) = match parts[..] {
        // Without a first bound a range begins at 0.
        ["", last] | ["", last, _] => ("0", last),
        [first, last] | [first, last, _] => (first, last),
        _ => return Err(RangeError::Form),
    };
    let step: usize = match parts.get(2) {
        None => 1,
        Some(step) => step.parse().map_err(|_| RangeError::Form)?,
    };
    if step == 0 {
        return Err(RangeError::Form);
    }
    let is_number = |text: &str| !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    if is_number(first) && is_number(last) {
        let (from, to) = (number(first)?, number(last)?);
        if from > to {
            return Err(RangeError::Form);
        }
        if (to - from) / step as u64 >= MAX_HOSTS as u64 {
            return Err(RangeError::TooMany);
        }
        // A leading zero keeps the width of the first bound.
        let width = if first.starts_with('0') { first.len() } else { 1 };
        return Ok((from..=to).step_by(step).map(|n| format!("{n:0width$}")).collect());
    }
    match (first.as_bytes(), last.as_bytes()) {
        ([from], [to]) if from.is_ascii_alphabetic() && to.is_ascii_alphabetic() && from <= to => {
            let letters = (*from..=*to).filter(u8::is_ascii_alphabetic).step_by(step);
            Ok(letters.map(|letter| char::from(letter).to_string()).collect())
        }
        _ => Err(RangeError::Form),
    }
}

fn number(text: &str) -> Result<u64, RangeError> {
    text.parse().map_err(|_| RangeError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_name_their_hosts() {
        let table: [(&str, &[&str]); 9] = [
            ("web", &["web"]),
            ("web[1:3]", &["web1", "web2", "web3"]),
            ("web[08:11].x", &["web08.x", "web09.x", "web10.x", "web11.x"]),
            ("db[a:c]", &["dba", "dbb", "dbc"]),
            ("r[1:5:2]", &["r1", "r3", "r5"]),
            ("r[:2]", &["r0", "r1", "r2"]),
            ("r[1:2]-[a:b]", &["r1-a", "r1-b", "r2-a", "r2-b"]),
            ("[fe80::1]", &["[fe80::1]"]),
            ("odd[x", &["odd[x"]),
        ];
        for (pattern, expected) in table {
            assert_eq!(expand(pattern).unwrap(), expected, "{pattern}");
        }
    }

    #[test]
    fn ranges_without_hosts_or_with_too_many_are_refused() {
        for pattern in ["w[3:1]", "w[a:1]", "w[1:3:0]", "w[c:a]", "w[aa:bb]", "w[1:x]", "w[1:]"] {
            assert_eq!(expand(pattern), Err(RangeError::Form), "{pattern}");
        }
        for pattern in ["w[1:999999999]", "w[1:1000]-[1:1000]"] {
            assert_eq!(expand(pattern), Err(RangeError::TooMany), "{pattern}");
        }
    }
}
