//! What happens, told to everybody who listens.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::clock::now_ms;

/// Events that are kept for those who come back.
const KEPT: usize = 4096;
/// Events that a slow listener may be behind.
const BEHIND: usize = 1024;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its number, which grows, also over a restart.
    pub id: u64,
    /// Its name.
    pub event: &'static str,
    /// Its data, JSON.
    pub data: String,
    /// What it is about.
    pub about: About,
}

/// What an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash, of an event of one.
    pub stream: Option<String>,
    /// The slot, of an event of one.
    pub slot: Option<String>,
}

/// Tells events to those who listen.
#[derive(Debug)]
pub struct Hub {
    kept: Mutex<Kept>,
    sender: broadcast::Sender<Arc<Told>>,
}

#[derive(Debug)]
struct Kept {
    next: u64,
    events: VecDeque<Arc<Told>>,
}

impl Default for Hub {
    fn default() -> Self {
        // so that what another process told is never taken for what this one did
        let next = now_ms().saturating_mul(1000);
        Self { kept: Mutex::new(Kept { next, events: VecDeque::new() }), sender: broadcast::Sender::new(BEHIND) }
    }
}

impl Hub {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells an event.
    pub fn tell(&self, event: &'static str, about: About, data: &impl Serialize) {
        let data = serde_json::to_string(data).unwrap_or_default();
        let mut kept = self.kept();
        let told = Arc::new(Told { id: kept.next, event, data, about });
        kept.next += 1;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::clone(&told));
        // within the lock, so that events come in their order; nobody may be listening
        let _ = self.sender.send(told);
    }

    /// Listens from now on, and what was told after the event with this number; `None` where some of that is not kept.
    pub fn listen(&self, after: Option<u64>) -> (broadcast::Receiver<Arc<Told>>, Option<Vec<Arc<Told>>>) {
        let kept = self.kept();
        let receiver = self.sender.subscribe();
        let Some(after) = after else { return (receiver, Some(Vec::new())) };
        let first = kept.events.front().map_or(kept.next, |first| first.id);
        let is_known = after.saturating_add(1) >= first && after < kept.next;
        let missed = || kept.events.iter().filter(|told| told.id > after).cloned().collect();
        (receiver, is_known.then(missed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_gets_what_it_missed_or_is_told_that_it_cannot() {
        let hub = Hub::default();
        let first = hub.kept().next;
        assert_eq!(hub.listen(None).1, Some(Vec::new()));
        (0..3).for_each(|number| hub.tell("vote", About::default(), &number));
        let missed = |after| {
            hub.listen(Some(after)).1.map(|missed| missed.iter().map(|told| told.data.clone()).collect::<Vec<_>>())
        };
        assert_eq!(missed(first), Some(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(missed(first + 2), Some(Vec::new()));
        assert_eq!(missed(first + 3), None, "of the future, so of another process");
        assert_eq!(missed(first - 2), None);
        (0..KEPT).for_each(|number| hub.tell("vote", About::default(), &number));
        assert_eq!(missed(first), None);
        assert_eq!(missed(first + 2).map(|missed| missed.len()), Some(KEPT));
    }
}
