//! What people have signed, and whether they are the people who count.
//!
//! [`commit`]: a commit's signed payload and signature, parsed strictly. [`sshsig`]: OpenSSH's signature format.
//! [`allowed_signers`]: who may sign. [`history`]: canonical, judged commit by commit.
//! libgit2 decides nothing here: it reads past the header when it looks for signatures.

pub mod allowed_signers;
pub mod commit;
#[cfg(feature = "git")]
pub mod history;
pub mod sshsig;
