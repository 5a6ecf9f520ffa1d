use std::{fs, num::NonZeroU64};

use ec_observation::{EpochRule, Tracks};
use proptest::prelude::*;

use super::*;
use crate::{Archive, AtRest};

const TRACKS: [&str; 2] = ["a", "v"];

fn rule(groups_per_epoch: u64) -> StreamRule {
    StreamRule {
        tracks: Tracks::new(TRACKS).unwrap(),
        epochs: EpochRule::timeline(NonZeroU64::new(groups_per_epoch).unwrap()),
        ..StreamRule::new("x")
    }
}

fn good(sequence: u64, content: u8) -> String {
    let hash = format!("{content:02x}").repeat(32);
    format!(
        "{{\"group_sequence\":{sequence},\"received_unix_ms\":{},\"size_bytes\":1,\"blake3\":\"{hash}\"}}",
        sequence + 5
    )
}

/// What befalls a line of an archive in order.
#[derive(Clone, Debug)]
enum Mishap {
    Lost,
    Twice,
    Conflicting,
    Bad,
    BadWithSequence,
    Later(usize),
    OfOtherForm,
    Blank,
    WithoutTime,
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        1 => Just(Mishap::Lost),
        1 => Just(Mishap::Twice),
        1 => Just(Mishap::Conflicting),
        1 => Just(Mishap::Bad),
        1 => Just(Mishap::BadWithSequence),
        4 => (1usize..5).prop_map(Mishap::Later),
        1 => (1usize..80).prop_map(Mishap::Later),
        1 => Just(Mishap::OfOtherForm),
        1 => Just(Mishap::Blank),
        1 => Just(Mishap::WithoutTime),
    ]
}

/// A file of records of `sequences`, some of which a mishap befell.
fn file(len: u64) -> impl Strategy<Value = String> {
    let mishaps = prop::collection::vec((any::<prop::sample::Index>(), mishap()), 0..6);
    (0..len + 1, 0u64..5, mishaps, "(\u{feff})?", "(\\{\"group|x)?").prop_map(|(len, first, mishaps, start, torn)| {
        let mut lines: Vec<String> = (0..len).map(|at| good(first + at, 1)).collect();
        for (at, mishap) in mishaps {
            if lines.is_empty() {
                break;
            }
            let at = at.index(lines.len());
            let sequence = first + at as u64;
            match mishap {
                Mishap::Lost => drop(lines.remove(at)),
                Mishap::Twice => lines.insert(at, lines[at].clone()),
                Mishap::Conflicting => lines.insert(at, good(sequence, 2)),
                Mishap::Bad => lines.insert(at, "bad".into()),
                Mishap::BadWithSequence => lines.insert(at, format!("{{\"group_sequence\":{sequence}}}")),
                Mishap::Later(by) => {
                    let line = lines.remove(at);
                    lines.insert((at + by).min(lines.len()), line);
                }
                Mishap::OfOtherForm => lines[at] = format!(" {} \r", lines[at]),
                Mishap::Blank => lines.insert(at, " \t".into()),
                Mishap::WithoutTime => lines[at] = lines[at].replace("received_unix_ms", "received"),
            }
        }
        lines.iter().map(|line| format!("{line}\n")).fold(start, |text, line| text + &line) + &torn
    })
}

/// What was told of bad lines.
#[derive(Default)]
struct Told(Vec<Quarantined>, u64);

impl Told {
    fn sorted(mut self) -> Vec<Quarantined> {
        self.0.sort_by(|a, b| (&a.file, a.offset).cmp(&(&b.file, b.offset)));
        self.0
    }
}

impl Watch for Told {
    fn read(&mut self, bytes: u64) {
        self.1 += bytes;
    }

    fn quarantined(&mut self, line: Quarantined) {
        self.0.push(line);
    }
}

