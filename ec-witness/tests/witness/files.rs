//! What may befall an archive's files while witnesses run.

use std::{fs, time::Duration};

use alloy::primitives::U256;
use ec_ledger::contracts::EveryChannelObservationLedger;

use super::{
    archive::{TRACKS, TestArchive},
    common::running::{await_or_report, hand_settings},
    daemon::Running,
    *,
};

/// A witness whose log can be read.
struct Watched<'a> {
    rail: &'a Rail,
    w: usize,
    running: Running,
}

impl<'a> Watched<'a> {
    /// Short grace and short delays, so that what must not be voted would be if it could.
    fn start(rail: &'a Rail, w: usize, archive: &TestArchive) -> Self {
        let config = rail.net.dir.path().join("config.toml");
        fs::write(&config, "[archive]\ngrace_ms = 300\n[agreement]\nincomplete_delay_ms = 1000\n").unwrap();
        let delays = "--poll-ms 100 --propose-stagger-ms 300 --late-ms 500";
        let mut command = rail.command(w, archive, &format!("run --log info {delays}"));
        command.env("EC_WITNESS_CONFIG", config);
        let log = fs::OpenOptions::new().create(true).append(true).open(Self::log_of(rail, w)).unwrap();
        Self { rail, w, running: Running::of(&command, log) }
    }

    fn log_of(rail: &Rail, w: usize) -> std::path::PathBuf {
        rail.net.dir.path().join(format!("log-{w}"))
    }

    fn log(&self) -> String {
        fs::read_to_string(Self::log_of(self.rail, self.w)).unwrap()
    }

    #[track_caller]
    fn await_said(&self, what: &str, times: usize) {
        let is_said = || self.log().matches(what).count() >= times;
        await_or_report(|| format!("{what}: {}", self.log()), is_said);
    }

    /// Ends it in peace.
    fn stop(self) {
        self.running.signal("-TERM");
        assert_eq!(self.running.end().0, Some(0), "{}", fs::read_to_string(Self::log_of(self.rail, self.w)).unwrap());
    }
}

/// Candidates in the slots of an archive that holds everything, and which ones are final with its content.
fn slots(rail: &Rail, whole: &TestArchive) -> Vec<(u64, bool)> {
    let mut derive = common::ec_witness("derive --json");
    derive.env("EC_WITNESS_ARCHIVE", whole.path());
    let derived = run(derive.env("EC_WITNESS_GROUPS_PER_EPOCH", archive::GROUPS_PER_EPOCH.to_string()));
    let ledger = EveryChannelObservationLedger::new(rail.deployed.ledger, rail.net.provider());
    let slot = |line: &Value| {
        let header = common::header_of(line);
        common::block_on(async {
            let count: U256 = ledger.candidateCount(header.slot().0).call().await.unwrap();
            let found = ledger.finalizedObservation(header.slot().0).call().await.unwrap();
            let mut equal = false;
            for at in 0..count.to::<u64>() {
                let candidate = ledger.candidateAt(header.slot().0, U256::from(at)).call().await.unwrap();
                equal |= candidate == found;
            }
            (count.to::<u64>(), equal)
        })
    };
    derived.lines().iter().map(slot).collect()
}

