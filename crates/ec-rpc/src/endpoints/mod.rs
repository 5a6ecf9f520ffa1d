//! Several RPC endpoints of one chain: agreement of k of them for what a vote rests on, the healthiest one for the rest.

mod account;
mod asking;
mod head;
mod member;

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alloy::providers::DynProvider;
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet};

use crate::{
    block::BlockRef,
    count,
    endpoint::{ConnectError, Endpoint},
    fault::{AskError, Fault},
    health::Health,
};

pub use self::head::{AgreedHead, HeadTimes};
use self::{
    asking::{Answered, Asking},
    member::Member,
};

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

/// The smallest majority of `n` endpoints.
pub fn majority(n: usize) -> usize {
    n / 2 + 1
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
            return Err(ConnectError::AgreeOutOfRange { agree, total });
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

    /// Endpoints of one chain, each asked for its chain id: all that answer must be of the chain, and enough must
    /// answer. With them comes the first that answers, for what needs no agreement.
    ///
    /// # Errors
    ///
    /// What [`Endpoints::new`] refuses, an endpoint of another chain, too few answers.
    pub async fn connect(endpoints: &[Endpoint], agree: usize) -> Result<(Self, Endpoint, DynProvider), ConnectError> {
        let connected = Self::new(endpoints, agree)?;
        let mut asked = JoinSet::new();
        for (at, endpoint) in endpoints.iter().cloned().enumerate() {
            asked.spawn(async move { (at, endpoint.connect().await, endpoint) });
        }
        let (mut reached, mut failed) = (Vec::new(), Vec::new());
        for (at, provider, endpoint) in asked.join_all().await {
            match provider {
                Ok(provider) => reached.push((at, endpoint, provider)),
                Err(error @ ConnectError::ChainId { .. }) => return Err(error),
                Err(error) => failed.push(error),
            }
        }
        if reached.len() < agree {
            return Err(failed.swap_remove(0));
        }
        for error in failed {
            tracing::warn!(%error, agree, "starting without an endpoint: enough others answer");
        }
        reached.sort_by_key(|(at, ..)| *at);
        let (_, endpoint, provider) = reached.swap_remove(0);
        Ok((connected, endpoint, provider))
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
    pub(crate) fn agreed_head(&self) -> Option<BlockRef> {
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