fn archive(files: &[String]) -> (tempfile::TempDir, Broadcast) {
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::at(dir.path());
    fs::create_dir_all(archive.manifests.join("x")).unwrap();
    for (track, text) in TRACKS.iter().zip(files) {
        fs::write(archive.manifests.join(format!("x/{track}.jsonl")), text).unwrap();
    }
    let broadcast = archive.broadcast("x");
    (dir, broadcast)
}

/// All up to the first error, and that.
fn up_to_error(
    mut closed: impl Iterator<Item = Result<LinkedEpoch, DeriveError>>,
) -> (Vec<LinkedEpoch>, Option<String>) {
    let mut found = Vec::new();
    let end = closed.try_for_each(|epoch| epoch.map(|epoch| found.push(epoch)));
    (found, end.err().map(|error| error.to_string()))
}

/// The same in one pass and by the index; whether one pass was enough.
fn assert_alike(files: &[String], groups_per_epoch: u64, jobs: usize, block_len: u64) -> bool {
    let jobs = NonZeroUsize::new(jobs).unwrap();
    assert_rule_alike(files, rule(groups_per_epoch), Portions { jobs, block_len, held: HELD })
}

/// The mark of a segment's session, as another than the archive knows it of some.
fn known(segment: u64) -> Option<u64> {
    (segment % 3 == 1).then_some(7_000 + segment)
}

fn assert_rule_alike(files: &[String], rule: StreamRule, portions: Portions) -> bool {
    let (_dir, broadcast) = archive(files);
    let names = FieldNames::default();
    let mut expected_told = Told::default();
    let mut index = StreamIndex::new(&broadcast, rule.clone(), &names);
    index.read_on(&mut expected_told).unwrap();
    let at_rest = |observations: AtRest<'_>| {
        up_to_error(observations.map(|observation| {
            observation.map(|it| LinkedEpoch { hash: it.hash(), header: it.header, named: it.named })
        }))
    };
    let expected = at_rest(AtRest::new(&index));

    let mut told = Told::default();
    let mut epochs = Epochs::read_in(portions, &broadcast, rule, &names, &mut told).unwrap();
    let one_pass = epochs.is_from_one_pass();
    assert_eq!(epochs.highest_epoch(), index.highest_epoch());
    // again and again, from the first on
    assert_eq!(up_to_error(epochs.closed().unwrap().take(3)).0, expected.0[..expected.0.len().min(3)]);
    assert_eq!(up_to_error(epochs.closed().unwrap()), expected);
    if index.rule().is_lane() {
        let renamed = at_rest(AtRest::named(&index, Box::new(known)));
        assert_eq!(up_to_error(epochs.closed_as(known).unwrap()), renamed);
    }
    if one_pass {
        assert_eq!(told.1, expected_told.1);
    }
    assert_eq!(told.sorted(), expected_told.sorted());
    one_pass
}

/// A line of a lane: its number, when it came, and what befell it.
fn lane_line(sequence: u64, received_ms: u64, content: u8) -> String {
    let hash = format!("{content:02x}").repeat(32);
    format!(
        "{{\"group_sequence\":{sequence},\"received_unix_ms\":{received_ms},\"size_bytes\":1,\"blake3\":\"{hash}\"}}"
    )
}

/// One life of a publisher's numbers: how many there are, from where on, the backlog that comes in any order first, what
/// befalls single lines, and whether all lines lack their time.
type Session = (u64, u64, Vec<u64>, Vec<(prop::sample::Index, Mishap)>, bool);

fn session() -> impl Strategy<Value = Session> {
    let backlog = (0u64..40).prop_flat_map(|len| Just((0..len).collect::<Vec<_>>()).prop_shuffle());
    let mishaps = prop::collection::vec((any::<prop::sample::Index>(), mishap()), 0..4);
    (1u64..120, 0u64..4, backlog, mishaps, prop::bool::weighted(0.1))
}

