//! What the proxy is to do, and what it did.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::{ANY, Fault};

/// Changes a result, given the request's parameters.
pub(super) type Lie = Arc<dyn Fn(&Value, &mut Value) + Send + Sync>;

/// Whether a request with these parameters is meant.
pub(super) type Condition = Box<dyn Fn(&Value) -> bool + Send>;

/// Shared by the test and the server.
#[derive(Default)]
pub(super) struct Script(Mutex<State>);

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    lies: Vec<(&'static str, Lie)>,
    lag: Option<u64>,
    strict: bool,
    injected: BTreeMap<&'static str, usize>,
    requests: BTreeMap<String, usize>,
}

struct Rule {
    method: &'static str,
    when: When,
    faults: Vec<Fault>,
}

/// When a rule's faults strike.
pub(super) enum When {
    Always,
    Next(usize),
    Random { rng: Box<StdRng>, probability: f64 },
    If(Condition),
}

impl When {
    pub(super) fn random(seed: u64, probability: f64) -> Self {
        Self::Random { rng: Box::new(StdRng::seed_from_u64(seed)), probability }
    }
}

impl Rule {
    /// The fault that strikes this request, if one does.
    fn strike(&mut self, method: &str, parameters: &Value) -> Option<Fault> {
        if self.method != ANY && self.method != method {
            return None;
        }
        match &mut self.when {
            When::Always => self.faults.first().copied(),
            When::If(is_meant) => is_meant(parameters).then(|| self.faults.first().copied()).flatten(),
            When::Next(0) => None,
            When::Next(left) => {
                *left -= 1;
                self.faults.first().copied()
            }
            When::Random { rng, probability } => {
                let strikes = rng.random_bool(*probability);
                strikes.then(|| self.faults[rng.random_range(0..self.faults.len())])
            }
        }
    }
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn add(&self, method: &'static str, when: When, faults: Vec<Fault>) {
        self.state().rules.push(Rule { method, when, faults });
    }

    pub(super) fn lie(&self, method: &'static str, lie: Lie) {
        self.state().lies.push((method, lie));
    }

    pub(super) fn set_lag(&self, lag: Option<u64>) {
        self.state().lag = lag;
    }

    pub(super) fn set_strict(&self) {
        self.state().strict = true;
    }

    pub(super) fn heal(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.lies.clear();
        state.lag = None;
    }

    pub(super) fn injected(&self) -> BTreeMap<&'static str, usize> {
        self.state().injected.clone()
    }

    pub(super) fn requests(&self, method: &str) -> usize {
        let state = self.state();
        if method == ANY { state.requests.values().sum() } else { state.requests.get(method).copied().unwrap_or(0) }
    }

    /// Counts a request; the fault that strikes it, if one does.
    pub(super) fn strike(&self, method: &str, parameters: &Value) -> Option<Fault> {
        let mut state = self.state();
        *state.requests.entry(method.to_owned()).or_default() += 1;
        let fault = state.rules.iter_mut().find_map(|rule| rule.strike(method, parameters))?;
        *state.injected.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    /// The block to stand still at.
    pub(super) fn lag(&self) -> Option<u64> {
        self.state().lag
    }

    /// Whether replacements must pay as geth demands.
    pub(super) fn is_strict(&self) -> bool {
        self.state().strict
    }

    /// Tells the lies about a method's result.
    pub(super) fn distort(&self, method: &str, parameters: &Value, result: &mut Value) {
        let lies: Vec<Lie> =
            self.state().lies.iter().filter(|(of, _)| *of == method).map(|(_, lie)| Arc::clone(lie)).collect();
        for lie in lies {
            let truth = result.clone();
            lie(parameters, result);
            *self.state().injected.entry("lie").or_default() += usize::from(*result != truth);
        }
    }
}
