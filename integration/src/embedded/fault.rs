//! What can go wrong with a runner, on purpose.

/// One scripted fault. Each is something that was seen to happen to real fleets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens: connection refused.
    Refuse,
    /// The connection is accepted and never a byte comes.
    Silent,
    /// Something answers that is not SSH.
    NotSsh,
    /// Another host key than the declared one.
    WrongHostKey,
    /// The key is refused.
    AuthRefused,
    /// The program starts and never says anything.
    Hang,
    /// The answer comes, then stops after these many bytes, and the channel stays open.
    Stall(usize),
    /// Bytes that no probe writes, and exit status 0.
    Garbage,
    /// The first bytes of the right answer, then exit status 0.
    Truncate(usize),
    /// The first bytes of the right answer, then the connection is gone.
    Drop(usize),
    /// A right answer but with noise of a login shell in front.
    Noise,
    /// Output without end.
    Flood,
    /// A right answer and then exit status 1.
    ExitStatus,
    /// A right answer and no exit status at all.
    NoExitStatus,
    /// The rpm database changes while it is read, every time.
    Changing,
}

impl Fault {
    /// How many bytes of an answer of `length` are sent before the fault shows.
    pub(super) fn cut(self, length: usize) -> usize {
        match self {
            Fault::Stall(bytes) | Fault::Truncate(bytes) | Fault::Drop(bytes) => bytes.min(length),
            _ => length,
        }
    }
}
