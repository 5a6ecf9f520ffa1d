//! Receives one group to its end.

use moq_net::{Error, bytes::Bytes, group, track};

use crate::{budget::Reserved, event::Loss};

/// The bytes of a whole group.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Its frames, in their order.
    pub(crate) frames: Vec<Bytes>,
    /// Their room in memory.
    pub(crate) reserved: Reserved,
}

/// Why a group was not received whole, and in words.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) Loss, pub(crate) String);

/// Receives a group of `track` to its end; `heard` is told each frame as it comes.
pub(crate) async fn receive(
    mut group: group::Consumer,
    track: &track::Consumer,
    mut reserved: Reserved,
    largest: u64,
    heard: impl Fn(&Bytes),
) -> Result<Whole, Lost> {
    let mut frames = Vec::new();
    while let Some(frame) = group.read_frame().await.map_err(Lost::from)? {
        let size = frame.payload.len() as u64;
        if reserved.bytes() + size > largest {
            return Err(Lost(Loss::TooLarge, format!("it is larger than {largest} bytes")));
        }
        if !reserved.grow(size) {
            return Err(Lost(Loss::NoRoom, "too many groups wait for the disk".into()));
        }
        heard(&frame.payload);
        frames.push(frame.payload);
    }
    if !is_whole(&group, track, frames.len()) {
        return Err(Lost(Loss::Late, "it did not end while it was waited for".into()));
    }
    match reserved.bytes() {
        0 => Err(Lost(Loss::Empty, "it has no bytes".into())),
        _ => Ok(Whole { frames, reserved }),
    }
}

/// Whether the group's end was received, after so many frames.
///
/// The library ends a group that is waited for too long like one that has ended, if every frame that came was read. Its
/// cache knows better: there the group has an end only if that was received.
fn is_whole(group: &group::Consumer, track: &track::Consumer, frames: usize) -> bool {
    let Some(Ok(mut cached)) = now(track.fetch_group(group.sequence, None)) else { return false };
    cached.skip_to(frames as u64);
    matches!(now(cached.finished()), Some(Ok(end)) if end == frames as u64)
}

/// What a future has to say at once.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        let loss = match error {
            Error::Old | Error::Lagged | Error::Evicted => Loss::Late,
            Error::FrameTooLarge | Error::GroupTooLarge => Loss::TooLarge,
            _ => Loss::Reset,
        };
        Self(loss, error.to_string())
    }
}
