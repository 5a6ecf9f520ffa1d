//! Asking several endpoints at the same time.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::member::Member;
use crate::fault::Fault;

/// An endpoint's answer.
pub(super) type Answered<T> = (Arc<Member>, Result<T, Fault>);

/// A request to several endpoints. Each goes on to its answer, and its health hears of it, even when nobody waits any
/// more.
pub(super) struct Asking<T, F> {
    ask: F,
    tell: UnboundedSender<Answered<T>>,
    pub(super) told: UnboundedReceiver<Answered<T>>,
    open: usize,
    retried: Vec<Arc<Member>>,
}

impl<T, E, F, A> Asking<T, F>
where
    T: Send + 'static,
    E: Into<Fault> + 'static,
    F: Fn(Arc<Member>) -> A,
    A: Future<Output = Result<T, E>> + Send + 'static,
{
    pub(super) fn of(members: Vec<Arc<Member>>, ask: F) -> Self {
        let (tell, told) = unbounded_channel();
        let mut asking = Self { ask, tell, told, open: 0, retried: Vec::new() };
        members.into_iter().for_each(|member| asking.ask(member));
        asking
    }

    fn ask(&mut self, member: Arc<Member>) {
        let (tell, asked) = (self.tell.clone(), (self.ask)(Arc::clone(&member)));
        self.open += 1;
        tokio::spawn(async move {
            let answer = member.ask(asked).await;
            let _ = tell.send((member, answer));
        });
    }

    /// The next answer, in the order they come; `None` when every endpoint has given its own. One that was spoilt is
    /// asked for once more.
    pub(super) async fn next(&mut self) -> Option<Answered<T>> {
        while self.open > 0 {
            let (member, answer) = self.told.recv().await?;
            self.open -= 1;
            let again = answer.as_ref().is_err_and(Fault::may_pass);
            if !again || self.retried.iter().any(|retried| Arc::ptr_eq(retried, &member)) {
                return Some((member, answer));
            }
            self.retried.push(Arc::clone(&member));
            self.ask(member);
        }
        None
    }
}