/// The file of a lane with several sessions.
fn lane(sessions: Vec<Session>, start: &str, torn: &str) -> String {
    let (mut lines, mut now_ms) = (Vec::new(), 1_000_000);
    for (number, (len, first, backlog, mishaps, timeless)) in (0..).zip(sessions) {
        now_ms += 25_000;
        let begin = lines.len();
        let below = backlog.len() as u64;
        for sequence in backlog.into_iter().chain(below..below + len) {
            now_ms += if sequence < below { 1 } else { 2000 };
            lines.push((first + sequence, now_ms, number, lane_line(first + sequence, now_ms, number)));
        }
        for (at, mishap) in mishaps {
            if lines.len() == begin {
                break;
            }
            let at = begin + at.index(lines.len() - begin);
            let (sequence, ms, content, line) = lines[at].clone();
            let same = |line: String| (sequence, ms, content, line);
            match mishap {
                Mishap::Lost => drop(lines.remove(at)),
                Mishap::Twice => lines.insert(at, same(line)),
                Mishap::Conflicting => lines.insert(at, same(lane_line(sequence, ms, content + 100))),
                Mishap::Bad => lines.insert(at, same("bad".into())),
                Mishap::BadWithSequence => lines.insert(at, same(format!("{{\"group_sequence\":{sequence}}}"))),
                Mishap::Later(by) => {
                    // received later than what it follows
                    let to = (at + by).min(lines.len() - 1);
                    lines.remove(at);
                    let ms = lines.get(to.saturating_sub(1)).map_or(ms, |before| before.1);
                    lines.insert(to, (sequence, ms, content, lane_line(sequence, ms, content)));
                }
                Mishap::OfOtherForm => lines[at].3 = format!(" {line} \r"),
                Mishap::Blank => lines.insert(at, same(" \t".into())),
                Mishap::WithoutTime => lines[at].3 = line.replace("received_unix_ms", "received"),
            }
        }
        if timeless {
            lines[begin..].iter_mut().for_each(|line| line.3 = line.3.replace("received_unix_ms", "received"));
        }
    }
    lines.iter().fold(start.to_owned(), |text, (.., line)| text + line + "\n") + torn
}

