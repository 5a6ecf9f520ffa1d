//! A host's clock that jumps: what is voted rests on the archive, and when on the monotonic clock.

use std::{fs, path::PathBuf, process::Stdio};

use super::{
    daemon::{Running, await_final},
    *,
};

/// The wall clock of one process, which `libfaketime` sets; its monotonic clock is the real one.
struct WallClock {
    offset: PathBuf,
}

impl WallClock {
    fn new(rail: &Rail) -> Self {
        let clock = Self { offset: rail.path("clock") };
        clock.jump("+0");
        clock
    }

    /// Jumps to this far from the real time, as in `-1h`.
    fn jump(&self, offset: &str) {
        let next = self.offset.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(next, &self.offset).unwrap();
    }

    fn set_for(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.offset);
        command.env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    }
}

/// Where Debian and its kin keep it.
fn library() -> PathBuf {
    let place = |directory: PathBuf| directory.join("faketime/libfaketimeMT.so.1");
    let directories = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = directories.map(place).find(|library| library.exists());
    found.expect("libfaketime is needed: scripts/install-tools")
}

/// The hour of the log's lines as this witness's clock has it.
fn hours(log: &str) -> Vec<i64> {
    let times = log.lines().filter_map(|line| line.split_whitespace().next()?.parse::<jiff::Timestamp>().ok());
    times.map(|time| (time.as_second() - jiff::Timestamp::now().as_second() + 1800).div_euclid(3600)).collect()
}

#[test]
fn jumps_of_the_clock_change_no_header_and_delay_no_vote() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    (1..=2).for_each(|w| drop(rail.init(w, &archive)));
    let clock = WallClock::new(&rail);
    let log = rail.path("log");
    let mut jumping = rail.command(1, &archive, &format!("run {DELAYS}"));
    clock.set_for(&mut jumping);
    let _jumping = Running::of(&jumping, Stdio::from(fs::File::create(&log).unwrap()));
    let _steady = rail.follow(2, &archive);
    await_final(&rail, &archive, 1);
    for (slots, offset) in (2..).zip(["+1h", "-1h", "+0"]) {
        clock.jump(offset);
        let groups = (slots as u64 - 1) * 3;
        archive.append(groups..groups + 3);
        await_final(&rail, &archive, slots);
    }
    let hours = hours(&fs::read_to_string(log).unwrap());
    assert!([-1, 0, 1].iter().all(|hour| hours.contains(hour)), "its clock did not jump: {hours:?}");
}

#[test]
fn a_clock_that_makes_the_newest_block_old_holds_the_votes_until_it_is_set_right() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let clock = WallClock::new(&rail);
    clock.jump("+1h");
    let mut command = rail.command(1, &archive, &format!("run {DELAYS} --block-time-ms 2000"));
    clock.set_for(&mut command);
    let mut running = Running::of(&command, Stdio::piped());
    running.await_words("or this host's clock is wrong");
    assert_eq!(rail.nonce(1), 0);
    clock.jump("+0");
    await_final(&rail, &archive, 1);
}
