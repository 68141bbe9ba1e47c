//! `why PACKAGE [RUNNER]`.