fn lane_rule(groups_per_epoch: u64) -> StreamRule {
    StreamRule::lane("x", "x", TRACKS[0], NonZeroU64::new(groups_per_epoch).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn one_pass_over_a_lane_derives_what_the_index_does(
        sessions in prop::collection::vec(session(), 0..5),
        groups_per_epoch in 1u64..8,
        (jobs, block_len, held) in (1usize..4, 1200u64..6000, 0u64..60),
        (start, torn) in ("(\u{feff})?", "(\\{\"group|x)?"),
    ) {
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let portions = Portions { jobs, block_len, held };
        assert_rule_alike(&[lane(sessions, &start, &torn)], lane_rule(groups_per_epoch), portions);
    }
}

/// A lane of two publishers, the first of which stops, as a subscriber has it who came late: a backlog in any order, and
/// one group of ten a little late.
fn relayed() -> String {
    let publisher = |number: u8, from: u64, begin_ms: u64| {
        let backlog = (from..from + 60).rev().map(move |sequence| (sequence, begin_ms));
        let live = (from + 60..from + 1000).map(move |sequence| {
            let swapped = match sequence % 10 {
                4 => sequence + 1,
                5 => sequence - 1,
                _ => sequence,
            };
            (swapped, begin_ms + 2000 * (sequence - from))
        });
        backlog.chain(live).map(move |(sequence, ms)| lane_line(sequence, ms, number) + "\n")
    };
    publisher(1, 700, 5_000_000).chain(publisher(2, 0, 9_000_000)).collect()
}

#[test]
fn a_lane_of_a_relay_is_read_in_one_pass() {
    for block_len in [2000, 5000, 30_000, BLOCK_LEN] {
        for (jobs, groups_per_epoch) in [(1, 1), (2, 7), (3, 30), (2, 5000)] {
            let jobs = NonZeroUsize::new(jobs).unwrap();
            let portions = Portions { jobs, block_len, held: 64 };
            assert!(assert_rule_alike(&[relayed()], lane_rule(groups_per_epoch), portions));
            assert!(assert_rule_alike(&[], lane_rule(groups_per_epoch), portions));
        }
    }
}

#[test]
fn a_segment_without_a_complete_epoch_is_named_by_its_first_one_with_a_time() {
    // each second number is missing; the first three epochs have no time, or none has
    let lines = |timeless: u64, last: &str| {
        let line = |at: u64| match at {
            _ if at < timeless => lane_line(2 * at, 5_000_000 + at, 1).replace("received_unix_ms", "received"),
            _ => lane_line(2 * at, 5_000_000 + at, 1),
        };
        (0..400).map(|at| line(at) + "\n").collect::<String>() + last
    };
    let next = lane_line(0, 9_000_000, 2) + "\n";
    let complete = (800..810).map(|at| lane_line(at, 5_000_500, 1) + "\n").collect::<String>();
    for timeless in [0, 6, 400] {
        for last in ["", &next, &complete, &(complete.clone() + &next)] {
            let portions = Portions { jobs: NonZeroUsize::new(2).unwrap(), block_len: 2000, held: 8 };
            assert!(assert_rule_alike(&[lines(timeless, last)], lane_rule(4), portions), "{timeless} {last}");
        }
    }
}

#[test]
fn a_mark_and_an_index_that_are_no_sequence_end_what_is_given_back() {
    let first = 1_000_000;
    let line = |at: u64| lane_line(first + at, u64::MAX - first - 50, 1) + "\n";
    let text: String = (0..100).map(line).collect();
    let portions = Portions { jobs: NonZeroUsize::MIN, block_len: 2000, held: 8 };
    assert!(assert_rule_alike(&[text], lane_rule(1), portions));
}

#[test]
fn a_line_of_a_lane_that_comes_too_late_and_a_huge_one_are_read_in_two() {
    let line = |at: u64, ms: u64| lane_line(at, ms, 1) + "\n";
    let lines = |more: String| (0..400).filter(|at| *at != 3).map(|at| line(at, 5_000)).collect::<String>() + &more;
    for more in [line(3, 6_000), "x".repeat(5000) + "\n" + &line(400, 6_000)] {
        let portions = Portions { jobs: NonZeroUsize::new(2).unwrap(), block_len: 2000, held: 8 };
        assert!(!assert_rule_alike(&[lines(more)], lane_rule(5), portions));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn one_pass_derives_what_the_index_does(
        files in [file(150), file(150)],
        groups_per_epoch in 1u64..8,
        jobs in 1usize..4,
        block_len in 1200u64..6000,
    ) {
        assert_alike(&files, groups_per_epoch, jobs, block_len);
    }
}

#[test]
fn files_in_order_are_read_in_one_pass() {
    let file =
        |gap: std::ops::Range<u64>| (0..1000).filter(|at| !gap.contains(at)).map(|at| good(at, 1) + "\n").collect();
    for block_len in [1200, 3000, 30_000, BLOCK_LEN] {
        for jobs in [1, 2, 5] {
            assert!(assert_alike(&[file(0..0), file(0..0)], 5, jobs, block_len));
            assert!(assert_alike(&[file(7..300), file(0..0)], 5, jobs, block_len));
            assert!(assert_alike(&[file(0..0), file(3..400)], 5, jobs, block_len));
            assert!(assert_alike(&[file(0..0)], 5, jobs, block_len));
            assert!(assert_alike(&[], 5, jobs, block_len));
        }
    }
}

#[test]
fn an_epoch_without_a_time_ends_what_is_given_back() {
    for bare in [0..0, 0..5, 500..505, 500..700, 995..1000, 996..999] {
        let line =
            |at| if bare.contains(&at) { good(at, 1).replace("received_unix_ms", "received") } else { good(at, 1) };
        for len in [1000, 999] {
            let file: String = (0..len).map(|at| line(at) + "\n").collect();
            for jobs in [1, 2] {
                assert!(assert_alike(&[file.clone(), file.clone()], 5, jobs, 3000));
            }
        }
    }
}

#[test]
fn a_late_line_a_huge_line_and_many_bad_ones_are_read_in_two() {
    let lines = |more: String| (0..400).map(|at| good(at, 1) + "\n").collect::<String>() + &more;
    for more in [good(3, 1) + "\n", "x".repeat(5000) + "\n" + &good(400, 1) + "\n", "bad\n".repeat(2000)] {
        assert!(!assert_alike(&[lines(String::new()), lines(more)], 5, 2, 2000));
    }
}

#[test]
fn epochs_of_the_greatest_numbers_are_read() {
    let last: String = (0..200).map(|at| good(u64::MAX - 300 + at, 1) + "\n").collect();
    for groups_per_epoch in [1, 3] {
        assert!(assert_alike(&[last.clone(), last.clone()], groups_per_epoch, 2, 1500));
    }
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_an_error() {
    let lines: String = (0..200).map(|at| good(at, 1) + "\n").collect();
    let (_dir, broadcast) = archive(&[lines]);
    let path = broadcast.track_file(TRACKS[0]);
    let bytes = TrackBytes::open(path.clone(), LineRule::new(FieldNames::default(), "x", TRACKS[0])).unwrap();
    let (tracks, rule) = ([bytes], rule(5));
    let mut cutter = Cutter::new(&tracks, rule.epochs, 2000);
    let part = cutter.next().unwrap().unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(1000).unwrap();
    for error in [part.read(&rule, &tracks, &mut Scratch::new(&rule)).unwrap_err(), cutter.next().unwrap().unwrap_err()]
    {
        let Disorder::Archive(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn the_last_parts_are_small_so_that_threads_end_together() {
    let lines: String = (0..8000).map(|at| good(at, 1) + "\n").collect();
    let (_dir, broadcast) = archive(&[lines.clone(), lines.clone()]);
    let open =
        |track: &str| TrackBytes::open(broadcast.track_file(track), LineRule::new(FieldNames::default(), "x", track));
    let (tracks, epochs) = (TRACKS.map(|track| open(track).unwrap()), rule(5).epochs);
    let block_len = lines.len() as u64 / 10;
    let parts: Vec<_> = Cutter::new(&tracks, epochs, block_len).map(Result::unwrap).collect();
    for (place, _) in TRACKS.iter().enumerate() {
        let lens: Vec<_> = parts.iter().map(|part| part.stretches[place].len()).collect();
        assert_eq!(lens.iter().sum::<u64>(), lines.len() as u64);
        assert!(lens[..6].iter().all(|len| (block_len * 9 / 10..=block_len).contains(len)), "{lens:?}");
        assert!(lens[lens.len() - 3..].iter().all(|len| *len <= block_len / 4), "{lens:?}");
    }
}

#[test]
fn lines_across_windows_are_whole_and_where_they_stand() {
    let lines: String = (0..4000).map(|at| "x".repeat(if at == 1500 { 300_000 } else { at % 130 }) + "\n").collect();
    let (_dir, broadcast) = archive(std::slice::from_ref(&lines));
    let rule = LineRule::new(FieldNames::default(), "x", TRACKS[0]);
    let bytes = TrackBytes::open(broadcast.track_file(TRACKS[0]), rule).unwrap();
    for start in [0, lines.find("\n\n").unwrap() + 1] {
        let stretch = track_bytes::Stretch { start: start as u64, end: lines.len() as u64 };
        let mut found = Vec::new();
        let visit = |offset, bytes: &[u8]| {
            assert_eq!(offset as usize, start + found.len());
            assert!(bytes.is_empty() || bytes.ends_with(b"\n"));
            found.extend_from_slice(bytes);
            Ok(())
        };
        bytes.for_each_lines(stretch, &mut Vec::new(), visit).unwrap();
        assert!(found == lines.as_bytes()[start..]);
    }
}
