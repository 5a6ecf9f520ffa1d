//! A signer elsewhere that fails, refuses and lies: Anvil, which signs for its own accounts as web3signer does, behind an
//! endpoint that is told to.

use std::time::Duration;

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::{Decodable2718, Encodable2718},
    network::TxSignerSync,
    primitives::{Address, Bytes, TxKind, U256},
    providers::Provider,
    signers::local::PrivateKeySigner,
};
use ec_witness::{
    key::{RemoteSettings, RemoteSigner, SignMethod, Signer},
    sender::{Hold, SendRule},
};
use serde_json::{Value, json};

use super::{
    bench::{Bench, GWEI, RULE, WITNESS},
    common::{
        Devnet,
        proxy::{Fault, Proxy},
    },
};

/// What it is asked by.
const SIGN: &str = "eth_signTransaction";

fn asked_at(url: &str, address: Address) -> Signer {
    let settings = RemoteSettings {
        url: url.parse().unwrap(),
        method: SignMethod::Eth,
        address,
        certificate: None,
        key: None,
        authority: None,
        timeout: Duration::from_millis(500),
    };
    Signer::Remote(RemoteSigner::new(&settings).unwrap())
}

/// A bench whose witness has its key at a signer, and what stands before that.
async fn bench() -> (Bench, Proxy) {
    bench_by(RULE).await
}

async fn bench_by(rule: SendRule) -> (Bench, Proxy) {
    let mut before = None;
    let signer = |net: &Devnet| {
        let proxy = before.insert(Proxy::start(&net.rpc()));
        asked_at(&format!("{}/secret-token", proxy.rpc()), net.account(WITNESS))
    };
    let bench = Bench::signed_by(signer, rule).await;
    (bench, before.unwrap())
}

/// Why sending is held.
#[track_caller]
fn held(bench: &Bench) -> String {
    match bench.sender.state().held {
        Some(Hold::Signer { why }) => why,
        other => panic!("{other:?}"),
    }
}

