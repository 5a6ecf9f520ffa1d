//! What is to be said of each thing that was looked at. Pure: what was found in, findings out.

use std::path::{Path, PathBuf};

use alloy::primitives::Address;
use ec_ledger::identity::Kind;
use ec_witness::monitor::check::Check;

use super::finding::{Finding, Origins};

/// From how many blocks on a log that is read from the chain's beginning takes too long to be left at that.
const LONG_LOG_BLOCKS: u64 = 100_000;

/// After how long an archive's newest record is old, seconds.
const OLD_RECORD_S: u64 = 3600;

/// How alike a word must be to one that is there, to be taken for a misspelling of it.
const ALIKE: f64 = 0.7;

/// One endpoint, and the chain that it serves or why that is not known.
pub(super) type Reached = (String, Result<u64, String>);

/// The endpoints, of which `agree` must answer, and the chain that they serve.
pub(super) fn endpoints(origins: &Origins, configured: Option<u64>, agree: usize, reached: &[Reached]) -> Vec<Finding> {
    let names = reached.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let place = || origins.place("chain", "rpc", Some(&names));
    let silent: Vec<_> =
        reached.iter().filter_map(|(name, chain)| Some(format!("{name}: {}", chain.as_ref().err()?))).collect();
    let chains: Vec<_> = reached.iter().filter_map(|(name, chain)| Some((name, *chain.as_ref().ok()?))).collect();
    let all = reached.len();
    if chains.len() < agree {
        let found = format!("{} of {all} answer, and {agree} must agree: {}", chains.len(), silent.join("; "));
        let fix =
            "start the node, or correct the URL: it is that of the node's HTTP RPC, such as http://127.0.0.1:8545";
        return vec![Finding::at(Check::fail("endpoints", found, fix), place())];
    }
    let mut findings = Vec::new();
    findings.push(match silent.is_empty() {
        true => Finding::at(Check::ok("endpoints", format!("{all} of {all} answer, {agree} must agree")), place()),
        false => {
            let found = format!("{} of {all} answer: {}", chains.len(), silent.join("; "));
            Finding::at(Check::warn("endpoints", found, "look after the endpoint, or take it out"), place())
        }
    });
    let chain_id = origins.place("chain", "chain_id", configured);
    let first = chains.first().map_or(0, |(_, chain)| *chain);
    let odd = chains.iter().find(|(_, chain)| Some(*chain) != configured);
    findings.push(match (configured, odd) {
        (None, _) => {
            let fix = format!("write chain_id = {first}, if that is the chain which is meant");
            Finding::at(Check::fail("chain", format!("the endpoints serve chain {first}"), fix), chain_id)
        }
        (Some(configured), Some((name, found))) => {
            let reason = format!("chain_id is set to {configured}, but rpc {name} is of chain {found}");
            let fix = format!("write chain_id = {found}, or the URL of an endpoint of chain {configured}");
            Finding::at(Check::fail("chain", reason, fix), chain_id)
        }
        (Some(configured), None) => Finding::at(Check::ok("chain", format!("chain {configured}")), chain_id),
    });
    findings
}

/// Whether the chain has a finalized head.
pub(super) fn heads(latest: u64, finalized: Option<u64>) -> Finding {
    Finding::of(match finalized {
        Some(finalized) => Check::ok("heads", format!("block {latest}, of which {finalized} is final")),
        None => Check::warn(
            "heads",
            format!("block {latest}; the chain has no finalized head yet"),
            "nothing counts as final before it has one; a chain of the OP Stack has one when its batches are on a final block of L1",
        ),
    })
}

/// A setting that names a contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) field: &'static str,
    pub(super) wanted: Kind,
    pub(super) address: Address,
    pub(super) found: Kind,
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::NoCode => "no contract",
        Kind::Ledger => "the ledger",
        Kind::Registry => "the registry",
        Kind::Rail => "the rail",
        Kind::Other => "another contract",
    }
}

