//! A commit object as it was hashed, split into what is signed and the signature (gitformat-signature(5)).
//!
//! Stricter than git, because what git skips over a second reader may read: no NUL, no second signature, none of
//! another kind, none outside the header.

/// Longer commits are refused: 10,000 approvals in one message take less than 2 MiB.
const LONGEST: usize = 4 << 20;

/// A parsed commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawCommit {
    /// Id of the tree, 40 hex digits.
    pub tree: String,
    /// Ids of the parents, first parent first.
    pub parents: Vec<String>,
    /// The message.
    pub message: String,
    /// The signature and what it is over, if there is one.
    pub signed: Option<Signed>,
}

/// A signature in a commit's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The commit without the signature's header.
    pub payload: Vec<u8>,
    /// The armoured signature, one newline at its end.
    pub signature: String,
}

/// Why a commit object is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Git stops reading at a NUL, others do not.
    #[error("it has a NUL byte")]
    Nul,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// The header is not of git's form.
    #[error("its header is malformed: {0}")]
    Header(&'static str),
    /// More than one signature.
    #[error("it has more than one signature")]
    SeveralSignatures,
    /// A `gpgsig` header of another kind, such as `gpgsig-sha256`.
    #[error("it has a signature header of another kind")]
    OtherSignature,
    /// An encoding other than UTF-8: another reader would see another message.
    #[error("its message is in another encoding than UTF-8")]
    Encoding,
    /// Longer than any that people write.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// Text that looks like a signature's header, where there is no header.
    #[error("it has a signature outside its header")]
    SignatureOutsideHeader,
}

impl RawCommit {
    /// Reads the bytes of a commit object.
    pub fn parse(raw: &[u8]) -> Result<Self, CommitError> {
        if raw.len() > LONGEST {
            return Err(CommitError::TooLong);
        }
        if raw.contains(&0) {
            return Err(CommitError::Nul);
        }
        let text = std::str::from_utf8(raw).map_err(|_| CommitError::NotUtf8)?;
        let (header, message) =
            text.split_once("\n\n").ok_or(CommitError::Header("there is no empty line after it"))?;
        if message.lines().any(|line| line.starts_with("gpgsig")) {
            return Err(CommitError::SignatureOutsideHeader);
        }
        let fields = fields(header)?;
        let mut rest = fields.iter().peekable();
        let tree = match rest.next() {
            Some(field) if field.name == "tree" => object_id(field.value)?,
            _ => return Err(CommitError::Header("it does not begin with a tree")),
        };
        let mut parents = Vec::new();
        while let Some(field) = rest.next_if(|field| field.name == "parent") {
            parents.push(object_id(field.value)?);
        }
        for name in ["author", "committer"] {
            if rest.next().is_none_or(|field| field.name != name || field.value.contains('\n')) {
                return Err(CommitError::Header("author and committer do not follow the parents"));
            }
        }
        let mut signature: Option<&Field<'_>> = None;
        for field in rest {
            match field.name {
                "tree" | "parent" | "author" | "committer" => {
                    return Err(CommitError::Header("a field is there twice"));
                }
                "encoding" if !field.value.eq_ignore_ascii_case("UTF-8") => return Err(CommitError::Encoding),
                "gpgsig" if signature.is_some() => return Err(CommitError::SeveralSignatures),
                "gpgsig" => signature = Some(field),
                name if name.to_ascii_lowercase().starts_with("gpgsig") => return Err(CommitError::OtherSignature),
                _ => {}
            }
        }
        let signed = signature.map(|field| {
            let mut payload = Vec::with_capacity(raw.len());
            payload.extend_from_slice(&raw[..field.start]);
            payload.extend_from_slice(&raw[field.end..]);
            // A continuation line begins with one space, which is not part of the value.
            let signature = format!("{}\n", field.value.replace("\n ", "\n"));
            Signed { payload, signature }
        });
        Ok(Self { tree, parents, message: message.to_owned(), signed })
    }

    /// What follows `start` in the lines of the message that begin with it. Only a newline ends a line.
    pub fn statements<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.message.split('\n').filter_map(move |line| line.strip_prefix(start))
    }
}

/// A header field with its continuation lines.
struct Field<'a> {
    name: &'a str,
    value: &'a str,
    /// Bytes of the commit that it takes, its newline included.
    start: usize,
    end: usize,
}

fn fields(header: &str) -> Result<Vec<Field<'_>>, CommitError> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for line in header.split('\n') {
        if !line.starts_with(' ') {
            starts.push(offset);
        }
        offset += line.len() + 1;
    }
    if starts.first() != Some(&0) {
        return Err(CommitError::Header("it begins with a continuation line"));
    }
    let ends = starts.iter().skip(1).copied().chain([header.len() + 1]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| {
            let (name, value) =
                header[start..end - 1].split_once(' ').ok_or(CommitError::Header("a field has no value"))?;
            Ok(Field { name, value, start, end })
        })
        .collect()
}

