//! What a signer is asked.

use alloy::primitives::TxKind;
use serde_json::json;

use super::*;

#[test]
fn it_is_asked_with_every_field_and_checksummed_addresses() {
    let tx = TxEip1559 {
        chain_id: 901,
        nonce: 0,
        gas_limit: 200_000,
        max_fee_per_gas: 1 << 40,
        max_priority_fee_per_gas: 5,
        to: TxKind::Call(Address::repeat_byte(0xab)),
        value: U256::ZERO,
        input: Bytes::from_static(b"call"),
        ..TxEip1559::default()
    };
    let expected = json!({
        "from": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "to": Address::repeat_byte(0xab).to_checksum(None),
        "chainId": "0x385",
        "nonce": "0x0",
        "gas": "0x30d40",
        "maxFeePerGas": "0x10000000000",
        "maxPriorityFeePerGas": "0x5",
        "value": "0x0",
        "accessList": [],
        "data": "0x63616c6c",
    });
    let from = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266".parse().unwrap();
    assert_eq!(serde_json::to_value(Request::of(&tx, from)).unwrap(), expected);
    // a new contract is of no address
    let create = TxEip1559 { to: TxKind::Create, ..tx };
    assert_eq!(serde_json::to_value(Request::of(&create, from)).unwrap().get("to"), None);
}