/// Waits until these slots of the whole archive are final, and compares the contents with it.
#[track_caller]
fn await_final(rail: &Rail, whole: &TestArchive, sequences: &[u64], watched: &[&Watched<'_>]) {
    let all_final = || {
        let slots = slots(rail, whole);
        sequences.iter().all(|&sequence| slots.get(sequence as usize).is_some_and(|slot| slot.1))
    };
    let logs = || watched.iter().map(|witness| witness.log()).collect::<Vec<_>>().join("\n");
    await_or_report(|| format!("the slots are final: {}", logs()), all_final);
    let verify = run(&mut rail.command(1, whole, "verify --json --head latest"));
    let equal = |line: &Value| {
        let sequence = line["sequence"].as_u64().unwrap();
        !sequences.contains(&sequence) || line["verdict"] == "equal"
    };
    assert!(verify.lines().iter().all(equal), "{verify:?}");
}

#[test]
fn a_rotation_within_a_line_loses_nothing_even_over_a_restart() {
    let rail = Rail::start(2, 2);
    let (archive, whole) = (TestArchive::of_groups(3), TestArchive::of_groups(12));
    let start = |w| Watched::start(&rail, w, &archive);
    (1..=2).for_each(|w| _ = rail.init(w, &archive));
    let (one, two) = (start(1), start(2));
    await_final(&rail, &whole, &[0], &[&one, &two]);
    archive.append(3..4);
    archive.append_raw("video0.m4s", "{\"group_sequence\":4,\"si");
    for track in TRACKS {
        let path = archive.track_file(track);
        fs::rename(&path, path.with_extension("jsonl.1")).unwrap();
    }
    one.await_said("the file is gone", 1);
    archive.append(4..8);
    await_final(&rail, &whole, &[0, 1], &[&one, &two]);
    one.await_said("rotated within a line", 1);
    // the records of epoch 2 stand in two files when it is taken up again
    one.stop();
    for track in TRACKS {
        let path = archive.track_file(track);
        fs::rename(&path, path.with_extension("jsonl.2")).unwrap();
    }
    archive.append(8..12);
    let one = start(1);
    await_final(&rail, &whole, &[0, 1, 2, 3], &[&one, &two]);
    assert!(!one.log().contains("lost"), "{}", one.log());
    one.stop();
    two.stop();
}

#[test]
fn after_copytruncate_what_may_lack_records_is_never_voted_and_the_rest_goes_on() {
    let rail = Rail::start(2, 2);
    let (archive, whole) = (TestArchive::of_groups(3), TestArchive::of_groups(12));
    (1..=2).for_each(|w| _ = rail.init(w, &archive));
    let (one, two) = (Watched::start(&rail, 1, &archive), Watched::start(&rail, 2, &archive));
    await_final(&rail, &whole, &[0], &[&one, &two]);
    archive.append(3..4);
    std::thread::sleep(Duration::from_secs(1));
    for track in TRACKS {
        let path = archive.track_file(track);
        fs::copy(&path, path.with_extension("jsonl.1")).unwrap();
        fs::write(&path, "").unwrap();
    }
    for witness in [&one, &two] {
        witness.await_said("an index file is lost; its epochs are withheld", 2);
        witness.await_said("the file was lost, and no record has come since", 1);
    }
    archive.append(4..12);
    await_final(&rail, &whole, &[0, 2, 3], &[&one, &two]);
    // longer than grace, incomplete delay and stagger: an epoch that is not withheld would be proposed by now
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(slots(&rail, &whole)[1], (0, false), "epoch 1 lacks group 3 here");
    one.stop();
    two.stop();
}

#[test]
fn a_deleted_file_stops_its_stream_until_it_is_back() {
    let rail = Rail::start(1, 1);
    let (archive, whole) = (TestArchive::of_groups(4), TestArchive::of_groups(12));
    rail.init(1, &archive);
    let one = Watched::start(&rail, 1, &archive);
    await_final(&rail, &whole, &[0], &[&one]);
    fs::remove_file(archive.track_file("video0.m4s")).unwrap();
    for group in 4..9 {
        archive.append_record("audio0.m4s", group, "a");
    }
    one.await_said("the file is gone", 1);
    // longer than grace and incomplete delay
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(slots(&rail, &whole)[1], (0, false), "epoch 1 is not closed while its file is away");
    (4..9).for_each(|group| archive.append_record("video0.m4s", group, "a"));
    await_final(&rail, &whole, &[0, 1, 2], &[&one]);
    one.stop();
}

#[test]
fn an_archive_that_comes_later_goes_away_and_comes_back_is_followed() {
    let rail = Rail::start(1, 1);
    let (nowhere, archive, whole) = (TestArchive::nowhere(), TestArchive::of_groups(9), TestArchive::of_groups(15));
    run(&mut rail.command(1, &nowhere, "init --json")).assert_error(&["no broadcast yet", "--archive-later"]);
    let init = run(&mut rail.command(1, &nowhere, "init --json --archive-later"));
    assert_eq!((init.code, init.stderr.contains("no broadcast yet")), (0, true), "{init:?}");
    let (here, there) = (nowhere.path().join("manifests"), archive.path().join("manifests"));
    let one = Watched::start(&rail, 1, &nowhere);
    one.await_said("waiting for it", 1);
    std::os::unix::fs::symlink(&there, &here).unwrap();
    await_final(&rail, &whole, &[0, 1, 2], &[&one]);
    one.await_said("broadcast found", 1);
    // unmounted: an empty directory is left
    fs::remove_file(&here).unwrap();
    fs::create_dir(&here).unwrap();
    one.await_said("the file is gone", 1);
    archive.append(9..12);
    one.stop();
    let one = Watched::start(&rail, 1, &nowhere);
    one.await_said("witness started", 2);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(slots(&rail, &whole)[3], (0, false));
    fs::remove_dir(&here).unwrap();
    std::os::unix::fs::symlink(&there, &here).unwrap();
    await_final(&rail, &whole, &[0, 1, 2, 3], &[&one]);
    let (seen, sent) = (one.log(), rail.nonce(1));
    assert!(!seen.contains("lost"), "{seen}");
    // a second broadcast, while it runs
    let second = TestArchive::of_groups(3);
    fs::rename(second.path().join("manifests/tv"), there.join("tv2")).unwrap();
    one.await_said("stream taken up", 3);
    await_or_report(|| format!("the new stream is voted for: {}", one.log()), || rail.nonce(1) > sent);
    one.stop();
}

#[test]
fn three_different_archives_end_in_dispute_and_no_vote_changes() {
    let rail = Rail::start(3, 2);
    let archives: Vec<_> = ["a", "b", "c"]
        .map(|content| {
            let archive = TestArchive::of_groups(0);
            for track in TRACKS {
                (0..3).for_each(|group| archive.append_record(track, group, content));
            }
            archive
        })
        .into();
    (1..=3).for_each(|w| _ = rail.init(w, &archives[w - 1]));
    let once = |w: usize| {
        let arguments = format!("run --once --json {DELAYS} --disputed-after-ms 6000");
        run(&mut rail.command(w, &archives[w - 1], &arguments))
    };
    for round in 0..2 {
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = (1..=3).map(|w| scope.spawn(move || once(w))).collect();
            running.into_iter().map(|running| running.join().unwrap()).collect()
        });
        for outcome in outcomes {
            assert_eq!(
                (outcome.code, states(&outcome)),
                (1, vec!["disputed".to_owned()]),
                "round {round}: {outcome:?}"
            );
        }
        assert_eq!((1..=3).map(|w| rail.nonce(w)).collect::<Vec<_>>(), [1, 1, 1], "one vote each, for ever");
    }
}

