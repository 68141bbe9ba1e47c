//! A daemon behind a unix socket: takes people's leases, burns each proposal once, signs tokens. It reaches nothing.
