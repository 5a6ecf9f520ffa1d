//! op-challenger: `CheckRequired`, `NewConfigFromCLI`, `Config.Check`.

use std::path::Path;

use super::{
    Checked, Host, addresses, factory, filled, listeners, no_network, not_zero, refuse, required, transactions,
};
use crate::reads::{flags::Parsed, is_url};

/// The games that op-challenger plays: name, number, and whose flags they take.
pub const GAME_TYPES: [(&str, u32, Vm); 9] = [
    ("cannon", 0, Vm::Cannon),
    ("permissioned", 1, Vm::Cannon),
    ("super-cannon", 4, Vm::SuperCannon),
    ("super-permissioned", 5, Vm::SuperCannon),
    ("cannon-kona", 8, Vm::Kona),
    ("super-cannon-kona", 9, Vm::SuperKona),
    ("optimistic-zk", 10, Vm::None),
    ("fast", 254, Vm::None),
    ("alphabet", 255, Vm::None),
];

/// What a game is played with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vm {
    /// cannon and op-program.
    Cannon,
    /// The same, over several chains.
    SuperCannon,
    /// cannon and kona.
    Kona,
    /// The same, over several chains.
    SuperKona,
    /// Neither.
    None,
}

/// The types of the games that are played: what is given, or the program's own default.
pub fn game_types(parsed: &Parsed) -> Vec<&str> {
    let given = parsed.list("game-types");
    if parsed.is_set("game-types") { given } else { vec!["cannon", "cannon-kona"] }
}

/// Those of them that op-challenger knows.
pub fn played(parsed: &Parsed) -> Vec<(&'static str, u32, Vm)> {
    game_types(parsed)
        .into_iter()
        .filter_map(|name| GAME_TYPES.into_iter().find(|(known, ..)| *known == name))
        .collect()
}

impl Vm {
    /// The flag that names the file of its absolute prestate.
    pub fn prestate_flag(self) -> Option<&'static str> {
        match self {
            Self::Cannon | Self::SuperCannon => Some("cannon-prestate"),
            Self::Kona | Self::SuperKona => Some("cannon-kona-prestate"),
            Self::None => None,
        }
    }
}

pub(super) fn check(parsed: &Parsed, host: &dyn Host) -> Checked {
    let mut machines = Vec::new();
    for name in game_types(parsed) {
        match GAME_TYPES.into_iter().find(|(known, ..)| *known == name) {
            Some((_, _, machine)) => machines.push((name, machine)),
            None => {
                return refuse(
                    format!("--game-types: {name:?} is no game that op-challenger plays"),
                    "name some of cannon, permissioned, cannon-kona, super-cannon, super-permissioned, super-cannon-kona",
                );
            }
        }
    }
    required(parsed, &["l1-eth-rpc", "datadir", "l1-beacon", "l2-eth-rpc"])?;
    no_network(parsed)?;
    for (name, machine) in &machines {
        flags(parsed, name, *machine)?;
    }
    factory(parsed)?;
    for flag in ["game-allowlist", "additional-bond-claimants"] {
        addresses(parsed, flag)?;
    }
    not_zero(parsed, &["max-concurrency"])?;
    for flag in ["l1-eth-rpc", "l1-beacon", "datadir"] {
        filled(parsed, flag)?;
    }
    for (_, machine) in &machines {
        files(parsed, *machine, host)?;
    }
    for machine in ["cannon", "cannon-kona"] {
        let own = format!("{machine}-prestates-url");
        let flag = if parsed.is_set(&own) { &own } else { "prestates-url" };
        if !parsed.text(flag).is_none_or(is_url) {
            return refuse(format!("--{flag} is no URL"), "give one, to which the prestate's hash is added");
        }
    }
    transactions(parsed)?;
    listeners(parsed)
}