/// Whether each address has the contract that its setting is for. Nothing is said of what is right.
pub(super) fn contracts(origins: &Origins, chain_id: u64, named: &[Named]) -> Vec<Finding> {
    let wrong = named.iter().filter(|one| one.found != one.wanted && one.found != Kind::Other);
    wrong
        .map(|&Named { field, wanted, address, found }| {
            let place = origins.place("chain", field, Some(address));
            if found == Kind::NoCode {
                let reason = format!("{field} is set to {address}, but there is no code on chain {chain_id}");
                let fix = "correct the address or the chain; `ec-witness deploy` printed it";
                return Finding::at(Check::fail("contracts", reason, fix), place);
            }
            let reason = format!("{field} is set to {address}, and that is {}", word(found));
            let other = named.iter().find(|other| other.found == wanted && other.field != field);
            let fix = match other {
                Some(other) => {
                    format!("{field} = \"{}\": that is {}, and stands in {}", other.address, word(wanted), other.field)
                }
                None => format!("write the address of {} in {field}; `ec-witness deploy` printed it", word(wanted)),
            };
            Finding::at(Check::fail("contracts", reason, fix), place)
        })
        .collect()
}

/// From which block the log is read: `first` is the block that holds the ledger's creation, as far as that is known.
pub(super) fn deploy_block(origins: &Origins, configured: Option<u64>, first: Option<u64>, latest: u64) -> Finding {
    let place = origins.place("chain", "deploy_block", configured);
    let from = configured.unwrap_or_default();
    let fix = |first: u64| format!("deploy_block = {first}");
    let check = match first {
        Some(first) if from > latest => Check::fail(
            "deploy_block",
            format!("the chain's newest block is {latest}, and the ledger was there in block {first} already"),
            fix(first),
        ),
        Some(first) if from > first => Check::fail(
            "deploy_block",
            format!("the ledger was there in block {first} already: votes before deploy_block would not be seen"),
            fix(first),
        ),
        Some(first) if first - from > LONG_LOG_BLOCKS => Check::warn(
            "deploy_block",
            format!("the ledger came in block {first}: {} blocks are read in vain at each start", first - from),
            fix(first),
        ),
        Some(first) => {
            Check::ok("deploy_block", format!("the log is read from block {from}; the ledger came in block {first}"))
        }
        None => Check::warn(
            "deploy_block",
            "no endpoint can tell in which block the ledger came",
            "compare it with what `ec-witness deploy` printed; name an endpoint that keeps old state",
        ),
    };
    Finding::at(check, place)
}

/// Whether the log can be read from where it begins.
pub(super) fn logs(origins: &Origins, from: u64, to: u64, failed: Option<(String, bool)>) -> Finding {
    let Some((error, may_be_size)) = failed else {
        return Finding::of(Check::ok("logs", format!("blocks {from} to {to} can be asked for at once")));
    };
    let (key, value, fix) = match may_be_size {
        true => (
            "log_page_blocks",
            to - from + 1,
            "write a smaller log_page_blocks, such as 1000, or name an endpoint that allows more",
        ),
        false => ("deploy_block", from, "name an endpoint that keeps the log from that block on"),
    };
    let reason = format!("the ledger's log of blocks {from} to {to} cannot be read: {error}");
    Finding::at(Check::fail("logs", reason, fix), origins.place("chain", key, Some(value)))
}

/// Whether the witness has a seat.
pub(super) fn member(witness: Address, is_member: bool, witnesses: usize, quorum: u8) -> Finding {
    let of = format!("{witnesses} witnesses, quorum {quorum}");
    Finding::of(match is_member {
        true => Check::ok("member", format!("{witness} is one of {of}")),
        false => Check::warn(
            "member",
            format!("{witness} is not an active witness ({of}): its votes do not count"),
            format!("the registry's owner runs `ec-witness registry add {witness}`"),
        ),
    })
}

