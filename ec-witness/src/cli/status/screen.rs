//! The summary for people: the verdict, what is wrong with what helps, what is well in one line, and a row a stream.

use alloy::primitives::{U256, utils::format_ether};
use ec_screen::{Column, Rows, Screen, Tone, Trouble, ago, short_decimal, spark};
use ec_witness::{
    monitor::check::{Check, Level, TOLD},
    standing::{LaneStanding, LedgerStanding, SendingStanding, Snapshot, StreamStanding},
    witness::slot::SlotState,
};

use super::{
    newest::NewestSlots,
    summary::{Summary, Verdict},
};
use crate::cli::output::mark_time;

/// Columns of a stream's newest slots: a minute each, an hour in all, on a screen that has room for it.
const SPARKS: usize = 60;
/// The same where it has not.
const NARROW_SPARKS: usize = 20;
/// From so many columns on there is room for an hour's slots.
const WIDE: usize = 140;
/// What a screen of this size shows at this time.
pub(super) fn show(summary: &Summary, screen: &Screen, now_unix_s: u64) -> String {
    let Snapshot { ledger, streams, .. } = &summary.snapshot;
    let mut blocks = vec![headline(summary, screen, now_unix_s)];
    let (well, wrong): (Vec<_>, Vec<_>) =
        summary.checks(now_unix_s).into_iter().partition(|check| check.level == Level::Ok);
    if !wrong.is_empty() {
        blocks.push(problems(wrong, screen));
    }
    let mut facts = vec![screen.healthy(&well.iter().map(|check| &*check.name).collect::<Vec<_>>())];
    let told = well.iter().filter(|check| TOLD.contains(&&*check.name));
    facts.extend(told.map(|check| screen.fact(&check.name, &check.reason)));
    facts.extend(funds(summary).map(|funds| screen.fact("funds", &funds)));
    if ledger.polled_unix_s.is_some() {
        facts.push(screen.fact("heads", &heads(ledger, now_unix_s)));
    }
    if let Some(head) = &summary.head {
        facts.push(screen.fact("final", &format!("means final at the {head}")));
    }
    blocks.push(facts.join("\n"));
    if !streams.is_empty() {
        blocks.push(rows(streams, &summary.newest, screen, now_unix_s));
    }
    blocks.join("\n\n")
}

/// Is it fine, and who is it?
fn headline(summary: &Summary, screen: &Screen, now_unix_s: u64) -> String {
    let verdict = summary.verdict(now_unix_s);
    let shown = |of: Option<String>| of.unwrap_or_else(|| "?".into());
    let chain = shown(summary.chain_id.map(|id| id.to_string()));
    let place = shown(summary.ledger.map(|ledger| ledger.to_string()));
    let witness = shown(summary.witness().map(|witness| witness.to_string()));
    let process = summary.process.map_or_else(String::new, |process| format!(", process {process}"));
    let tone = match verdict {
        Verdict::Fine => Tone::Good,
        Verdict::Degraded => Tone::Warn,
        Verdict::NotRunning | Verdict::Halted | Verdict::Unknown => Tone::Bad,
    };
    let told = format!("witness {witness} of ledger {place} on chain {chain}{process}");
    screen.headline(tone, verdict.word(), &told)
}

/// What is wrong, the worst first, each with what helps.
fn problems(mut wrong: Vec<Check>, screen: &Screen) -> String {
    wrong.sort_by_key(|check| std::cmp::Reverse(check.level));
    let troubles: Vec<_> = wrong.iter().map(trouble).collect();
    screen.troubles(&troubles)
}

fn trouble(Check { name, level, reason, fix }: &Check) -> Trouble<'_> {
    let (word, tone) = match level {
        Level::Fail => ("FAIL", Tone::Bad),
        Level::Warn | Level::Ok => ("warn", Tone::Warn),
    };
    Trouble { word, tone, name, reason, fix }
}

fn heads(LedgerStanding { heads, head_times, .. }: &LedgerStanding, now_unix_s: u64) -> String {
    let head = |name, block: u64, unix_s: u64| format!("{name} {block} ({} ago)", age(Some(unix_s), now_unix_s));
    [
        head("latest", heads.latest, head_times.latest),
        head("safe", heads.safe, head_times.safe),
        head("finalized", heads.finalized, head_times.finalized),
    ]
    .join(", ")
}

/// What the account pays for, at the present price and pace.
fn funds(summary: &Summary) -> Option<String> {
    let SendingStanding { balance_wei, vote_cost_wei, .. } = summary.snapshot.sending.as_ref()?;
    let (balance_wei, cost_wei) = ((*balance_wei)?, (*vote_cost_wei)?);
    let votes = balance_wei.checked_div(cost_wei)?;
    let a_day: u64 = summary.newest.iter().filter_map(NewestSlots::a_day).sum();
    let days = (a_day > 0).then(|| format!(", {} days at {a_day} a day", votes / U256::from(a_day)));
    Some(format!(
        "{} ether for {votes} votes{}",
        short_decimal(&format_ether(balance_wei), 6),
        days.unwrap_or_default()
    ))
}

