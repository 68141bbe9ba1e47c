//! Security keys without the hardware: what a FIDO authenticator would sign, signed by keys in software (PROTOCOL.u2f).

use countersign_shared::approval::KeyData;
use signature::Signer as _;
use ssh_key::public::{SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};
use std::path::Path;

/// The flags of an authenticator.
pub(crate) const TOUCHED: u8 = 0x01;
pub(crate) const UNTOUCHED: u8 = 0x00;
/// Somebody was verified, by a PIN, and yet touched nothing.
pub(crate) const VERIFIED_ONLY: u8 = 0x04;

const APPLICATION: &str = "ssh:";

/// One of them.
pub(crate) struct SecurityKey {
    private: PrivateKey,
    public: KeyData,
}

impl SecurityKey {
    /// Turns the private key of a file, ed25519 or P-256, into one.
    pub(crate) fn of(file: &Path) -> Self {
        let private = PrivateKey::read_openssh_file(file).unwrap();
        let public = match private.public_key().key_data() {
            KeyData::Ed25519(key) => KeyData::SkEd25519(SkEd25519::from(*key)),
            KeyData::Ecdsa(ssh_key::public::EcdsaPublicKey::NistP256(point)) => {
                KeyData::SkEcdsaSha2NistP256(SkEcdsaSha2NistP256::from(*point))
            }
            other => panic!("{other:?}"),
        };
        Self { private, public }
    }

    /// As in a `.pub` file.
    pub(crate) fn line(&self) -> String {
        PublicKey::from(self.public.clone()).to_openssh().unwrap().trim().to_owned()
    }

    /// The armoured signature with these flags.
    pub(crate) fn sign(&self, namespace: &str, message: &[u8], flags: u8) -> String {
        self.sign_and_show(namespace, message, flags, flags)
    }

    /// The armoured signature over the first flags, which shows the second.
    pub(crate) fn sign_and_show(&self, namespace: &str, message: &[u8], flags: u8, shown: u8) -> String {
        let enveloped = SshSig::signed_data(namespace, HashAlg::Sha512, message).unwrap();
        let trailer = [flags, 0, 0, 0, 7];
        let digest = |bytes: &[u8]| HashAlg::Sha256.digest(bytes);
        let data = [digest(APPLICATION.as_bytes()).as_slice(), &trailer, &digest(&enveloped)].concat();
        let plain = self.private.try_sign(&data).unwrap();
        let algorithm = match self.public {
            KeyData::SkEd25519(_) => Algorithm::SkEd25519,
            _ => Algorithm::SkEcdsaSha2NistP256,
        };
        let signature = Signature::new(algorithm, [plain.as_bytes(), &[shown], &trailer[1..]].concat()).unwrap();
        let whole = SshSig::new(self.public.clone(), namespace, HashAlg::Sha512, signature).unwrap();
        let text = whole.to_pem(LineEnding::LF).unwrap();
        if text.ends_with('\n') { text } else { format!("{text}\n") }
    }
}
