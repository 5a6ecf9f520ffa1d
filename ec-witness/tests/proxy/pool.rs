//! The transaction pool that Anvil lacks.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::Encodable2718,
    hex,
    network::TxSignerSync,
    primitives::TxKind,
    providers::{Provider, ext::AnvilApi},
    signers::local::PrivateKeySigner,
};

use super::*;

const GWEI: u128 = 1_000_000_000;

/// A transfer of nothing, as `eth_sendRawTransaction` takes it.
fn transfer(net: &Devnet, nonce: u64, max_fee: u128, tip: u128) -> Value {
    let signer: PrivateKeySigner = net.key(1).parse().unwrap();
    let mut tx = TxEip1559 {
        chain_id: net.chain_id(),
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(net.account(2)),
        ..TxEip1559::default()
    };
    let signature = signer.sign_transaction_sync(&mut tx).unwrap();
    json!([hex::encode_prefixed(TxEnvelope::from(tx.into_signed(signature)).encoded_2718())])
}

#[test]
fn a_replacement_pays_a_tenth_more_of_both_fees() {
    let net = Devnet::start();
    let proxy = Proxy::start(&net.rpc());
    proxy.enforce_replacement_rule();
    block_on(net.provider().anvil_set_auto_mine(false)).unwrap();
    let send = |nonce, max_fee, tip| {
        let reply = block_on(ask(&proxy, "eth_sendRawTransaction", transfer(&net, nonce, max_fee, tip)));
        reply["error"]["message"].as_str().map(ToOwned::to_owned)
    };
    let underpriced = Some("replacement transaction underpriced".to_owned());
    assert_eq!(send(0, 10 * GWEI, 10), None);
    assert_eq!(send(0, 10 * GWEI, 10).as_deref(), Some("already known"));
    assert_eq!(send(0, 10 * GWEI + 1, 11), underpriced);
    assert_eq!(send(0, 11 * GWEI, 10), underpriced);
    assert_eq!(send(0, 11 * GWEI, 11), None);
    assert_eq!(send(0, 12 * GWEI, 13), underpriced, "of the replacement, not of the first");
    assert_eq!(send(1, GWEI * 2, 1), None, "another nonce");
    // what the node dropped can be sent again, for any fee
    let dropped = block_on(async {
        let waiting = net.provider().raw_request::<_, Value>("txpool_content".into(), ()).await.unwrap();
        let of_sender = waiting["pending"].as_object().unwrap().values().next().unwrap();
        let hash = of_sender["1"]["hash"].as_str().unwrap().parse().unwrap();
        net.provider().anvil_drop_transaction(hash).await.unwrap()
    });
    assert!(dropped.is_some());
    assert_eq!(send(1, GWEI * 2, 0), None);
    block_on(net.provider().anvil_mine(Some(1), None)).unwrap();
    assert_eq!(send(0, 20 * GWEI, 20).as_deref(), Some("nonce too low: next nonce 2, tx nonce 0"));
}
