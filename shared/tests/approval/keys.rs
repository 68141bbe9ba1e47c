//! Keys, certificates and signatures, all made by ssh-keygen.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Keys made by ssh-keygen in a directory of their own.
pub(crate) struct Keys {
    place: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let keys = Self { place: tempfile::tempdir().unwrap() };
        for name in ["ada", "ben", "bot", "authority", "notary"] {
            keys.make(name, &["-t", "ed25519"]);
        }
        keys
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn make(&self, name: &str, kind: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "", "-f"]).arg(self.path(name)).args(kind);
        assert!(command.output().unwrap().status.success());
    }

    pub(crate) fn public(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// A certificate for `name`, after which `name` signs with it.
    pub(crate) fn certify(&self, name: &str, options: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.arg("-q").arg("-s").arg(self.path("authority")).args(["-I", "id"]).args(options);
        let output = command.arg(self.path(&format!("{name}.pub"))).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::rename(self.path(&format!("{name}-cert.pub")), self.path(&format!("{name}.cert"))).unwrap();
    }

    /// Signs with the key, or with the certificate when the name ends in `.cert`.
    pub(crate) fn sign(&self, name: &str, namespace: &str, message: &[u8]) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]);
        match name.strip_suffix(".cert") {
            // ssh-keygen signs with a certificate when it lies beside the key under its usual name.
            Some(key) => {
                let alone = tempfile::tempdir().unwrap();
                fs::copy(self.path(key), alone.path().join("k")).unwrap();
                fs::copy(self.path(name), alone.path().join("k-cert.pub")).unwrap();
                command.arg(alone.path().join("k-cert.pub"));
                return piped(command, message).1;
            }
            None => command.arg(self.path(name)),
        };
        piped(command, message).1
    }

    /// What `ssh-keygen -Y verify` says.
    pub(crate) fn verifies(
        &self,
        allowed: &str,
        principal: &str,
        namespace: &str,
        signature: &str,
        message: &[u8],
    ) -> bool {
        let (list, file) = (self.path("allowed"), self.path("signature"));
        fs::write(&list, allowed).unwrap();
        fs::write(&file, signature).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "verify", "-n", namespace, "-I", principal, "-f"]).arg(list).arg("-s").arg(file);
        command.arg("-Overify-time=20261120120000Z").env("TZ", "UTC");
        piped(command, message).0
    }
}

/// Runs a command with this on its standard input.
pub(crate) fn piped(mut command: Command, input: &[u8]) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// The key of a line of a `.pub` file.
pub(crate) fn key_data(line: &str) -> ssh_key::public::KeyData {
    ssh_key::PublicKey::from_openssh(line).unwrap().key_data().clone()
}
