//! `rail`: the compact store of pointers.

use alloy::{primitives::B256, sol_types::SolCall};
use clap::{Args, Subcommand};
use ec_ledger::contracts::EveryChannelRail as rail;
use ec_observation::{EpochHash, SlotId, StreamHash};
use eyre::{OptionExt, WrapErr};
use serde::Serialize;

use super::{
    Answer,
    connection::{ReadArgs, block_on},
    output::fact,
    owner::{AccountArgs, OwnerArgs},
    send::SendArgs,
    settle::SettleArgs,
};

/// Show, publish and settle the pointers that say where each slot's data is.
#[derive(Debug, Subcommand)]
pub(crate) enum RailCommand {
    /// Show a slot's pointer; exit code 1 if there is none.
    Show(ShowArgs),
    /// Write a slot's pointer; publishers only, and never over a settled one.
    Publish(PublishArgs),
    /// Announce something about a stream; publishers only.
    Announce(AnnounceArgs),
    /// Make finalized observations the pointers of their slots, for ever; exit code 1 if one is not final.
    Settle(SettleArgs),
    /// Let an address publish; owner only.
    AddPublisher(AccountArgs),
    /// No longer let an address publish; owner only.
    RemovePublisher(AccountArgs),
    /// Offer the ownership to another address, which has to accept it.
    TransferOwnership(AccountArgs),
    /// Accept the ownership that was offered to the sender.
    AcceptOwnership(OwnerArgs),
}

/// `rail show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The slot.
    #[arg(long, env = "EC_WITNESS_SLOT", value_name = "HASH", conflicts_with_all = ["stream_id", "epoch_id"])]
    slot: Option<B256>,

    /// The stream's id, with --epoch-id instead of a slot.
    #[arg(long, env = "EC_WITNESS_STREAM_ID", value_name = "ID", requires = "epoch_id")]
    stream_id: Option<String>,

    /// The epoch's id, such as ec/epoch/v1/g30/29547078.
    #[arg(long, env = "EC_WITNESS_EPOCH_ID", value_name = "ID", requires = "stream_id")]
    epoch_id: Option<String>,

    #[command(flatten)]
    read: ReadArgs,
}

/// `rail publish`.
#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// The stream's id.
    #[arg(long, env = "EC_WITNESS_STREAM_ID", value_name = "ID")]
    stream_id: String,

    /// The epoch's id, such as ec/epoch/v1/g30/29547078.
    #[arg(long, env = "EC_WITNESS_EPOCH_ID", value_name = "ID")]
    epoch_id: String,

    /// Hash of the manifest.
    #[arg(long, env = "EC_WITNESS_MANIFEST_HASH", value_name = "HASH")]
    manifest_hash: B256,

    /// Root over the epoch's records.
    #[arg(long, env = "EC_WITNESS_DATA_ROOT", value_name = "HASH")]
    data_root: B256,

    /// Hash of the canonical locator.
    #[arg(long, env = "EC_WITNESS_LOCATOR_HASH", value_name = "HASH")]
    locator_hash: B256,

    #[command(flatten)]
    send: SendArgs,
}

/// `rail announce`.
#[derive(Debug, Args)]
pub(crate) struct AnnounceArgs {
    /// The stream's id.
    #[arg(long, env = "EC_WITNESS_STREAM_ID", value_name = "ID")]
    stream_id: String,

    /// Hash of the announcement.
    #[arg(long, env = "EC_WITNESS_ANNOUNCEMENT_HASH", value_name = "HASH")]
    announcement_hash: B256,

    #[command(flatten)]
    send: SendArgs,
}

