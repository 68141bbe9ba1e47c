//! Which repository, with which credential. Parsed once, so that nothing odd ever reaches git's command line.

use super::error::GitError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// `http://` or `https://`.
    Http,
    /// `git://`: the anonymous daemon.
    Daemon,
    /// An absolute path or `file://`.
    Local(PathBuf),
}

/// A repository URL that is safe to hand to git.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    kind: Kind,
}

impl RemoteUrl {
    /// Accepts ssh, scp-like, http(s), git, file and absolute paths; refuses options, `ext::` and other helpers.
    pub fn parse(text: &str) -> Result<Self, GitError> {
        let refuse = |problem| Err(GitError::Url { url: without_password(text), problem });
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.starts_with('-') {
            return refuse("it begins with a dash");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("it has a space or a control character");
        }
        let kind = if let Some((scheme, rest)) = text.split_once("://") {
            if rest.starts_with('-') || rest.is_empty() {
                return refuse("it names no host");
            }
            match scheme {
                "ssh" | "git+ssh" | "ssh+git" => Kind::Ssh,
                "http" | "https" => Kind::Http,
                "git" => Kind::Daemon,
                "file" if rest.starts_with('/') => Kind::Local(PathBuf::from(rest)),
                "file" => return refuse("file:// needs an absolute path"),
                _ => return refuse("its scheme is not ssh, https, http, git or file"),
            }
        } else if text.contains("::") && !text.starts_with('/') {
            return refuse("remote helpers are not used");
        } else if text.starts_with('/') {
            Kind::Local(PathBuf::from(text))
        } else {
            match text.split_once(':') {
                Some((host, path)) if !host.is_empty() && !host.contains('/') && !path.is_empty() => Kind::Ssh,
                _ => return refuse("a path must be absolute"),
            }
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// How it is reached.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// As git takes it. May hold a password: never show it, show the `Display` form.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// The URL with `***` for a password.
impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.text))
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn without_password(text: &str) -> String {
    match password(text) {
        Some(secret) => text.replacen(secret, "***", 1),
        None => text.to_owned(),
    }
}

/// The password in `scheme://user:password@host`, or the token in `http(s)://token@host`.
pub(super) fn password(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (userinfo, _) = authority.rsplit_once('@')?;
    let secret = match userinfo.split_once(':') {
        Some((_, password)) => password,
        None if scheme.starts_with("http") => userinfo,
        None => return None,
    };
    Some(secret).filter(|secret| !secret.is_empty())
}

/// A full reference name: `refs/heads/main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// A branch by its short name.
    pub fn branch(name: &str) -> Result<Self, GitError> {
        if name.starts_with("refs/") {
            return Err(GitError::Reference { name: name.to_owned(), problem: "write it without refs/" });
        }
        Self::full(name, &format!("refs/heads/{name}"))
    }

    /// A branch by its short name, or any reference by its full one.
    pub fn parse(name: &str) -> Result<Self, GitError> {
        if name.starts_with("refs/") { Self::full(name, name) } else { Self::branch(name) }
    }

