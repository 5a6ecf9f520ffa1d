//! Several RPC endpoints of one chain: agreement of k of them for what a vote rests on, the healthiest one for the rest.

mod account;
mod asking;
pub mod count;
mod fault;
mod head;
mod health;
mod refusal;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::providers::DynProvider;
use tokio::sync::mpsc::UnboundedReceiver;

use super::connect::{ConnectError, Endpoint};
use crate::witness::ledger::BlockRef;

use asking::{Answered, Asking};

pub use fault::{AskError, Fault};
pub use head::AgreedHead;
pub use health::{Backoff, Health};
pub use refusal::SendRefusal;

/// Unanswered requests with which an endpoint is too busy for more.
const BUSY: usize = 16;
/// Characters of an answer that a disagreement shows.
const SHOWN: usize = 120;

/// Endpoints of one chain. Clones share health and head.
#[derive(Clone, Debug)]
pub struct Endpoints(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    chain_id: u64,
    agree: usize,
    members: Vec<Arc<Member>>,
    head: Mutex<Option<BlockRef>>,
}

/// One endpoint, and how it does.
#[derive(Debug)]
struct Member {
    name: String,
    provider: DynProvider,
    state: Mutex<(Health, Backoff)>,
}

/// The smallest majority of `n` endpoints.
pub fn majority(n: usize) -> usize {
    n / 2 + 1
}