/// A name that is alike, where there is one, and else all that are there.
pub(super) fn candidates(wanted: &str, there: &[String]) -> String {
    let alike =
        there.iter().map(|name| (strsim::jaro_winkler(wanted, name), name)).filter(|(alike, _)| *alike >= ALIKE);
    match alike.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((_, name)) => format!("is {name:?} meant? there are {}", there.join(", ")),
        None if there.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", there.join(", ")),
    }
}

/// Whether the index is where it should be. `near` are directories that hold one and are near the one that is named.
pub(super) fn no_archive(
    origins: &Origins,
    key: &str,
    manifests: &Path,
    why: &str,
    near: &[PathBuf],
    comes_later: bool,
) -> Finding {
    let place = origins.place("archive", key, Some(manifests.display()));
    if comes_later {
        let found = format!("{why}; each stream will be judged from its first epoch");
        return Finding::at(Check::warn("archive", found, "the witness waits for it"), place);
    }
    let fix = match near {
        [] => "correct the path of the archive, or say with --archive-later that it comes later".to_owned(),
        near => {
            let near: Vec<_> = near.iter().map(|path| format!("{}", path.display())).collect();
            format!("an index is in {}; correct the path of the archive", near.join(", "))
        }
    };
    Finding::at(Check::fail("archive", why, fix), place)
}

/// A broadcast of the archive and the tracks that it has files of.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    pub(super) broadcast: String,
    pub(super) tracks: Vec<String>,
}

/// What the configuration says of one broadcast.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) broadcast: String,
    pub(super) tracks: Vec<String>,
    /// Tracks that have an epoch length of their own.
    pub(super) lengths: Vec<String>,
}

/// Broadcasts and tracks that are configured and that the archive does not have.
pub(super) fn names(
    origins: &Origins,
    archive_tracks: &[String],
    tables: &[Table],
    found: &[Tracks],
    may_come_later: bool,
) -> Vec<Finding> {
    let judged = |reason: String, fix: String, place| {
        let check = match may_come_later {
            true => Check::warn("streams", reason, "it is taken up when it appears"),
            false => Check::fail("streams", reason, fix),
        };
        Finding::at(check, place)
    };
    let broadcasts: Vec<_> = found.iter().map(|one| one.broadcast.clone()).collect();
    let mut wrong = Vec::new();
    for Table { broadcast, tracks, lengths } in tables {
        let Some(Tracks { tracks: there, .. }) = found.iter().find(|one| one.broadcast == *broadcast) else {
            let fix =
                format!("{}; or say with --archive-later that it comes later", candidates(broadcast, &broadcasts));
            let place = origins.of_stream(broadcast, "broadcast", format!("{broadcast:?}"));
            wrong.push(judged(format!("the archive has no broadcast {broadcast:?}"), fix, place));
            continue;
        };
        for (key, names) in [("tracks", tracks), ("track_groups_per_epoch", lengths)] {
            for track in names.iter().filter(|track| !there.contains(track)) {
                let fix = format!("{}; or say with --archive-later that it comes later", candidates(track, there));
                let place = origins.of_stream(broadcast, key, format!("{track:?}"));
                wrong.push(judged(format!("broadcast {broadcast:?} has no track {track:?}"), fix, place));
            }
        }
    }
    let mut there: Vec<_> = found.iter().flat_map(|one| one.tracks.clone()).collect();
    there.sort_unstable();
    there.dedup();
    for track in archive_tracks.iter().filter(|track| !there.contains(track)) {
        let fix = format!("{}; or say with --archive-later that it comes later", candidates(track, &there));
        let place = origins.place("archive", "tracks", Some(format!("{track:?}")));
        wrong.push(judged(format!("no broadcast has a track {track:?}"), fix, place));
    }
    wrong
}

