//! What a catalog names and is not recorded unasked.

use ec_testing::{
    relay::{Media, Publisher, Relay},
    running::await_or_report,
};

use crate::{BROADCAST, recorder::Recorder};

#[test]
fn a_track_that_is_no_cmaf_is_named_and_recorded_if_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let relay = Relay::start(dir.path());
    let media = Media::encode(dir.path(), 30);
    let _publisher = Publisher::start_raw(&relay, BROADCAST, &media);
    let mut unasked = Recorder::start(dir.path(), "unasked", &relay, &[]);
    let named = || {
        let logged = unasked.logged();
        let line = logged.lines().find(|line| line.contains("track not recorded"))?;
        line.split_once("track=").and_then(|(_, rest)| Some(rest.split_once(" reason=")?.0.to_owned()))
    };
    await_or_report(|| unasked.logged(), || named().is_some());
    let name = named().unwrap();
    assert!(!name.ends_with(".m4s"), "{name}");
    assert_eq!(unasked.logged().matches("track not recorded").count(), 1, "{}", unasked.logged());
    assert!(unasked.lines(&name).is_empty());
    let asked = Recorder::start(dir.path(), "asked", &relay, &["--track", &name]);
    await_or_report(|| asked.logged(), || asked.lines(&name).len() > 2);
    assert_eq!(unasked.stop(), 0);
}
