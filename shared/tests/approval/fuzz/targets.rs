//! The targets.

use super::mutate::{directory, mutated, seeds};
use crate::NOW;
use crate::keys::key_data;
use countersign_manifests_schema::bundle::SignedText;
use countersign_shared::approval::KeyData;
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::bundle::{BundleRules, verify};
use countersign_shared::approval::commit::RawCommit;
use countersign_shared::approval::people::{People, read_keys};
use countersign_shared::approval::signed::{open_lease, open_order, open_token};
use countersign_shared::approval::sshsig::SshSignature;
use countersign_shared::approval::statement::{Named, named_in};
use countersign_shared::approval::tree::{Kind, Mode, RawTree, object_id};
use countersign_shared::canonical_json::sha256;
use countersign_shared::proposal::Sealed;
use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

/// What the seeds of signatures are over, in the namespace `git`.
pub(crate) const MESSAGE: &[u8] = b"text";
/// The directory of the public keys.
pub(crate) const PEOPLE: &str = "people";
/// Inputs of one burst.
const BURST: usize = 400;

/// A burst of one target: seeds, noise, and seeds changed by the noise. The answer is whether the input was taken.
macro_rules! burst {
    ($name:ident, $target:expr) => {
        #[test]
        fn $name() {
            let seeds = seeds(stringify!($name));
            let target = |bytes: &[u8]| -> bool { $target(bytes, &seeds) };
            let taken = seeds.iter().filter(|seed| target(seed.as_slice())).count();
            assert_eq!(taken, seeds.len(), "a seed is refused");
            bolero::check!(name = stringify!($name)).with_iterations(BURST).for_each(|input: &[u8]| {
                target(input);
                target(&mutated(&seeds, input));
            });
            println!("{}: {} seeds, {BURST} inputs", stringify!($name), seeds.len());
        }
    };
}

burst!(commit, |bytes: &[u8], seeds: &[Vec<u8>]| {
    let id = object_id(Kind::Commit, bytes);
    let Ok(commit) = RawCommit::parse(bytes) else { return false };
    assert_eq!(id.unwrap().len(), 40);
    if let Some(signed) = &commit.signed {
        // The payload is a commit of its own, and says the same.
        let payload = RawCommit::parse(&signed.payload).unwrap();
        assert_eq!((payload.signed, payload.message), (None, commit.message));
        assert_eq!((payload.tree, payload.parents), (commit.tree, commit.parents));
        // Whoever signed, signed one of the seeds.
        if people().who(&signed.signature, "git", &signed.payload).is_ok() {
            let same = |seed: &Vec<u8>| {
                let seed = RawCommit::parse(seed).unwrap().signed;
                seed.is_some_and(|seed| seed.payload == signed.payload)
            };
            assert!(seeds.iter().any(same));
        }
    }
    true
});

burst!(tree, |bytes: &[u8], _: &[Vec<u8>]| {
    let Ok(tree) = RawTree::parse(bytes) else { return false };
    let mut written = Vec::new();
    for entry in &tree.entries {
        let mode = match entry.mode {
            Mode::File => "100644",
            Mode::Executable => "100755",
            Mode::Symlink => "120000",
            Mode::Submodule => "160000",
            Mode::Directory => "40000",
        };
        written.extend_from_slice(format!("{mode} {}\0", entry.name).as_bytes());
        written.extend((0..40).step_by(2).map(|i| u8::from_str_radix(&entry.id[i..i + 2], 16).unwrap()));
    }
    assert_eq!(written, bytes);
    true
});

burst!(sshsig, |bytes: &[u8], seeds: &[Vec<u8>]| {
    let Some(signature) = std::str::from_utf8(bytes).ok().and_then(|text| SshSignature::parse(text).ok()) else {
        return false;
    };
    let armoured = signature.armoured();
    assert_eq!(SshSignature::parse(&armoured).as_ref(), Ok(&signature));
    if people().who(&armoured, "git", MESSAGE).is_ok() {
        assert!(seeds.iter().any(|seed| seed == armoured.as_bytes()), "{armoured}");
    }
    true
});

burst!(allowed_signers, |bytes: &[u8], _: &[Vec<u8>]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(list) = AllowedSigners::parse(text) else { return false };
    // Comments and empty lines say nothing, and each line is read by itself.
    assert_eq!(AllowedSigners::parse(&format!("# more\n\n{text}\n#")).as_ref(), Ok(&list));
    assert!(text.lines().all(|line| AllowedSigners::parse(line).is_ok()));
    true
});

burst!(revoked, |bytes: &[u8], _: &[Vec<u8>]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(keys) = read_keys(text) else { return false };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(keys.len(), lines.count());
    true
});

burst!(statement, |bytes: &[u8], _: &[Vec<u8>]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    if let Some(named) = Named::parse(text) {
        assert_eq!(named.line(), text);
    }
    let Ok(named) = named_in(text) else { return false };
    for one in &named {
        assert_eq!(text.split('\n').filter(|line| *line == one.line()).count(), 1);
    }
    true
});

burst!(signed, |bytes: &[u8], seeds: &[Vec<u8>]| {
    let Ok(signed) = serde_json::from_slice::<SignedText>(bytes) else { return false };
    let opened = open_lease(&signed, &people()).is_ok()
        || open_order(&signed, &people()).is_ok()
        || open_token(&signed, notary(), NOW).is_ok();
    if opened {
        let text = |seed: &Vec<u8>| serde_json::from_slice::<SignedText>(seed).unwrap().text;
        assert!(seeds.iter().any(|seed| text(seed) == signed.text), "{}", signed.text);
    }
    opened
});

burst!(bundle, |bytes: &[u8], seeds: &[Vec<u8>]| {
    let taken = [None, Some(notary())].into_iter().any(|notary| {
        let max_age = Duration::from_secs(86_400);
        let people = people();
        let rules =
            BundleRules { people, runner: "r1", required: 1, protected: &[], protected_required: 1, max_age, notary };
        verify(bytes, &rules).is_ok()
    });
    if taken {
        assert!(seeds.iter().any(|seed| seed == bytes), "{}", String::from_utf8_lossy(bytes));
    }
    taken
});

burst!(sealed, |bytes: &[u8], _: &[Vec<u8>]| {
    let Ok(sealed) = Sealed::parse(bytes) else { return false };
    assert_eq!((sealed.bytes(), sealed.id()), (bytes, sha256(bytes).as_str()));
    true
});

fn people() -> People<'static> {
    static LISTED: OnceLock<AllowedSigners> = OnceLock::new();
    let listed = LISTED.get_or_init(|| {
        AllowedSigners::parse(&fs::read_to_string(directory(PEOPLE).join("allowed")).unwrap()).unwrap()
    });
    People { listed, bots: &[], revoked: &[], require_touch: false, now: NOW }
}

fn notary() -> &'static KeyData {
    static NOTARY: OnceLock<KeyData> = OnceLock::new();
    NOTARY.get_or_init(|| key_data(&fs::read_to_string(directory(PEOPLE).join("notary.pub")).unwrap()))
}