impl Member {
    fn state(&self) -> MutexGuard<'_, (Health, Backoff)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> Health {
        self.state().0.clone()
    }

    fn note(&self, fault: Option<&Fault>) {
        let mut state = self.state();
        let (health, backoff) = &mut *state;
        health.note(fault, backoff);
    }

    /// Notes an answer that enough others contradict.
    fn dissents(&self, request: &'static str) {
        tracing::warn!(rpc = self.name, request, "an endpoint contradicts the others; its answer does not count");
        self.note(Some(&Fault::Dissent));
    }

    /// Never asks it again: it serves another chain.
    fn shut_out(&self, configured: u64, found: u64) {
        let before = self.state().0.shut_out.replace(found);
        if before.is_none() {
            tracing::error!(rpc = self.name, configured, found, "an endpoint serves another chain; it is shut out");
        }
    }

    /// Asks, and notes how it went.
    async fn ask<T, E: Into<Fault>>(&self, asked: impl Future<Output = Result<T, E>>) -> Result<T, Fault> {
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

/// Hears who contradicts what was agreed on, after that.
async fn hear_dissent<T: Eq>(mut told: UnboundedReceiver<Answered<T>>, agreed: T, request: &'static str) {
    while let Some((member, answer)) = told.recv().await {
        if answer.is_ok_and(|answer| answer != agreed) {
            member.dissents(request);
        }
    }
}

impl Endpoints {
    /// Endpoints of which `agree` must give the same answer. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// No endpoint, one twice, `agree` out of range, or a URL that is not HTTP.
    pub fn new(endpoints: &[Endpoint], agree: usize) -> Result<Self, ConnectError> {
        let total = endpoints.len();
        if agree == 0 || agree > total {
            return Err(ConnectError::Agreement { agree, total });
        }
        let mut members = Vec::new();
        for (at, endpoint) in endpoints.iter().enumerate() {
            if endpoints[..at].iter().any(|other| other.rpc == endpoint.rpc) {
                return Err(ConnectError::Duplicate(endpoint.name()));
            }
            // two endpoints of one host differ in what is not shown
            let shared = endpoints[..at].iter().filter(|other| other.name() == endpoint.name()).count();
            let name = if shared == 0 { endpoint.name() } else { format!("{} (#{})", endpoint.name(), shared + 1) };
            count::zero(&name);
            let provider = endpoint.provider_named(name.clone())?;
            members.push(Arc::new(Member { name, provider, state: Mutex::default() }));
        }
        let chain_id = endpoints[0].chain_id;
        Ok(Self(Arc::new(Shared { chain_id, agree, members, head: Mutex::new(None) })))
    }

    /// The configured chain.
    pub fn chain_id(&self) -> u64 {
        self.0.chain_id
    }

    /// How many must agree.
    pub fn agree(&self) -> usize {
        self.0.agree
    }

    /// Each endpoint's name and how it does, in the configured order.
    pub fn health(&self) -> Vec<(String, Health)> {
        self.0.members.iter().map(|member| (member.name.clone(), member.health())).collect()
    }

    /// The head that was agreed on last.
    pub fn agreed_head(&self) -> Option<BlockRef> {
        *self.0.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long until enough endpoints may be asked to agree.
    pub fn rest(&self) -> Duration {
        let mut rests: Vec<_> = self.in_service().map(|member| member.health().rest()).collect();
        rests.sort_unstable();
        rests.get(self.0.agree - 1).copied().unwrap_or_default()
    }

    /// Those that are not shut out.
    fn in_service(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.0.members.iter().filter(|member| member.health().shut_out.is_none())
    }

    /// Those that may be asked now, if they are at least `needed`.
    fn available(&self, request: &'static str, needed: usize) -> Result<Vec<Arc<Member>>, AskError> {
        if self.in_service().count() < self.0.agree {
            let wrong = |member: &Arc<Member>| {
                let found = member.health().shut_out?;
                Some((member.name.clone(), Fault::WrongChain(found)))
            };
            let found = self.0.members.iter().filter_map(wrong).collect();
            return Err(AskError::WrongChain { configured: self.0.chain_id, found });
        }
        let available: Vec<_> =
            self.in_service().filter(|member| member.health().is_available(BUSY)).map(Arc::clone).collect();
        if available.len() < needed {
            let fault = |member: &Arc<Member>| {
                let health = member.health();
                (!health.is_available(BUSY))
                    .then_some((member.name.clone(), health.last_fault.unwrap_or(Fault::Timeout)))
            };
            let faults = self.in_service().filter_map(fault).collect();
            return Err(AskError::Resting { request, wait: self.rest(), faults });
        }
        Ok(available)
    }

    /// The answer that enough endpoints give alike. All that are not resting are asked at the same time.
    ///
    /// # Errors
    ///
    /// Too few answers, or no agreement among them.
    pub async fn agreed<T, E, A>(&self, request: &'static str, ask: impl Fn(DynProvider) -> A) -> Result<T, AskError>
    where
        T: Clone + Eq + Debug + Send + 'static,
        E: Into<Fault> + 'static,
        A: Future<Output = Result<T, E>> + Send + 'static,
    {
        let needed = self.0.agree;
        let members = self.available(request, needed)?;
        let mut asking = Asking::of(members, |member| ask(member.provider.clone()));
        let (mut answers, mut faults) = (Vec::<(T, Vec<Arc<Member>>)>::new(), Vec::new());
        while let Some((member, answer)) = asking.next().await {
            let answer = match answer {
                Ok(answer) => answer,
                Err(fault) => {
                    faults.push((member.name.clone(), fault));
                    continue;
                }
            };
            let at = answers.iter().position(|(other, _)| *other == answer).unwrap_or_else(|| {
                answers.push((answer, Vec::new()));
                answers.len() - 1
            });
            answers[at].1.push(member);
            if answers[at].1.len() == needed {
                let (agreed, _) = answers.swap_remove(at);
                answers.iter().flat_map(|(_, members)| members).for_each(|member| member.dissents(request));
                tokio::spawn(hear_dissent(asking.told, agreed.clone(), request));
                return Ok(agreed);
            }
        }
        let answered = answers.iter().map(|(_, members)| members.len()).sum();
        if answered < needed {
            return Err(AskError::Unanswered { request, needed, answered, faults });
        }
        let answers = answers.iter().flat_map(|(answer, members)| {
            let shown: String = format!("{answer:?}").chars().take(SHOWN).collect();
            members.iter().map(move |member| (member.name.clone(), shown.clone()))
        });
        Err(AskError::Disagreement { request, needed, answers: answers.collect() })
    }

    /// The answer of the first endpoint that gives one, the healthiest asked first. For what no vote rests on.
    ///
    /// # Errors
    ///
    /// Nobody gives one.
    pub async fn first<T, E, A>(&self, request: &'static str, ask: impl Fn(DynProvider) -> A) -> Result<T, AskError>
    where
        E: Into<Fault>,
        A: Future<Output = Result<T, E>>,
    {
        let mut members = self.available(request, 1)?;
        members.sort_by_key(|member| member.health().failures);
        let mut faults = Vec::new();
        for member in members {
            match member.ask(ask(member.provider.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => faults.push((member.name.clone(), fault)),
            }
        }
        Err(AskError::Unanswered { request, needed: 1, answered: 0, faults })
    }
}

#[cfg(test)]
mod tests;
