//! Which algorithms are offered, and the client's part of the protocol settings.

use std::borrow::Cow;
use std::time::Duration;

use russh::client;
use russh::{Preferred, cipher, compression, kex, mac};

use super::host_keys::Wanted;

/// Key exchange, the most preferred first.
///
/// X25519 alone before the hybrid with ML-KEM-768, although the hybrid also protects recordings of today against
/// quantum computers of tomorrow: what is read from runners are package lists, not secrets that must last. Servers
/// that allow nothing but the hybrid get it. The finite-field groups are for old servers; SHA-1 ones are never offered.
///
/// Client CPU for a connection with one command and 300 kB of answer (`benches/ssh.rs`, one busy 2-core machine):
/// X25519 1.4 ms, P-256 1.5 to 1.7 ms, group 14 7.9 ms. ML-KEM adds 0.2 ms per handshake to both sides together.
const KEY_EXCHANGE: &[kex::Name] = &[
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::MLKEM768X25519_SHA256,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// Ciphers, the cheapest first; all but the counter modes authenticate by themselves. For the same connection:
/// AES-GCM 1.4 ms with either key size, ChaCha20-Poly1305 1.5 to 1.6 ms, AES-256-CTR with a MAC 1.8 ms.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Message authentication for the counter modes.
const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];

/// No compression: a package list is small, and what is compressed can be a bomb.
const COMPRESSION: &[compression::Name] = &[compression::NONE];

/// Flow control window in bytes: a whole package list (about 300 kB) fits without an adjustment in between.
const WINDOW: u32 = 2 * 1024 * 1024;

/// Largest packet in bytes; what OpenSSH sends at most.
const PACKET: u32 = 32 * 1024;

/// Unanswered keepalives before a connection counts as dead.
const KEEPALIVES: usize = 3;

/// Pieces of an answer that wait for their reader before the server is made to wait.
const WAITING: usize = 2;

/// The same at a bastion, where one reader must not make all others wait.
const WAITING_AT_BASTION: usize = 100;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A conversation with its server.
    Session,
    /// Connections to other servers go through it.
    Bastion,
}

/// The settings for one connection.
pub(super) fn client_config(wanted: Wanted, keepalive: Duration, used_as: Use) -> client::Config {
    client::Config {
        channel_buffer_size: match used_as {
            Use::Session => WAITING,
            Use::Bastion => WAITING_AT_BASTION,
        },
        preferred: Preferred {
            kex: Cow::Borrowed(KEY_EXCHANGE),
            key: Cow::Owned(wanted.keys),
            host_key_certificates: Cow::Owned(wanted.certificates),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(COMPRESSION),
        },
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        keepalive_interval: Some(keepalive),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..client::Config::default()
    }
}
