//! How a runner is asked.

use countersign_shared::observation::{Failure, Nonce, PlanRequest, RequestError};
use countersign_shared::ssh::{Limits, Session};

use crate::probe;

/// Something that answers questions about a plan.
pub trait Ask {
    /// Puts one question; the record is complete and tied to it.
    fn put(
        &self,
        request: impl Fn(Nonce) -> Result<PlanRequest, RequestError>,
    ) -> impl Future<Output = Result<String, Failure>>;
}

/// A runner, over SSH.
#[derive(Debug)]
pub struct Runner<'s> {
    /// The connection.
    pub session: &'s Session,
    /// Whether the probe's text is sent along; see `trust.accept = ["plain-exec"]`.
    pub plain_exec: bool,
    /// Bytes and time for one question.
    pub limits: Limits,
}

impl Ask for Runner<'_> {
    async fn put(&self, request: impl Fn(Nonce) -> Result<PlanRequest, RequestError>) -> Result<String, Failure> {
        probe::plan(self.session, self.plain_exec, request, self.limits).await
    }
}
