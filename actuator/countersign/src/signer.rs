//! The person's key, as git has it configured: git and ssh-keygen sign, so agents and security keys do as they always do.

use crate::git::Repository;
use crate::shell::Shell;
use crate::stop::{Result, Stop};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// `user.signingkey` and `gpg.ssh.program`.
#[derive(Debug)]
pub(crate) struct Signer {
    key: Key,
    program: String,
}

#[derive(Debug)]
enum Key {
    /// A private key, or a public one whose private half an agent has.
    File(PathBuf),
    /// A public key, written out.
    Literal(String),
}

impl Signer {
    /// Reads the person's configuration; refuses where git would not sign with an SSH key.
    pub(crate) fn of(shell: &Shell, repository: &Repository) -> Result<Self> {
        let refuse = |message: String, hint: &str| Err(Stop::invalid("no-signature", message).hint(hint));
        let format = repository.setting(shell, "gpg.format")?;
        if format.as_deref() != Some("ssh") {
            let format = format.unwrap_or_else(|| "openpgp".to_owned());
            return refuse(
                format!("git signs with {format} here, and only SSH signatures count"),
                "git config --global gpg.format ssh; beside OpenPGP, an SSH key for signing is enough",
            );
        }
        let Some(key) = repository.setting(shell, "user.signingkey")? else {
            return refuse(
                "git has no key to sign with".to_owned(),
                "git config --global user.signingkey ~/.ssh/id_ed25519_sk.pub",
            );
        };
        let literal = key.strip_prefix("key::").unwrap_or(&key);
        let is_literal = key.starts_with("key::") || key.starts_with("ssh-");
        let key = match (is_literal, key.strip_prefix("~/"), std::env::var_os("HOME")) {
            (true, ..) => Key::Literal(literal.to_owned()),
            (false, Some(rest), Some(home)) => Key::File(PathBuf::from(home).join(rest)),
            _ => Key::File(repository.dir().join(&key)),
        };
        let program = repository.setting(shell, "gpg.ssh.program")?.unwrap_or_else(|| "ssh-keygen".to_owned());
        Ok(Self { key, program })
    }

    /// The public key, where its file tells; a certificate or an agent's key may be known only by its signature.
    pub(crate) fn public(&self) -> Option<KeyData> {
        let read = |text: &str| PublicKey::from_openssh(text.trim()).ok().map(|key| key.key_data().clone());
        match &self.key {
            Key::Literal(text) => read(text),
            Key::File(path) => {
                let beside = {
                    let mut name = path.clone().into_os_string();
                    name.push(".pub");
                    PathBuf::from(name)
                };
                [path, &beside].into_iter().find_map(|path| read(&std::fs::read_to_string(path).ok()?))
            }
        }
    }

    /// A detached signature, as `ssh-keygen -Y sign` makes it.
    pub(crate) fn sign(&self, shell: &Shell, namespace: &str, bytes: &[u8]) -> Result<String> {
        let failed = |error: std::io::Error| Stop::failed("not-signed", "no signature").because(error.to_string());
        let dir = tempfile::tempdir().map_err(failed)?;
        let message = dir.path().join("message");
        std::fs::write(&message, bytes).map_err(failed)?;
        let mut arguments: Vec<OsString> = ["-Y", "sign", "-n", namespace, "-f"].map(OsString::from).to_vec();
        match &self.key {
            Key::File(path) => arguments.push(path.into()),
            Key::Literal(text) => {
                let path = dir.path().join("key.pub");
                std::fs::write(&path, format!("{text}\n")).map_err(failed)?;
                arguments.extend([path.into(), "-U".into()]);
            }
        }
        arguments.push(message.clone().into());
        let ended = shell.run(OsStr::new(&self.program), &arguments)?;
        if !ended.success {
            return Err(Stop::failed("not-signed", format!("{} did not sign", self.program))
                .because(ended.words())
                .hint("key, agent and security key must answer: try the command above by hand"));
        }
        std::fs::read_to_string(dir.path().join("message.sig")).map_err(failed)
    }
}
