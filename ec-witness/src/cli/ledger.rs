//! The configured ledger: where it is, and its log.

use std::{collections::HashMap, path::Path, time::Duration};

use alloy::primitives::Address;
use ec_ledger::{Follower, LedgerSettings, creation, identity};
use ec_observation::{EpochRule, StreamHash};
use eyre::{OptionExt, WrapErr};

use super::{chain::ChainArgs, connection::Connection, store::ledger_checkpoint};

/// How long the ledger's RPC may be silent before the ledger is not live any more (protocol §5.5).
pub(super) const HEAD_STALE: Duration = Duration::from_millis(30_000);

/// Where the ledger is, of a connection that must name it.
pub(super) async fn settings(connection: &Connection) -> eyre::Result<LedgerSettings> {
    let Connection { chain, endpoints, .. } = connection;
    let unset = "ledger is not set: give --ledger ADDRESS, EC_WITNESS_LEDGER, or ledger in [chain]";
    let ledger = chain.ledger.ok_or_eyre(unset)?;
    check_deploy_block(connection, ledger).await?;
    Ok(LedgerSettings {
        chain_id: endpoints.chain_id(),
        ledger,
        registry: identity::registry_of(endpoints, ledger, chain.registry).await?,
        deploy_block: chain.deploy_block,
        log_page_blocks: chain.log_page_blocks,
        head_stale: HEAD_STALE,
        finality_stale: chain.finality_stale,
        block_time: chain.block_time,
    })
}

/// The same for whoever votes: votes must be able to move there.
pub(super) async fn settings_to_vote(connection: &Connection) -> eyre::Result<LedgerSettings> {
    let settings = settings(connection).await?;
    identity::require_move(&connection.endpoints, settings.ledger).await?;
    Ok(settings)
}

/// Makes sure that the ledger has no event before the configured block, as far as an endpoint can tell.
pub(super) async fn check_deploy_block(connection: &Connection, ledger: Address) -> eyre::Result<()> {
    let deploy_block = connection.chain.deploy_block;
    if !creation::require_deploy_block(&connection.endpoints, ledger, deploy_block).await? {
        tracing::warn!(deploy_block, "no endpoint can tell whether the ledger has events before deploy_block");
    }
    Ok(())
}

/// Connects and reads the ledger's whole log, for these streams; see [`follow`].
pub(super) async fn read(
    chain: ChainArgs,
    streams: impl IntoIterator<Item = (StreamHash, EpochRule)>,
    store: Option<&Path>,
) -> eyre::Result<Follower> {
    follow(&chain.connect().await?, streams, store).await
}

/// Reads the log of the ledger that a connection names, for these streams: from the checkpoint on that a witness keeps in this
/// vote store's directory, if it does, which lacks the candidates and the votes of what is settled; else from its beginning.
pub(super) async fn follow(
    connection: &Connection,
    streams: impl IntoIterator<Item = (StreamHash, EpochRule)>,
    store: Option<&Path>,
) -> eyre::Result<Follower> {
    follow_at(connection, settings(connection).await?, streams, store).await
}

/// The same, of a ledger whose settings are known.
pub(super) async fn follow_at(
    connection: &Connection,
    settings: LedgerSettings,
    streams: impl IntoIterator<Item = (StreamHash, EpochRule)>,
    store: Option<&Path>,
) -> eyre::Result<Follower> {
    let streams: HashMap<_, _> = streams.into_iter().collect();
    let follower = Follower::new(connection.endpoints.clone(), settings, None, Some(streams));
    read_log(match store {
        Some(store) => follower.reading(&ledger_checkpoint(store))?,
        None => follower,
    })
    .await
}

async fn read_log(mut follower: Follower) -> eyre::Result<Follower> {
    follower.poll(0, false).await.wrap_err("the ledger's log cannot be read")?;
    Ok(follower)
}
