//! How many long answers are in memory at once. Runners are asked many at a time, as most of the time goes into waiting;
//! package lists are taken in a few at a time, whatever the size of the fleet.

use countersign_shared::ssh::Sink;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Long answers at once.
const PLACES: usize = 8;

/// Bytes of an answer that needs no place: without its lists it is shorter. What is longer has room for a whole package
/// list set aside.
const SHORT: usize = 16 * 1024;

/// How long an answer waits for a place. Then it is taken in without: runners that take all day over their answers cost
/// memory, not the answers of others.
const PATIENCE: Duration = Duration::from_secs(1);

/// Places for long answers.
#[derive(Debug)]
pub struct Places {
    free: Semaphore,
    patience: Duration,
}

/// A place for one long answer; free again when this is dropped.
pub type Place<'p> = SemaphorePermit<'p>;

impl Default for Places {
    fn default() -> Self {
        Self { free: Semaphore::new(PLACES), patience: PATIENCE }
    }
}

impl Places {
    /// Takes one answer in.
    pub(super) fn answer(&self) -> Answer<'_> {
        Answer { places: self, bytes: Vec::new(), place: None, asked: false }
    }
}

/// An answer as it comes.
#[derive(Debug)]
pub(super) struct Answer<'p> {
    places: &'p Places,
    bytes: Vec<u8>,
    place: Option<Place<'p>>,
    asked: bool,
}

impl<'p> Answer<'p> {
    pub(super) fn into_parts(self) -> (Vec<u8>, Option<Place<'p>>) {
        (self.bytes, self.place)
    }
}

impl Sink for Answer<'_> {
    async fn room(&mut self, bytes: usize) {
        if self.asked || self.bytes.len() + bytes <= SHORT {
            return;
        }
        self.asked = true;
        let place = tokio::time::timeout(self.places.patience, self.places.free.acquire()).await;
        self.place = place.ok().and_then(Result::ok);
    }

    fn take(&mut self, piece: &[u8]) {
        Sink::take(&mut self.bytes, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fill(answer: &mut Answer<'_>, bytes: usize) {
        answer.room(bytes).await;
        answer.take(&vec![b'x'; bytes]);
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn a_long_answer_waits_for_the_place_of_a_record_that_is_gone() {
        run(async {
            let places = Places { patience: Duration::MAX, ..Places::default() };
            let mut long: Vec<_> = (0..PLACES).map(|_| places.answer()).collect();
            for answer in &mut long {
                fill(answer, SHORT + 1).await;
            }
            let mut short = places.answer();
            fill(&mut short, SHORT).await;
            assert!(short.place.is_none());
            let (bytes, place) = long.remove(0).into_parts();
            assert_eq!(bytes.len(), SHORT + 1);
            let mut next = places.answer();
            let wait = async {
                fill(&mut next, SHORT + 1).await;
                assert!(next.place.is_some());
            };
            tokio::pin!(wait);
            assert!(tokio::time::timeout(Duration::ZERO, &mut wait).await.is_err(), "the record is still kept");
            drop(place);
            wait.await;
        });
    }

    #[test]
    fn an_answer_that_gets_no_place_is_taken_in_all_the_same_and_waits_once() {
        run(async {
            let places = Places { patience: Duration::ZERO, free: Semaphore::new(1) };
            let mut first = places.answer();
            fill(&mut first, SHORT + 1).await;
            let mut late = places.answer();
            fill(&mut late, SHORT + 1).await;
            drop(first);
            fill(&mut late, 1).await;
            assert_eq!((late.bytes.len(), late.place.is_some()), (SHORT + 2, false));
        });
    }
}