/// How a slot is drawn. The worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Final,
    Passed,
    Undecided,
    Disagreeing,
}

impl Mark {
    fn of(state: SlotState) -> Self {
        match state {
            SlotState::Finalized => Self::Final,
            SlotState::Abstained | SlotState::Superseded => Self::Passed,
            SlotState::Open | SlotState::Waiting | SlotState::Voted => Self::Undecided,
            SlotState::Mismatch | SlotState::Disputed | SlotState::Conflicting => Self::Disagreeing,
        }
    }

    fn drawn(self) -> char {
        match self {
            Self::Final => '█',
            Self::Passed => '·',
            Self::Undecided => '░',
            Self::Disagreeing => '!',
        }
    }
}

/// A row a stream, and what the marks mean.
fn rows(streams: &[StreamStanding], newest: &[NewestSlots], screen: &Screen, now_unix_s: u64) -> String {
    let has_lanes = streams.iter().any(|stream| stream.lane.is_some());
    let mut columns = vec![
        Column::words("stream", 0),
        Column::words("the last hour", 0),
        Column::number("record", 1),
        Column::number("final", 0),
        Column::number("behind", 2),
        Column::number("undecided", 3),
        Column::number("disagreeing", 3),
        Column::number("voted", 5),
        Column::number("closed", 6),
        Column::number("finalized", 7),
        Column::number("superseded", 8),
    ];
    if has_lanes {
        columns.extend([
            Column::words("newest session", 4),
            Column::number("segments/h", 9),
            Column::number("epoch", 9),
            Column::number("unnamed", 9),
        ]);
    }
    let sparks = if screen.width < WIDE { NARROW_SPARKS } else { SPARKS };
    let mut rows = Rows::new(columns);
    for (at, stream) in streams.iter().enumerate() {
        let states = newest.get(at).map(NewestSlots::of_the_last_hour).unwrap_or_default();
        let marks: Vec<_> = states.into_iter().map(Mark::of).collect();
        // the newest are undecided for a while, which is as it should be
        let tone = match (marks.contains(&Mark::Disagreeing), marks.contains(&Mark::Final)) {
            (true, _) => Tone::Bad,
            (false, true) => Tone::Good,
            (false, false) => Tone::Warn,
        };
        rows.add(row(stream, (spark(&marks, sparks, Mark::drawn), Some(tone)), has_lanes, now_unix_s));
    }
    let legend = "█ final  ░ undecided  ! disagreeing  · passed by";
    rows.fit(screen) + "\n" + &screen.paint(Tone::Dim, &screen.paragraph("", legend))
}

fn row(
    stream: &StreamStanding,
    spark: (String, Option<Tone>),
    has_lanes: bool,
    now_unix_s: u64,
) -> Vec<(String, Option<Tone>)> {
    let plain = |text: String| (text, None);
    let lane = stream.lane.as_ref();
    let epoch = |sequence| plain(epoch(sequence, lane));
    let slots = |states: &[SlotState]| states.iter().map(|&state| stream.slots_in(state)).sum::<usize>();
    let disagreeing = slots(&[SlotState::Mismatch, SlotState::Disputed, SlotState::Conflicting]);
    let mut row = vec![
        plain(stream.stream_id.clone()),
        spark,
        plain(age(stream.newest_record_unix_s, now_unix_s)),
        epoch(stream.newest_final.latest),
        plain(stream.behind().latest.map_or_else(|| "-".into(), |behind| behind.to_string())),
        plain(slots(&[SlotState::Open, SlotState::Waiting, SlotState::Voted]).to_string()),
        (disagreeing.to_string(), (disagreeing > 0).then_some(Tone::Bad)),
        epoch(stream.newest_voted),
        epoch(stream.newest_closed),
        epoch(stream.newest_final.finalized),
        plain(slots(&[SlotState::Superseded]).to_string()),
    ];
    if has_lanes {
        let of_lane = |text: fn(&LaneStanding) -> String| plain(lane.map_or_else(|| "-".into(), text));
        row.extend([
            of_lane(|lane| lane.session.map_or_else(|| "none yet".into(), mark_time)),
            of_lane(|lane| lane.segments_last_hour.to_string()),
            of_lane(|lane| lane.epoch.map_or_else(|| "-".into(), |epoch| format!("{:.1} s", epoch.seconds()))),
            of_lane(|lane| lane.unnamed_epochs.to_string()),
        ]);
    }
    row
}

/// An epoch by its index; one of a lane by that within the newest session.
fn epoch(sequence: Option<u64>, lane: Option<&LaneStanding>) -> String {
    match (sequence, lane) {
        (None, _) => "-".into(),
        (Some(index), None) => index.to_string(),
        (Some(sequence), Some(lane)) => lane
            .session
            .and_then(|mark| sequence.checked_sub(mark))
            .map_or_else(|| "before".into(), |index| index.to_string()),
    }
}

/// How long ago that was.
fn age(unix_s_then: Option<u64>, now_unix_s: u64) -> String {
    unix_s_then.filter(|&then| then > 0).map_or_else(|| "-".into(), |then| ago(now_unix_s.saturating_sub(then)))
}

#[cfg(test)]
mod tests;
