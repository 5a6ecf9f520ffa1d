//! Receives one group to its end.

use moq_net::{Error, bytes::Bytes, group, track};

use crate::{budget::Reserved, event::Loss};

/// What a frame takes in memory beside its payload, bytes, roughly, its share of its group's included.
const FRAME_BYTES: u64 = 256;

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
    let (mut frames, mut size) = (Vec::new(), 0);
    while let Some(frame) = group.read_frame().await.map_err(Lost::from)? {
        let more = frame.payload.len() as u64;
        size += more;
        if size > largest {
            return Err(Lost(Loss::TooLarge, format!("it is larger than {largest} bytes")));
        }
        if !reserved.grow(FRAME_BYTES + more) {
            return Err(Lost(Loss::NoRoom, "too many groups wait for the disk".into()));
        }
        heard(&frame.payload);
        frames.push(frame.payload);
    }
    if !is_whole(&group, track, frames.len()) {
        return Err(Lost(Loss::Late, "it did not end while it was waited for".into()));
    }
    match size {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use moq_net::{Timestamp, broadcast};

    use super::*;
    use crate::budget::Budget;

    /// A track that is published and subscribed to without a network.
    struct Made {
        producer: track::Producer,
        consumer: track::Consumer,
        subscriber: track::Subscriber,
        _broadcast: broadcast::Producer,
    }

    impl Made {
        async fn new() -> Self {
            let origin = moq_tokio::origin::spawn();
            let broadcast = origin.create_broadcast("b").unwrap();
            let producer = broadcast.create_track("t", None).unwrap();
            broadcast.announce(Default::default()).unwrap();
            let got = origin.consume().routed_broadcast("b").await.unwrap();
            let consumer = got.track("t").unwrap();
            let wanted = track::Subscription::default().with_max_age(Duration::from_secs(2));
            let subscriber = consumer.subscribe(wanted).await.unwrap();
            Self { producer, consumer, subscriber, _broadcast: broadcast }
        }

        fn begin(&self, sequence: u64, frames: &[&'static str]) -> group::Producer {
            let mut group = self.producer.create_group(sequence.into()).unwrap();
            for (n, frame) in frames.iter().enumerate() {
                let at = Timestamp::from_millis(1000 * sequence + n as u64).unwrap();
                group.write_frame(at, Bytes::from_static(frame.as_bytes())).unwrap();
            }
            group
        }

        /// Receives the next group, with so much room.
        async fn receive(&mut self, largest: u64, room: u64) -> Result<String, Loss> {
            let group = self.subscriber.recv_group().await.unwrap().unwrap();
            let received = receive(group, &self.consumer, Budget::of(room).empty(), largest, |_| ()).await;
            let whole = received.map_err(|Lost(loss, _)| loss)?;
            Ok(String::from_utf8(whole.frames.concat()).unwrap())
        }
    }

    #[tokio::test]
    async fn a_group_is_its_frames_one_after_the_other() {
        let mut made = Made::new().await;
        made.begin(0, &["moof", "mdat", "moof2"]).finish().unwrap();
        assert_eq!(made.receive(100, 9999).await, Ok("moofmdatmoof2".to_owned()));
    }

    #[tokio::test]
    async fn a_group_that_was_reset_is_not_kept() {
        let mut made = Made::new().await;
        let reset = made.begin(0, &["moof"]);
        let group = made.subscriber.recv_group().await.unwrap().unwrap();
        reset.abort(Error::Cancel).unwrap();
        let received = receive(group, &made.consumer, Budget::of(9999).empty(), 100, |_| ()).await;
        assert!(matches!(received, Err(Lost(Loss::Reset, _))), "{received:?}");
    }

    /// The library ends it like one that has ended.
    #[tokio::test]
    async fn a_group_that_does_not_end_while_newer_ones_come_is_not_kept() {
        let mut made = Made::new().await;
        let _unended = made.begin(0, &["moof", "mdat"]);
        let first = made.subscriber.recv_group().await.unwrap().unwrap();
        for sequence in 1..9 {
            made.begin(sequence, &["moof"]).finish().unwrap();
        }
        let received = receive(first, &made.consumer, Budget::of(9999).empty(), 100, |_| ()).await;
        assert!(matches!(received, Err(Lost(Loss::Late, _))), "{received:?}");
    }

    #[tokio::test]
    async fn what_is_too_large_has_no_room_or_is_empty_is_not_kept() {
        let mut made = Made::new().await;
        made.begin(0, &["123456"]).finish().unwrap();
        made.begin(1, &["123456"]).finish().unwrap();
        made.begin(2, &[]).finish().unwrap();
        assert_eq!(made.receive(5, 9999).await, Err(Loss::TooLarge));
        assert_eq!(made.receive(6, FRAME_BYTES + 5).await, Err(Loss::NoRoom));
        assert_eq!(made.receive(6, 9999).await, Err(Loss::Empty));
    }
}
