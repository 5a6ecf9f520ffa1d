//! `status`: where the newest slots stand, from the archive, the ledger and the vote store. Changes nothing.

use alloy::primitives::Address;
use clap::Args;
use ec_witness::{
    archive::{StreamIndex, Sweep},
    chain::follow::Follower,
    daemon::{SlotReport, Source, own_epoch},
    store::VoteStore,
    stream::DerivedEpoch,
    witness::{
        decision::{OwnVote, Policy},
        engine::{Engine, Situation, SlotKey},
    },
};

use super::{
    Answer,
    chain::{ChainArgs, block_on},
    derive::read_index,
    ledger,
    output::JsonArg,
    settings::{AgreementArgs, ArchiveArgs, ConfigArg, StoreArgs},
    slots,
};

/// What to look at.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    agreement: AgreementArgs,

    /// Epochs shown of each stream, the newest ones; 0 for all.
    #[arg(long, env = "EC_WITNESS_LAST", value_name = "N", default_value_t = 20)]
    last: u64,

    #[command(flatten)]
    json: JsonArg,
}

impl StatusArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let policy = self.agreement.policy(&file.agreement);
        let store = self.store.directory_if_set(&file.store).map(VoteStore::read).transpose()?;
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let me = store.as_ref().map_or(Address::ZERO, |store| store.identity().witness);
        let follower = ledger::read(self.chain.clone().or(file.chain), sources.hashes(), Some(me)).await?;
        let mut reports = Vec::new();
        for source in &sources.streams {
            let index = read_index(&sources, source, self.json.json)?;
            let engine = self.judge(source, &index, store.as_ref(), &follower, me, policy)?;
            let report = |(key, slot)| SlotReport::new(&source.rule, key, slot, &follower);
            reports.extend(engine.slots().map(|(key, slot)| report((*key, slot))));
        }
        slots::print(&reports, self.json.json)?;
        Ok(Answer::Yes)
    }

    /// Judges the newest closed epochs once, as an archive at rest; what is not closed stays open.
    fn judge(
        &self,
        source: &Source,
        index: &StreamIndex,
        store: Option<&VoteStore>,
        follower: &Follower,
        me: Address,
        policy: Policy,
    ) -> eyre::Result<Engine> {
        let mut engine = Engine::new(me, policy);
        let Some(highest) = index.highest_epoch() else { return Ok(engine) };
        let low = if self.last == 0 { 0 } else { highest.saturating_sub(self.last - 1) };
        let mut open = Vec::new();
        for swept in Sweep::new(index, low..=highest) {
            let derived = swept?.derived;
            if derived.complete || derived.sequence < highest {
                admit(&mut engine, source, &derived, store)?;
            } else {
                open.push(derived);
            }
        }
        let (ledger, set) = (follower.ledger(), follower.set());
        engine.judge(&Situation { ledger, set, now_ms: 0, live_since_ms: follower.live_since_ms() });
        open.iter().try_for_each(|derived| admit(&mut engine, source, derived, store))?;
        Ok(engine)
    }
}

fn admit(engine: &mut Engine, source: &Source, derived: &DerivedEpoch, store: Option<&VoteStore>) -> eyre::Result<()> {
    if let Some(own) = own_epoch(&source.rule, engine.policy(), derived, true)? {
        let past = store.map(|store| store.vote(derived.slot)).transpose()?.flatten();
        let past = past.map(|(header, _)| (header, OwnVote::Cast));
        let key = SlotKey { stream: source.rule.stream_hash(), sequence: derived.sequence };
        engine.admit(key, derived.slot, own, 0, past);
    }
    Ok(())
}