/// The transaction that an answer to `eth_signTransaction` holds, changed and signed anew.
fn changed(answer: &Value, key: &PrivateKeySigner, change: impl Fn(&mut TxEip1559)) -> Value {
    let raw: Bytes = answer.as_str().unwrap().parse().unwrap();
    let Ok(TxEnvelope::Eip1559(signed)) = TxEnvelope::decode_2718_exact(&raw) else { panic!("{answer}") };
    let mut tx = signed.strip_signature();
    change(&mut tx);
    let signature = key.sign_transaction_sync(&mut tx).unwrap();
    json!(Bytes::from(TxEnvelope::from(tx.into_signed(signature)).encoded_2718()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_elsewhere_signs_first_and_dearer_transactions() {
    let (mut bench, signer) = bench().await;
    let header = bench.record(0..1)[0];
    bench.turn().await.unwrap();
    for _ in 0..4 {
        bench.base_fee(20 * GWEI).await;
        bench.mine().await;
        bench.turn().await.unwrap();
    }
    assert!(bench.store.outbox().unwrap().len() > 1, "a dearer one");
    bench.drain(10).await;
    assert!(bench.is_final(header).await);
    assert_eq!((bench.used().await, bench.sender.state().held), (1, None));
    assert_eq!(signer.requests(SIGN), bench.store.outbox().unwrap().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_not_asked_for_is_refused_and_kept_nowhere() {
    let (mut bench, signer) = bench().await;
    let (own, other): (PrivateKeySigner, PrivateKeySigner) =
        (bench.net.key(WITNESS).parse().unwrap(), bench.net.key(2).parse().unwrap());
    bench.record(0..1);
    type Change = fn(&mut TxEip1559);
    let lies: [(&str, PrivateKeySigner, Change); 6] = [
        ("nonce is 1, asked for was 0", own.clone(), |tx| tx.nonce = 1),
        ("to is 0x0000000000000000000000000000000000000001", own.clone(), |tx| {
            tx.to = TxKind::Call(Address::with_last_byte(1));
        }),
        ("maxFeePerGas is 1, asked for was", own.clone(), |tx| {
            (tx.max_fee_per_gas, tx.max_priority_fee_per_gas) = (1, 1);
        }),
        ("value is 1", own.clone(), |tx| tx.value = U256::from(1)),
        ("the call data is 0 bytes", own, |tx| tx.input = Bytes::new()),
        ("it signed as 0x", other, |_| ()),
    ];
    for (named, key, change) in lies {
        signer.lie(SIGN, move |_, answer| *answer = changed(answer, &key, change));
        bench.until_asked(&signer, SIGN).await;
        let why = held(&bench);
        assert!(why.contains("is not to be trusted") && why.contains(named) && !why.contains("secret"), "{why}");
        signer.heal();
    }
    for nothing in [json!("0x02c0"), json!("garbage"), Value::Null, json!({ "raw": 7 })] {
        signer.lie(SIGN, move |_, answer| *answer = nothing.clone());
        bench.until_asked(&signer, SIGN).await;
        assert!(held(&bench).contains("no signed EIP-1559 transaction"), "{}", held(&bench));
        signer.heal();
    }
    assert!(bench.store.outbox().unwrap().is_empty());
    assert_eq!((bench.store.next_nonce().unwrap(), bench.proxy().requests("eth_sendRawTransaction")), (0, 0));

    bench.drain(60).await;
    assert_eq!((bench.used().await, bench.sender.state().held), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_or_refuses_is_a_hold_and_is_asked_again_ever_more_rarely() {
    let (mut bench, signer) = bench().await;
    bench.record(0..1);
    for (fault, asked, said) in [
        (Fault::Refuse(-32000, "request denied"), 1, "refuses eth_signTransaction: request denied (code -32000)"),
        (Fault::Hang, 1, "gives no answer to eth_signTransaction: no answer in time"),
        // a spoilt connection or answer is asked for once more, at once
        (Fault::DropReply, 2, "connection closed before the answer"),
        (Fault::Html, 2, "the answer is not JSON-RPC"),
        (Fault::Status(503), 2, "HTTP status 503"),
    ] {
        let before = signer.requests(SIGN);
        signer.always(SIGN, fault);
        bench.until_asked(&signer, SIGN).await;
        assert_eq!(signer.requests(SIGN) - before, asked, "{fault:?}");
        assert!(held(&bench).contains(said), "{}", held(&bench));
        signer.heal();
    }
    // turns pass in no time, and the longest rest is half a minute
    signer.always(SIGN, Fault::Refuse(-32000, "request denied"));
    let before = signer.requests(SIGN);
    bench.turns(60).await;
    let asked = signer.requests(SIGN) - before;
    assert!((3..=20).contains(&asked), "{asked} in two minutes");
    assert_eq!(bench.store.next_nonce().unwrap(), 0);

    signer.heal();
    bench.drain(60).await;
    assert_eq!((bench.used().await, bench.sender.state().held), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_a_signer_was_asked_for_keeps_its_call_until_it_is_signed_or_refused() {
    let (mut bench, signer) = bench_by(SendRule { max_batch: 64, ..RULE }).await;
    let first = bench.record(0..1)[0];
    signer.always(SIGN, Fault::HangReply);
    bench.until_asked(&signer, SIGN).await;
    assert!(held(&bench).contains("no answer in time"));
    // other votes would go with the first
    bench.record(1..3);
    bench.base_fee(3 * GWEI).await;
    bench.mine().await;
    signer.heal();
    bench.until_asked(&signer, SIGN).await;
    let kept = bench.store.outbox().unwrap();
    let carried: Vec<_> =
        bench.store.unsigned_after(0, usize::MAX).unwrap().iter().map(|(_, ballot)| ballot.header).collect();
    assert_eq!((kept.len(), carried.len()), (1, 2), "the first alone, as it was asked for");
    assert!(!carried.contains(&first));
    bench.drain(20).await;
    assert_eq!(bench.used().await, 2);

    // what is refused is not signed: its nonce is free for what is wanted then
    bench.record(3..4);
    signer.always(SIGN, Fault::Refuse(-32000, "request denied"));
    bench.until_asked(&signer, SIGN).await;
    assert!(held(&bench).contains("request denied"));
    bench.record(4..6);
    signer.heal();
    bench.drain(60).await;
    assert_eq!((bench.used().await, bench.sender.state().held), (3, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_followed_and_sent_again_while_the_signer_is_down() {
    let (mut bench, signer) = bench().await;
    let header = bench.record(0..1)[0];
    bench.turn().await.unwrap();
    assert_eq!(bench.store.outbox().unwrap().len(), 1);
    signer.refuse(true);
    for _ in 0..8 {
        bench.base_fee(20 * GWEI).await;
        bench.mine().await;
        bench.turn().await.unwrap();
    }
    assert!(held(&bench).contains("connection refused"), "{}", held(&bench));
    let state = bench.sender.state();
    assert!(state.resent > 0 && state.replaced == 0, "{state:?}");
    assert_eq!(bench.store.outbox().unwrap().len(), 1);

    signer.heal();
    bench.drain(60).await;
    assert!(bench.is_final(header).await);
    assert_eq!((bench.used().await, bench.sender.state().held), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_came_too_late_is_of_the_same_vote() {
    let (mut bench, signer) = bench().await;
    let header = bench.record(0..1)[0];
    // the signer has signed, and nobody here has heard of it
    signer.always(SIGN, Fault::DropReply);
    bench.until_asked(&signer, SIGN).await;
    assert!(bench.store.outbox().unwrap().is_empty());
    signer.heal();
    let mut bench = bench.restart();
    bench.drain(60).await;
    assert!(bench.is_final(header).await);
    assert_eq!(bench.used().await, 1);
    assert_eq!(bench.node.get_transaction_count(bench.net.account(WITNESS)).pending().await.unwrap(), 1);
}