/// A command under a limit of open files, which the process cannot raise.
fn limited(files: u64, command: &Command) -> Command {
    let mut limited = std::process::Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$@\"")).arg(command.get_program());
    limited.args(command.get_args());
    hand_settings(command, &mut limited);
    Command::from_std(limited)
}

#[test]
fn more_files_than_may_be_open_are_followed_all_the_same() {
    const STREAMS: usize = 600;
    let rail = Rail::start(1, 1);
    let groups = |groups| {
        let one = TestArchive::of_groups(groups);
        TRACKS.map(|track| (track, fs::read(one.track_file(track)).unwrap()))
    };
    let (short, whole) = (groups(4), groups(6));
    let paths = |track: &str| Vec::from_iter((0..STREAMS).map(|n| format!("tv-{n:03}/{track}.jsonl")));
    let files = short.iter().flat_map(|(track, text)| paths(track).into_iter().map(move |path| (path, text)));
    let archive = TestArchive::new(files);
    rail.init(1, &archive);

    let run_command = rail.command(1, &archive, &format!("run {DELAYS}"));
    let refused = run(&mut limited(100, &run_command));
    refused.assert_error(&["the limit of open files is 100, and 256 are needed", "LimitNOFILE="]);

    let witness = Running::spawn(&limited(1024, &run_command));
    let open = || fs::read_dir(format!("/proc/{}/fd", witness.id())).unwrap().count();
    super::daemon::await_final(&rail, &archive, STREAMS);
    assert!((512..=1024).contains(&open()), "{}", open());
    // each grows, whether it is held open or not
    for (track, text) in &whole {
        paths(track).iter().for_each(|path| archive.write(path, text));
    }
    super::daemon::await_final(&rail, &archive, 2 * STREAMS);
    witness.signal("-TERM");
    assert_eq!(witness.end().0, Some(0));
}
