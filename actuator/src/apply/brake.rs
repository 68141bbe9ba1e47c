//! What stops a run: the first failure, or a person. Nothing new is started; what is in hand is brought to its end.

use super::progress::Progress;
use crate::stop::Stop;
use countersign_shared::exit::Outcome;
use std::cell::{Cell, RefCell};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Says whether anything new may be started in this run.
#[derive(Debug, Default)]
pub(super) struct Brake {
    why: RefCell<Option<String>>,
    signals: Cell<u32>,
}

impl Brake {
    /// Starts nothing new from now on. The first reason stays.
    pub(super) fn stop(&self, why: impl Into<String>) {
        self.why.borrow_mut().get_or_insert(why.into());
    }

    /// Why nothing new is started; `None` when it may be.
    pub(super) fn why(&self) -> Option<String> {
        self.why.borrow().clone()
    }

    /// Whether a person asked twice: nobody waits for a runner that does not answer.
    pub(super) fn is_impatient(&self) -> bool {
        self.signals.get() > 1
    }
}

/// The signals by which people and systemd stop a program.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on they no longer end the process. Within a runtime.
    pub(super) fn listen() -> Result<Self, Stop> {
        let on = |kind| signal(kind).map_err(|error| Stop::of(Outcome::Failed, "signal", &error));
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    /// Pulls the brake at each. Never ends.
    pub(super) async fn pull(mut self, brake: &Brake, progress: &Progress) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            brake.signals.set(brake.signals.get() + 1);
            brake.stop("somebody interrupted the run");
            tracing::warn!("interrupted: nothing new is started; what is in hand is finished or undone");
            progress.note("nothing new is started; what is in hand is finished or undone");
        }
    }
}
