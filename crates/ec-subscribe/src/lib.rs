//! Receives a broadcast from a MoQ relay into an archive.
//!
//! Each group is kept as it was received: its frames one after the other are one object, and a line of the index says when
//! it was complete. A group that did not end is not kept. What is received and what is written are [`Session`]'s and the
//! keeper's; a relay or a publisher that goes away is waited for.
//!
//! [`Session`]: session::Session

mod backoff;
mod budget;
pub mod catalog;
mod event;
mod group;
mod keeper;
mod relay;
mod session;
mod settings;
mod shared;
mod track;

use std::{fmt, sync::Arc};

pub use self::{
    event::{Event, Loss, Recorded},
    relay::{SubscribeError, shown, subscribe},
    settings::{Limits, Settings, Tls},
};

/// Is told what happens, from any thread; what happens to one track, in its order.
pub trait Listener: fmt::Debug + Send + Sync {
    /// Something happened.
    fn hear(&self, event: &Event);

    /// The thread that writes is not held up. It says so every second, and after each group.
    fn alive(&self);
}

pub(crate) type Report = Arc<dyn Listener>;