/// How old the newest record is.
pub(super) fn newest_record(age_s: Option<u64>) -> Finding {
    Finding::of(match age_s {
        None => Check::warn("records", "the archive has no record yet", "see to the archive's writer"),
        Some(age_s) if age_s > OLD_RECORD_S => {
            let found = format!("the newest record came {} h ago", age_s / 3600);
            Check::warn("records", found, "where the archive is to grow: see to its writer and to the mount")
        }
        Some(age_s) => Check::ok("records", format!("the newest record came {age_s} s ago")),
    })
}

/// What is at the place of the vote store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// Nothing.
    None,
    /// One, and that is wrong: why, and what helps.
    Refused(String, String),
    /// That of this witness.
    Own {
        /// The process that votes with it.
        process: Option<u32>,
        /// The next nonce that it would use.
        next_nonce: u64,
    },
}

/// Why an operator looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To write a configuration.
    Setup,
    /// To check one that is there.
    Check,
    /// To create the store.
    Init,
}

/// The store, and the file system that it is on, if that is one of a network.
pub(super) fn store(origins: &Origins, purpose: Purpose, dir: &Path, network: Option<&str>, found: &Store) -> Finding {
    let place = origins.place("store", "dir", Some(dir.display()));
    let shown = dir.display();
    let check = match (found, purpose) {
        (Store::Refused(why, fix), _) => Check::fail("store", why, fix),
        _ if network.is_some() => Check::fail(
            "store",
            format!(
                "it is on a network share ({}), which loses what a power cut must not take, and which two hosts can share",
                network.unwrap_or_default()
            ),
            "name a directory on a local disk in [store] dir",
        ),
        (Store::None, Purpose::Check) => Check::warn(
            "store",
            "there is no vote store yet: init was not run",
            match origins.file() {
                Some(file) => format!("`ec-witness init --config {}`", file.display()),
                None => "`ec-witness init` with the same settings".to_owned(),
            },
        ),
        (Store::None, _) => Check::ok("store", format!("{shown} is free for a new one")),
        (Store::Own { .. }, Purpose::Init) => Check::fail(
            "store",
            format!("{shown}: there is a vote store already; it must never be replaced while its key votes"),
            "start the witness with it: `ec-witness run`; for another witness, name another directory in [store] dir",
        ),
        (Store::Own { process: Some(process), .. }, _) => {
            Check::ok("store", format!("process {process} votes with it"))
        }
        (Store::Own { process: None, .. }, _) => Check::ok("store", "it is this witness's; no process votes with it"),
    };
    Finding::at(check, place)
}

/// Whether the store knows what the chain does: the account's nonce there, and votes of it on the chain that the store lacks.
pub(super) fn history(
    origins: &Origins,
    dir: &Path,
    next_nonce: u64,
    on_chain: u64,
    unknown_votes: usize,
) -> Option<Finding> {
    if on_chain <= next_nonce && unknown_votes == 0 {
        return None;
    }
    let place = origins.place("store", "dir", Some(dir.display()));
    let used = format!("the account has used {on_chain} nonces, and this store knows of {next_nonce}");
    let (reason, fix) = match unknown_votes {
        0 => (
            format!("{used}; none of what it does not know is a vote: something else was sent from the account"),
            format!(
                "send nothing but votes from the account; move {} aside, run `ec-witness init`, then `ec-witness history import` what \
                 `ec-witness history export --store {0}` prints",
                dir.display()
            ),
        ),
        votes => (
            format!(
                "{used}; {votes} votes of this key on the chain are not in it: it is an older copy, or a second store of the key is in \
                 use"
            ),
            format!(
                "stop every process of the key; move {} aside, run `ec-witness init`, which takes over the votes on the chain, then \
                 `ec-witness history import` what `ec-witness history export --store {0}` prints; never restore a store from a copy",
                dir.display()
            ),
        ),
    };
    Some(Finding::at(Check::fail("history", reason, fix), place))
}

#[cfg(test)]
mod tests {
    use ec_witness::monitor::check::Level;

    use super::*;

    fn file() -> Origins {
        Origins::of_file(Path::new("/etc/w.toml"))
    }