fn object_id(text: &str) -> Result<String, CommitError> {
    let hex = text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex { Ok(text.to_owned()) } else { Err(CommitError::Header("an object id is not 40 hex digits")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn unsigned() -> String {
        format!("tree {TREE}\nparent {TREE}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nSubject\n")
    }

    fn with(header: &str) -> String {
        unsigned().replacen("\n\n", &format!("\n{header}\n\n"), 1)
    }

    const SIGNATURE: &str = "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----";

    #[test]
    fn the_payload_is_the_commit_without_its_signature() {
        let commit = RawCommit::parse(with(SIGNATURE).as_bytes()).unwrap();
        let signed = commit.signed.unwrap();
        assert_eq!(signed.payload, unsigned().as_bytes());
        assert_eq!(signed.signature, "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n");
        assert_eq!(commit.parents, [TREE]);
        // Fields on both sides of it stay.
        let between = format!("encoding UTF-8\n{SIGNATURE}\nx-note one\n two");
        let commit = RawCommit::parse(with(&between).as_bytes()).unwrap();
        assert_eq!(commit.signed.unwrap().payload, with("encoding UTF-8\nx-note one\n two").as_bytes());
    }

    #[test]
    fn whatever_two_readers_could_read_differently_is_refused() {
        use CommitError::{Header, Nul, OtherSignature, SeveralSignatures, SignatureOutsideHeader};
        for (text, expected) in [
            (format!("{}\0hidden", with(SIGNATURE)), Nul),
            (with(SIGNATURE).replacen("Subject", "Sub\0ject", 1), Nul),
            (with(&format!("{SIGNATURE}\n{SIGNATURE}")), SeveralSignatures),
            (with("gpgsig-sha256 x"), OtherSignature),
            (with(&format!("{SIGNATURE}\ngpgsig-sha256 x")), OtherSignature),
            (with("GPGSIG x"), OtherSignature),
            (format!("{}\n{SIGNATURE}\n", unsigned()), SignatureOutsideHeader),
            (format!("{}\n{SIGNATURE}\n", with(SIGNATURE)), SignatureOutsideHeader),
            (with(&format!("tree {TREE}")), Header("a field is there twice")),
            (with(&format!("parent {TREE}")), Header("a field is there twice")),
            (with("author B <b@b> 1 +0000"), Header("a field is there twice")),
            (with("lonely"), Header("a field has no value")),
            (with(" more"), Header("author and committer do not follow the parents")),
            (format!(" x\n{}", unsigned()), Header("it begins with a continuation line")),
            (unsigned().replacen("tree ", "tree\n ", 1), Header("it does not begin with a tree")),
            (
                unsigned().replacen(TREE, "4B825DC642CB6EB9A060E54BF8D69288FBEE4904", 1),
                Header("an object id is not 40 hex digits"),
            ),
            (unsigned().replacen("\n\n", "\n", 1), Header("there is no empty line after it")),
            (String::new(), Header("there is no empty line after it")),
        ] {
            assert_eq!(RawCommit::parse(text.as_bytes()), Err(expected), "{text:?}");
        }
        assert_eq!(RawCommit::parse(b"\xff\n\n"), Err(CommitError::NotUtf8));
    }

    #[test]
    fn an_unsigned_commit_is_a_commit() {
        assert_eq!(RawCommit::parse(unsigned().as_bytes()).unwrap().signed, None);
    }

    #[test]
    fn statements_are_whole_lines_of_the_message() {
        let text = unsigned() + "Key: one\n Key: two\nOther Key: three\nKey:four\nKey: five\nKey: six\r\n";
        let commit = RawCommit::parse(text.as_bytes()).unwrap();
        assert_eq!(commit.statements("Key: ").collect::<Vec<_>>(), ["one", "five", "six\r"]);
    }

    proptest! {
        #[test]
        fn payload_and_signature_together_are_the_commit(
            before in "([a-z]{1,5} [ -~]{0,9}\n){0,3}",
            lines in proptest::collection::vec("[A-Za-z0-9+/=]{1,70}", 1..5),
            message in "[ -~\n]{0,80}",
        ) {
            let value = lines.join("\n ");
            let rest = unsigned().replacen("\n\nSubject\n", "\n", 1);
            let text = format!("{rest}{before}gpgsig {value}\n\n{message}");
            if let Ok(commit) = RawCommit::parse(text.as_bytes()) {
                let signed = commit.signed.unwrap();
                prop_assert_eq!(signed.payload, format!("{rest}{before}\n{message}").into_bytes());
                prop_assert_eq!(signed.signature, format!("{}\n", lines.join("\n")));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = RawCommit::parse(&bytes);
        }
    }
}