impl RailCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.run_async())
    }

    async fn run_async(self) -> eyre::Result<Answer> {
        match self {
            Self::Show(args) => args.run().await,
            Self::Publish(args) => args.run().await,
            Self::Announce(AnnounceArgs { stream_id, announcement_hash, send }) => {
                let stream = StreamHash::of(&stream_id);
                let call = rail::announceCall { streamHash: stream.0, announcementHash: announcement_hash };
                act(&send, &format!("announce {announcement_hash} of stream {stream_id}"), call).await
            }
            Self::Settle(args) => args.run().await,
            Self::AddPublisher(AccountArgs { account: publisher, owner }) => {
                own(&owner, &format!("add publisher {publisher}"), rail::addPublisherCall { publisher }).await
            }
            Self::RemovePublisher(AccountArgs { account: publisher, owner }) => {
                own(&owner, &format!("remove publisher {publisher}"), rail::removePublisherCall { publisher }).await
            }
            Self::TransferOwnership(AccountArgs { account, owner }) => {
                let call = rail::transferOwnershipCall { newOwner: account };
                own(&owner, &format!("offer ownership to {account}"), call).await
            }
            Self::AcceptOwnership(owner) => own(&owner, "accept ownership", rail::acceptOwnershipCall {}).await,
        }
    }
}

async fn act(send: &SendArgs, action: &str, call: impl SolCall) -> eyre::Result<Answer> {
    let caller = send.caller().await?;
    let (rail, _) = caller.connection.rail().await?;
    caller.act(action, rail, &call).await
}

/// Acts as the rail's owner.
async fn own(owner: &OwnerArgs, action: &str, call: impl SolCall) -> eyre::Result<Answer> {
    owner.act(action, call, async |connection| Ok(connection.rail().await?.0)).await
}

impl PublishArgs {
    async fn run(self) -> eyre::Result<Answer> {
        let stream = StreamHash::of(&self.stream_id);
        let epoch = EpochHash::of(&self.epoch_id);
        let call = rail::publishManifestCall {
            streamHash: stream.0,
            epochHash: epoch.0,
            manifestHash: self.manifest_hash,
            dataRoot: self.data_root,
            locatorHash: self.locator_hash,
        };
        act(&self.send, &format!("publish the pointer of slot {}", SlotId::of(stream, epoch)), call).await
    }
}

/// What `rail show` prints.
#[derive(Debug, Serialize)]
struct Pointer {
    slot: SlotId,
    /// Of a settled pointer, the observation's hash; `null` if there is no pointer, like the next two.
    manifest_hash: Option<B256>,
    data_root: Option<B256>,
    locator_hash: Option<B256>,
    settled: bool,
}

impl Pointer {
    fn new(slot: SlotId, stored: &rail::pointerOfReturn) -> Self {
        let hashes = [stored.manifestHash, stored.dataRoot, stored.locatorHash];
        let present = stored.settled || hashes.iter().any(|hash| !hash.is_zero());
        let [manifest_hash, data_root, locator_hash] = hashes.map(|hash| present.then_some(hash));
        Self { slot, manifest_hash, data_root, locator_hash, settled: stored.settled }
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "slot          {}", self.slot)?;
        let (Some(manifest), Some(root), Some(locator)) = (self.manifest_hash, self.data_root, self.locator_hash)
        else {
            return f.write_str("no pointer");
        };
        let by = if self.settled { "yes, by a quorum of witnesses" } else { "no, a publisher's word" };
        writeln!(f, "settled       {by}")?;
        writeln!(f, "manifest_hash {manifest}")?;
        writeln!(f, "data_root     {root}")?;
        write!(f, "locator_hash  {locator}")
    }
}

impl ShowArgs {
    async fn run(self) -> eyre::Result<Answer> {
        let slot = self.slot()?;
        let connection = self.read.connect().await?;
        let (rail, _) = connection.rail().await?;
        let pointer = rail::new(rail, &connection.provider).pointerOf(slot.0).call().await;
        let pointer = pointer.wrap_err_with(|| format!("rail {rail} cannot be read"))?;
        let pointer = Pointer::new(slot, &pointer);
        fact(self.read.json.json, &pointer)?;
        Ok(pointer.manifest_hash.is_some().into())
    }

    fn slot(&self) -> eyre::Result<SlotId> {
        if let Some(slot) = self.slot {
            return Ok(SlotId(slot));
        }
        let missing = "give --slot HASH, or --stream-id with --epoch-id";
        let stream = self.stream_id.as_deref().ok_or_eyre(missing)?;
        let epoch = self.epoch_id.as_deref().ok_or_eyre(missing)?;
        Ok(SlotId::of(StreamHash::of(stream), EpochHash::of(epoch)))
    }
}
