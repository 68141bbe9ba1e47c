//! Who is at the other end of the socket, as the kernel says. This only filters: what counts is what people have signed.

use rustix::net::sockopt::socket_peercred;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;

/// A process that has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user id when it connected.
    pub uid: u32,
    /// Its effective group and its supplementary groups.
    pub groups: Vec<u32>,
}

/// An entry of `operators`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// `uid:NUMBER` or `uid:NAME`.
    User(u32),
    /// `gid:NUMBER` or `gid:NAME`.
    Group(u32),
}

/// Why an entry of `operators` says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedError {
    /// Neither `uid:` nor `gid:`.
    #[error("{0:?} is neither a uid nor a gid")]
    Kind(String),
    /// No such account here.
    #[error("there is no {0} on this machine")]
    Unknown(String),
}

impl AllowedError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Kind(_) => "write \"gid:wheel\" or \"uid:1000\"",
            Self::Unknown(_) => "write its number if it is not in /etc/passwd or /etc/group",
        }
    }
}

/// Names of users and groups, from files in the form of passwd(5) and group(5).
#[derive(Debug, Clone, Default)]
pub struct Directory {
    users: String,
    groups: String,
}

impl Directory {
    /// `/etc/passwd` and `/etc/group`. What cannot be read names nobody.
    pub fn of_this_machine() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self { users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    /// These texts.
    pub fn of(users: &str, groups: &str) -> Self {
        Self { users: users.to_owned(), groups: groups.to_owned() }
    }
}

fn number(table: &str, name: &str) -> Option<u32> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.parse().ok();
    }
    let mut rows = table.lines().map(|line| line.split(':'));
    rows.find_map(|mut row| (row.next() == Some(name)).then(|| row.nth(1)?.parse().ok()).flatten())
}

impl Allowed {
    /// Reads `uid:…` or `gid:…`.
    pub fn parse(text: &str, accounts: &Directory) -> Result<Self, AllowedError> {
        let unknown = || AllowedError::Unknown(text.to_owned());
        match text.split_once(':') {
            Some(("uid", name)) => number(&accounts.users, name).map(Allowed::User).ok_or_else(unknown),
            Some(("gid", name)) => number(&accounts.groups, name).map(Allowed::Group).ok_or_else(unknown),
            _ => Err(AllowedError::Kind(text.to_owned())),
        }
    }

    fn fits(self, peer: &Peer) -> bool {
        match self {
            Allowed::User(uid) => peer.uid == uid,
            Allowed::Group(gid) => peer.groups.contains(&gid),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::User(uid) => write!(f, "uid:{uid}"),
            Allowed::Group(gid) => write!(f, "gid:{gid}"),
        }
    }
}

impl Peer {
    /// The user and group come from SO_PEERCRED and are those of the moment of the connection.
    ///
    /// The supplementary groups are those that SO_PEERGROUPS would give; no safe binding has it, and the kernel shows the
    /// same list in /proc. A process that meanwhile took the number of one that ended counts only if it is of the same
    /// user, who then could have asked by it anyway.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = socket_peercred(stream)?;
        let uid = credentials.uid.as_raw();
        let mut groups = vec![credentials.gid.as_raw()];
        let status = std::fs::read_to_string(format!("/proc/{}/status", credentials.pid.as_raw_nonzero()));
        // A process that is gone, or hidden from us, is judged by what the socket says alone.
        if let Ok(status) = status
            && numbers(&status, "Uid:").nth(1) == Some(uid)
        {
            groups.extend(numbers(&status, "Groups:"));
        }
        Ok(Self { uid, groups })
    }

    /// Whether an entry of `operators` fits.
    pub fn is_operator(&self, operators: &[Allowed]) -> bool {
        operators.iter().any(|allowed| allowed.fits(self))
    }
}

/// proc_pid_status(5): `Uid:` real, effective, saved, file system; `Groups:` the supplementary ones.
fn numbers<'a>(status: &'a str, field: &str) -> impl Iterator<Item = u32> + 'a {
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().filter_map(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_who_asks() {
        let (here, _there) = UnixStream::pair().unwrap();
        let peer = Peer::of(&here).unwrap();
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert!(peer.groups.contains(&rustix::process::getegid().as_raw()));
        assert!(peer.is_operator(&[Allowed::User(peer.uid)]));
        assert!(peer.is_operator(&[Allowed::User(peer.uid + 1), Allowed::Group(peer.groups[0])]));
        assert!(!peer.is_operator(&[Allowed::User(peer.uid + 1)]) && !peer.is_operator(&[]));
    }

    #[test]
    fn a_group_is_one_of_those_of_the_process() {
        let peer = Peer { uid: 5, groups: vec![5, 10] };
        assert!(peer.is_operator(&[Allowed::Group(10)]));
        assert!(!peer.is_operator(&[Allowed::User(10), Allowed::Group(11)]));
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nGroups:\t4 24 1000 \n";
        assert_eq!(numbers(status, "Groups:").collect::<Vec<_>>(), [4, 24, 1000]);
        assert_eq!(numbers(status, "Uid:").nth(1), Some(2));
    }
}
