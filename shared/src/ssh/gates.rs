//! How many handshakes may be under way with one server.
//!
//! sshd drops connections at random when ten are unauthenticated (`MaxStartups 10:30:100`), so a fleet that shares an
//! address, or a bastion, must queue here instead.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest random delay of a handshake that had to queue.
const JITTER: Duration = Duration::from_millis(20);

/// One queue per key; a key is a server's address, or a bastion.
#[derive(Debug)]
pub(super) struct Gates {
    width: usize,
    queues: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A place among the handshakes of one key. Dropping it lets the next one go.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Gates {
    /// `width`: handshakes under way per key, at least one.
    pub(super) fn new(width: usize) -> Self {
        Self { width: width.max(1), queues: Mutex::default() }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, key: String) -> Place {
        let queue = self.queue(key);
        let permit = match Arc::clone(&queue).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let permit = queue.acquire_owned().await.expect("NOTE: the semaphore is never closed");
                // Those who queued together must not go on in step.
                tokio::time::sleep(random_below(JITTER)).await;
                permit
            }
        };
        Place { _permit: permit }
    }

    fn queue(&self, key: String) -> Arc<Semaphore> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(&key).and_then(Weak::upgrade) {
            return queue;
        }
        // Servers that nobody talks to any more: kept few, so that memory does not grow with the fleet.
        if queues.len() >= 256 && queues.len() == queues.capacity() {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let queue = Arc::new(Semaphore::new(self.width));
        queues.insert(key, Arc::downgrade(&queue));
        queue
    }
}

/// A random duration. Only to spread load: every `RandomState` has its own keys.
pub(super) fn random_below(limit: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) >> 32;
    #[expect(clippy::cast_precision_loss, reason = "32 random bits fit exactly into a double")]
    limit.mul_f64(random as f64 / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_width_are_inside_at_once() {
        let gates = Arc::new(Gates::new(3));
        let inside = Arc::new(Mutex::new((0_usize, 0_usize)));
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let (gates, inside) = (Arc::clone(&gates), Arc::clone(&inside));
            tasks.push(tokio::spawn(async move {
                let _place = gates.enter("server".to_owned()).await;
                {
                    let mut inside = inside.lock().unwrap();
                    inside.0 += 1;
                    inside.1 = inside.1.max(inside.0);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
                inside.lock().unwrap().0 -= 1;
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*inside.lock().unwrap(), (0, 3));
    }

    #[tokio::test]
    async fn another_server_does_not_wait() {
        let gates = Gates::new(1);
        let _first = gates.enter("a".to_owned()).await;
        let _second = gates.enter("b".to_owned()).await;
    }

    #[tokio::test]
    async fn servers_that_are_done_with_are_forgotten() {
        let gates = Gates::new(1);
        for number in 0..10_000 {
            gates.enter(format!("server-{number}")).await;
        }
        assert!(gates.queues.lock().unwrap().len() < 1000);
    }

    #[test]
    fn random_durations_stay_below_the_limit() {
        let limit = Duration::from_millis(20);
        let drawn: Vec<Duration> = (0..100).map(|_| random_below(limit)).collect();
        assert!(drawn.iter().all(|d| *d <= limit));
        assert!(drawn.iter().any(|d| *d != drawn[0]));
    }
}
