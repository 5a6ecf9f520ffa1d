//! Receives a broadcast from a MoQ relay into an archive.
//!
//! Each group is kept as it was received: its frames one after the other are one object, and a line of the index says when
//! it was complete. A group whose end was not received is not kept. A relay or a publisher that goes away is waited for.
//!
//! `relay` connects, again and again; `session` follows the broadcast over one connection; `track` receives one track of it,
//! by a `group` at a time; `keeper` is the thread that writes. What happens is told to a [`Listener`].

mod backoff;
mod budget;
pub mod catalog;
mod event;
mod gaps;
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
