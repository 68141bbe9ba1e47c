//! What people have signed, and whether they are the people who count.
//!
//! | file | what |
//! |---|---|
//! | `commit` | a commit's signed payload and signature, parsed strictly |
//! | `tree` | a tree, parsed strictly, and object ids with SHA-1 collisions detected |
//! | `sshsig` | OpenSSH's signature format |
//! | `allowed_signers` | who may sign |
//! | `people` | from a signature to a person who counts; how many people they are |
//! | `statement` | what a person says about a proposal |
//! | `merge` | a merge adds exactly what it names |
//! | `signed` | leases, orders and tokens |
//! | `bundle` | everything that a runner judges one application by |
//! | `history` | canonical, judged commit by commit |
//!
//! libgit2 decides nothing here: it reads past the header when it looks for signatures.

pub mod allowed_signers;
pub mod bundle;
pub mod commit;
#[cfg(feature = "git")]
pub mod history;
pub mod merge;
pub mod people;
pub mod signed;
pub mod sshsig;
pub mod statement;
pub mod tree;

/// A public key. The one `ssh-key` in the graph is that of the SSH client.
pub use ssh_key::public::KeyData;
