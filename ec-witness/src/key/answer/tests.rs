//! Only what was asked for, signed by the account that was asked, is taken.

use alloy::{
    consensus::{SignableTransaction, TxEip2930},
    eips::eip2930::{AccessList, AccessListItem},
    network::TxSignerSync,
    primitives::{B256, Signature, TxKind, U256, b256},
    signers::local::PrivateKeySigner,
};
use serde_json::json;

use super::*;

/// The order of the curve's group; `s` and this less `s` are signatures of one key alike.
const ORDER: B256 = b256!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

fn key(byte: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).unwrap()
}

fn asked() -> TxEip1559 {
    TxEip1559 {
        chain_id: 901,
        nonce: 7,
        gas_limit: 200_000,
        max_fee_per_gas: 205,
        max_priority_fee_per_gas: 5,
        to: TxKind::Call(Address::repeat_byte(1)),
        value: U256::from(3),
        input: Bytes::from_static(b"call"),
        ..TxEip1559::default()
    }
}

fn signature(tx: &TxEip1559, key: &PrivateKeySigner) -> Signature {
    key.sign_transaction_sync(&mut tx.clone()).unwrap()
}

fn encoded(tx: TxEip1559, signature: Signature) -> Bytes {
    TxEnvelope::from(tx.into_signed(signature)).encoded_2718().into()
}

fn signed(tx: TxEip1559) -> Value {
    let signature = signature(&tx, &key(7));
    json!(encoded(tx, signature))
}

fn answered(answer: &Value) -> Result<Signed, Mismatch> {
    checked(answer, &asked(), key(7).address())
}

#[test]
fn what_was_asked_for_is_taken_as_bytes_and_from_an_object() {
    let raw = encoded(asked(), signature(&asked(), &key(7)));
    let hash = keccak256(&raw);
    assert_eq!(answered(&json!(raw)), Ok((hash, raw.clone())));
    assert_eq!(answered(&json!({ "raw": raw, "tx": { "nonce": "0xff" } })), Ok((hash, raw)));
}

#[test]
fn a_difference_in_any_field_is_named() {
    let list = AccessList(vec![AccessListItem::default()]);
    let differing: [(&str, TxEip1559); 9] = [
        ("chain id", TxEip1559 { chain_id: 1, ..asked() }),
        ("nonce", TxEip1559 { nonce: 8, ..asked() }),
        ("gas", TxEip1559 { gas_limit: 200_001, ..asked() }),
        ("maxFeePerGas", TxEip1559 { max_fee_per_gas: 206, ..asked() }),
        ("maxPriorityFeePerGas", TxEip1559 { max_priority_fee_per_gas: 4, ..asked() }),
        ("to", TxEip1559 { to: TxKind::Create, ..asked() }),
        ("value", TxEip1559 { value: U256::ZERO, ..asked() }),
        ("the access list", TxEip1559 { access_list: list, ..asked() }),
        ("the call data", TxEip1559 { input: Bytes::from_static(b"cali"), ..asked() }),
    ];
    for (named, tx) in differing {
        let found = answered(&signed(tx));
        assert!(matches!(found, Err(Mismatch::Differs { field, .. }) if field == named), "{named}: {found:?}");
    }
    let nonce = answered(&signed(TxEip1559 { nonce: 8, ..asked() })).unwrap_err().to_string();
    assert_eq!(nonce, "it signed another transaction than it was asked for: nonce is 8, asked for was 7");
}

#[test]
fn another_key_a_high_s_and_a_signature_of_nobody_are_refused() {
    let other = answered(&json!(encoded(asked(), signature(&asked(), &key(8)))));
    assert_eq!(other, Err(Mismatch::OtherAccount { asked: key(7).address(), signed: key(8).address() }));
    let low = signature(&asked(), &key(7));
    let high = Signature::new(low.r(), U256::from_be_bytes(ORDER.0) - low.s(), !low.v());
    assert_eq!(answered(&json!(encoded(asked(), high))), Err(Mismatch::HighS));
    let nobody = Signature::new(U256::ZERO, U256::from(1), false);
    assert_eq!(answered(&json!(encoded(asked(), nobody))), Err(Mismatch::NoSignature));
}

#[test]
fn what_is_no_signed_transaction_of_this_kind_is_refused() {
    let mut longer = encoded(asked(), signature(&asked(), &key(7))).to_vec();
    longer.push(0);
    let mut other_kind = TxEip2930 { chain_id: 901, nonce: 7, to: asked().to, ..TxEip2930::default() };
    let signature = key(7).sign_transaction_sync(&mut other_kind).unwrap();
    let other_kind = Bytes::from(TxEnvelope::from(other_kind.into_signed(signature)).encoded_2718());
    for answer in [
        json!(null),
        json!("0x"),
        json!("0x02"),
        json!("no hex"),
        json!(7),
        json!([]),
        json!({ "tx": {} }),
        json!({ "raw": null }),
        json!(Bytes::from(longer)),
        json!(other_kind),
    ] {
        assert_eq!(answered(&answer), Err(Mismatch::NoTransaction), "{answer}");
    }
}