    fn full(name: &str, full: &str) -> Result<Self, GitError> {
        let refuse = |problem| Err(GitError::Reference { name: name.to_owned(), problem });
        if name.starts_with('-') {
            return refuse("it begins with a dash");
        }
        if name.len() > 200 {
            return refuse("it is longer than 200 bytes");
        }
        // git check-ref-format(1); globs are part of what it refuses.
        if !git2::Reference::is_valid_name(full) {
            return refuse("git does not allow that name");
        }
        Ok(Self(full.to_owned()))
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ssh may use, and nothing else: no agent, no user configuration, no default keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshAccess {
    /// Private key; a certificate beside it (`KEY-cert.pub`) is used too.
    pub key: Option<PathBuf>,
    /// Known host keys; `None` = the system's /etc/ssh/ssh_known_hosts.
    pub known_hosts: Option<PathBuf>,
}

/// A repository, the credential for it, and how long one command may take.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Where it is.
    pub url: RemoteUrl,
    /// For ssh URLs.
    pub ssh: SshAccess,
    /// Limit for one git command, connection included.
    pub timeout: Duration,
}

impl Remote {
    /// A remote with the default limit of two minutes.
    pub fn new(url: RemoteUrl, ssh: SshAccess) -> Self {
        Self { url, ssh, timeout: Duration::from_secs(120) }
    }
}

/// Whether git would take the url for a path relative to the working directory (git-clone(1), "GIT URLS").
pub fn is_relative_path(url: &str) -> bool {
    let before_slash = url.split('/').next().unwrap_or("");
    !url.starts_with('/') && !before_slash.contains(':')
}

/// Refuses what `ssh -o` would split, unquote or expand (`%h`, `~`, `${VAR}`), see ssh_config(5).
pub(super) fn plain_path(path: &Path) -> Result<&str, GitError> {
    path.to_str()
        .filter(|text| {
            text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+=,:@".contains(c))
        })
        .ok_or_else(|| GitError::SshPath(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_git_would_read_as_options_or_helpers_are_refused() {
        for text in [
            "",
            "-oProxyCommand=touch /tmp/x",
            "--upload-pack=touch",
            "ext::sh -c id",
            "ext::sh",
            "fd::7",
            "ftp://host/x",
            "ssh://-oProxyCommand=x/y",
            "ssh://",
            "relative/path",
            "./relative",
            "file://host/x",
            "https://host/a b",
            "https://host/a\nb",
            ":path",
        ] {
            assert!(matches!(RemoteUrl::parse(text), Err(GitError::Url { .. })), "{text:?} was accepted");
        }
    }

    #[test]
    fn urls_that_people_write_are_accepted_with_their_kind() {
        for (text, kind) in [
            ("ssh://git@forge.example/ops/canonical.git", Kind::Ssh),
            ("git@forge.example:ops/canonical.git", Kind::Ssh),
            ("https://forge.example/ops/canonical.git", Kind::Http),
            ("git://forge.example/canonical.git", Kind::Daemon),
            ("/srv/git/a.git", Kind::Local(PathBuf::from("/srv/git/a.git"))),
            ("file:///srv/git/a.git", Kind::Local(PathBuf::from("/srv/git/a.git"))),
        ] {
            assert_eq!(RemoteUrl::parse(text).unwrap().kind(), &kind, "{text}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "https://bot:hunter2@forge.example/x.git",
            "https://hunter2@forge.example/x.git",
            "ssh://git:hunter2@forge.example/x.git",
        ] {
            let url = RemoteUrl::parse(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url}");
        }
        assert_eq!(
            RemoteUrl::parse("ssh://git@forge.example/x.git").unwrap().to_string(),
            "ssh://git@forge.example/x.git"
        );
    }

    #[test]
    fn branches_that_are_options_globs_or_refspecs_are_refused() {
        for name in ["", "-x", "--all", "a b", "a..b", "a:b", "*", "heads/*", "a~1", "@{u}", "a.lock", "refs/heads/x"] {
            assert!(Reference::branch(name).is_err(), "{name:?} was accepted");
        }
        assert_eq!(Reference::branch("release/41").unwrap().as_str(), "refs/heads/release/41");
        assert_eq!(Reference::parse("refs/pull/7/head").unwrap().as_str(), "refs/pull/7/head");
    }

    #[test]
    fn paths_that_ssh_would_expand_are_refused() {
        for path in ["relative", "/a b", "/a%h", "/~x", "/a'b", "/a\"b", "/${HOME}", "/a\\b", "/a\nb"] {
            assert!(plain_path(Path::new(path)).is_err(), "{path:?} was accepted");
        }
        assert!(plain_path(Path::new("/etc/countersign/keys/canonical_read")).is_ok());
    }
}