    fn failed(finding: &Finding, parts: &[&str]) {
        assert_eq!(finding.check.level, Level::Fail, "{finding}");
        parts.iter().for_each(|part| assert!(finding.to_string().contains(part), "{part:?} is missing: {finding}"));
    }

    fn reached(chains: &[Result<u64, &str>]) -> Vec<Reached> {
        let one = |(at, chain): (usize, &Result<u64, &str>)| (format!("http://{at}"), chain.map_err(str::to_owned));
        chains.iter().enumerate().map(one).collect()
    }

    #[test]
    fn endpoints_must_answer_and_be_of_the_chain() {
        let judged = |chain_id, agree, chains: &[_]| endpoints(&file(), chain_id, agree, &reached(chains));
        assert!(judged(Some(1), 2, &[Ok(1), Ok(1)]).iter().all(|one| one.check.level == Level::Ok));
        failed(
            &judged(Some(1), 1, &[Err("refused")])[0],
            &["/etc/w.toml: [chain] rpc = http://0", "refused", "correct the URL"],
        );
        assert_eq!(judged(Some(1), 2, &[Ok(1), Ok(1), Err("down")])[0].check.level, Level::Warn);
        failed(&judged(None, 1, &[Ok(901)])[1], &["[chain] chain_id is not set", "write chain_id = 901"]);
        failed(&judged(Some(5), 1, &[Ok(901)])[1], &["chain_id = 5", "rpc http://0 is of chain 901"]);
        failed(&judged(Some(1), 1, &[Ok(1), Ok(2)])[1], &["rpc http://1 is of chain 2"]);
    }

    #[test]
    fn swapped_addresses_are_told_by_where_each_belongs() {
        let [one, two] = [1, 2].map(Address::with_last_byte);
        let of = |field, wanted, address, found| Named { field, wanted, address, found };
        let ledger = of("ledger", Kind::Ledger, one, Kind::Registry);
        let swapped = contracts(&file(), 901, &[ledger, of("registry", Kind::Registry, two, Kind::Ledger)]);
        failed(
            &swapped[0],
            &["[chain] ledger", "that is the registry", &format!("ledger = \"{two}\""), "stands in registry"],
        );
        failed(&swapped[1], &["[chain] registry", "that is the ledger", &format!("registry = \"{one}\"")]);
        failed(&contracts(&file(), 901, &[ledger])[0], &["write the address of the ledger"]);
        failed(&contracts(&file(), 901, &[of("rail", Kind::Rail, one, Kind::NoCode)])[0], &["no code on chain 901"]);
        assert_eq!(
            contracts(&file(), 901, &[of("rail", Kind::Rail, one, Kind::Other)]),
            [],
            "it may be behind a proxy"
        );
    }

    #[test]
    fn the_log_begins_at_the_ledgers_first_block_or_before() {
        let judged = |configured, first, latest| deploy_block(&file(), configured, first, latest);
        failed(&judged(Some(99), Some(12), 100), &["[chain] deploy_block = 99", "block 12", "fix: deploy_block = 12"]);
        failed(&judged(Some(101), Some(12), 100), &["newest block is 100", "fix: deploy_block = 12"]);
        let level = |configured, first| judged(configured, first, 1_000_000).check.level;
        assert_eq!([level(Some(12), Some(12)), level(None, Some(12)), level(Some(3), Some(12))], [Level::Ok; 3]);
        assert_eq!([level(None, Some(900_000)), level(None, None)], [Level::Warn; 2]);
    }

    #[test]
    fn a_log_that_cannot_be_read_names_the_setting_that_helps() {
        failed(&logs(&file(), 5, 104, Some(("limit".into(), true))), &["[chain] log_page_blocks = 100", "smaller"]);
        failed(&logs(&file(), 5, 104, Some(("pruned".into(), false))), &["[chain] deploy_block = 5", "keeps the log"]);
        assert_eq!(logs(&file(), 5, 5, None).check.level, Level::Ok);
    }

