//! One of several endpoints, and how it does.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy::providers::DynProvider;

use crate::{
    fault::Fault,
    health::{Backoff, Health},
};

/// One endpoint, and how it does.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) provider: DynProvider,
    pub(super) state: Mutex<(Health, Backoff)>,
}

impl Member {
    pub(super) fn state(&self) -> MutexGuard<'_, (Health, Backoff)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        self.state().0.clone()
    }

    fn note(&self, fault: Option<&Fault>) {
        let mut state = self.state();
        let (health, backoff) = &mut *state;
        health.note(fault, backoff);
    }

    /// Notes an answer that enough others contradict.
    pub(super) fn dissents(&self, request: &'static str) {
        tracing::warn!(rpc = self.name, request, "an endpoint contradicts the others; its answer does not count");
        self.note(Some(&Fault::Dissent));
    }

    /// Never asks it again: it serves another chain.
    pub(super) fn shut_out(&self, configured: u64, found: u64) {
        let before = self.state().0.shut_out.replace(found);
        if before.is_none() {
            tracing::error!(rpc = self.name, configured, found, "an endpoint serves another chain; it is shut out");
        }
    }

    /// Asks, and notes how it went.
    pub(super) async fn ask<T, E: Into<Fault>>(&self, asked: impl Future<Output = Result<T, E>>) -> Result<T, Fault> {
        let _in_flight = InFlight::of(self);
        let answer = asked.await.map_err(Into::into);
        self.note(answer.as_ref().err());
        answer
    }
}

/// A request until it is answered, or nobody waits for it.
struct InFlight<'a>(&'a Member);

impl<'a> InFlight<'a> {
    fn of(member: &'a Member) -> Self {
        member.state().0.in_flight += 1;
        Self(member)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state().0.in_flight -= 1;
    }
}