/// `CheckRequired` for one game: what must be set at all.
fn flags(parsed: &Parsed, game: &str, machine: Vm) -> Checked {
    let want = |flags: &[&str]| match flags.iter().any(|flag| parsed.is_set(flag)) {
        true => Ok(()),
        false => refuse(
            format!("games of type {game} want --{}", flags.join(" or --")),
            format!("set --{}, or leave {game} out of --game-types", flags[0]),
        ),
    };
    if matches!(machine, Vm::SuperCannon | Vm::SuperKona) {
        want(&["supernode-rpc"])?;
    } else {
        want(&["rollup-rpc"])?;
    }
    let prefix = match machine {
        Vm::None => return Ok(()),
        Vm::Cannon | Vm::SuperCannon => "cannon",
        Vm::Kona | Vm::SuperKona => "cannon-kona",
    };
    let own = |name: &str| format!("{prefix}-{name}");
    let network = parsed.is_set("network");
    if !network {
        want(&[&own("rollup-config"), "rollup-config"])?;
        want(&[&own("l2-genesis"), "l2-genesis"])?;
        if matches!(machine, Vm::SuperCannon | Vm::SuperKona) {
            want(&[&own("depset-config"), "depset-config"])?;
        }
    }
    let custom = parsed.switch(&own("l2-custom")) == Some(true);
    let files = ["rollup-config", "l2-genesis", "l1-genesis"].into_iter().flat_map(|name| [own(name), name.to_owned()]);
    if let Some(flag) = files.into_iter().find(|flag| network && parsed.is_set(flag)) {
        return refuse(format!("--network is set beside --{flag}"), "remove one of them");
    }
    if network && custom {
        return refuse(format!("--network is set beside --{}", own("l2-custom")), "remove one of them");
    }
    want(&["cannon-bin"])?;
    match machine {
        Vm::Cannon | Vm::SuperCannon => {
            want(&["cannon-server"])?;
            want(&["cannon-prestate", "cannon-prestates-url", "prestates-url"])
        }
        Vm::Kona => {
            want(&["cannon-kona-server"])?;
            want(&["cannon-kona-prestate", "cannon-kona-prestates-url", "prestates-url"])
        }
        Vm::SuperKona | Vm::None => Ok(()),
    }
}

/// `Config.Check` for one game: what must have a value, and the programs that must be there.
fn files(parsed: &Parsed, machine: Vm, host: &dyn Host) -> Checked {
    if matches!(machine, Vm::SuperCannon | Vm::SuperKona) {
        filled(parsed, "supernode-rpc")?;
    } else {
        filled(parsed, "rollup-rpc")?;
    }
    let (prefix, server) = match machine {
        Vm::None => return Ok(()),
        Vm::Cannon | Vm::SuperCannon => ("cannon", "cannon-server"),
        Vm::Kona | Vm::SuperKona => ("cannon-kona", "cannon-kona-server"),
    };
    let own = |name: &str| format!("{prefix}-{name}");
    let either = |name: &str| parsed.text(&own(name)).filter(|text| !text.is_empty()).or_else(|| parsed.text(name));
    if matches!(machine, Vm::SuperCannon | Vm::SuperKona)
        && parsed.list("network").is_empty()
        && either("depset-config").unwrap_or_default().is_empty()
    {
        return refuse("--network or --depset-config is missing", "set --depset-config");
    }
    for flag in ["cannon-bin", server] {
        filled(parsed, flag)?;
        let path = parsed.text(flag).unwrap_or_default();
        if host.has(Path::new(path)) == Some(false) {
            return refuse(format!("--{flag}: there is no {path}"), "give the path of the program");
        }
    }
    if either("prestate").unwrap_or_default().is_empty()
        && !parsed.is_set(&own("prestates-url"))
        && !parsed.is_set("prestates-url")
    {
        return refuse(format!("--{} is empty", own("prestate")), "give the prestate's file");
    }
    not_zero(parsed, &["cannon-snapshot-freq", "cannon-info-freq"])
}