    #[test]
    fn what_is_mistyped_is_told_with_what_is_there() {
        let found = [
            Tracks { broadcast: "la-nbc".into(), tracks: vec!["0.m4s".into(), "1.m4s".into()] },
            Tracks { broadcast: "la-cbs".into(), tracks: vec!["0.m4s".into()] },
        ];
        let table = |broadcast: &str, tracks: &[&str], lengths: &[&str]| Table {
            broadcast: broadcast.into(),
            tracks: tracks.iter().map(|&track| track.to_owned()).collect(),
            lengths: lengths.iter().map(|&track| track.to_owned()).collect(),
        };
        let judged = |archive: &[&str], tables: &[Table], later| {
            let archive: Vec<_> = archive.iter().map(|&track| track.to_owned()).collect();
            names(&file(), &archive, tables, &found, later)
        };
        let typo = judged(&[], &[table("la-ncb", &[], &[])], false);
        failed(&typo[0], &["[[stream]] broadcast = \"la-ncb\"", "is \"la-nbc\" meant?"]);
        let tracks = judged(&[], &[table("la-cbs", &["1.m4s"], &["2.m4s"])], false);
        failed(&tracks[0], &["[[stream]] \"la-cbs\" tracks = \"1.m4s\"", "\"0.m4s\""]);
        failed(&tracks[1], &["track_groups_per_epoch = \"2.m4s\""]);
        failed(&judged(&["vide0.m4s"], &[], false)[0], &["[archive] tracks = \"vide0.m4s\"", "0.m4s"]);
        assert_eq!(judged(&["1.m4s"], &[table("la-cbs", &["0.m4s"], &[])], false), []);
        assert_eq!(judged(&["x"], &[], true)[0].check.level, Level::Warn, "what comes later is no mistake");
    }

    #[test]
    fn a_path_without_an_index_is_told_with_one_that_has_it() {
        let judged = |near: &[PathBuf], later| {
            no_archive(&file(), "dir", Path::new("/a/manifests"), "no such directory", near, later)
        };
        failed(
            &judged(&["/b/manifests".into()], false),
            &["[archive] dir = /a/manifests", "an index is in /b/manifests"],
        );
        failed(&judged(&[], false), &["--archive-later"]);
        assert_eq!(judged(&[], true).check.level, Level::Warn);
    }

    #[test]
    fn a_store_is_judged_by_what_it_is_for() {
        let dir = Path::new("/s");
        let own = |process| Store::Own { process, next_nonce: 3 };
        let judged = |purpose, network, found: &Store| store(&file(), purpose, dir, network, found);
        failed(&judged(Purpose::Init, None, &own(None)), &["[store] dir = /s", "there is a vote store already"]);
        failed(&judged(Purpose::Init, Some("nfs"), &Store::None), &["network share (nfs)", "local disk"]);
        let forgotten = judged(Purpose::Check, None, &Store::None);
        assert!(forgotten.to_string().contains("`ec-witness init --config /etc/w.toml`"), "{forgotten}");
        assert_eq!(judged(Purpose::Init, None, &Store::None).check.level, Level::Ok);
        assert_eq!(judged(Purpose::Check, None, &own(Some(7))).check.level, Level::Ok);
        failed(&judged(Purpose::Check, None, &Store::Refused("of another".into(), "its own".into())), &["of another"]);
    }

    #[test]
    fn an_older_store_is_told_apart_from_other_transactions() {
        let judged = |next, chain, votes| history(&file(), Path::new("/s"), next, chain, votes);
        assert_eq!(judged(8, 8, 0), None);
        assert_eq!(judged(8, 7, 0), None, "what is on its way");
        failed(&judged(8, 12, 3).unwrap(), &["used 12 nonces", "knows of 8", "older copy", "--store /s"]);
        failed(&judged(8, 9, 0).unwrap(), &["something else was sent"]);
    }
}
