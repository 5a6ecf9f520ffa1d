//! A node that stands still at an older block.

use serde_json::{Value, json};

use super::node::{Answer, Node, no_header, quantity};

/// Answers as the node did when `head` was its newest block.
pub(super) async fn answer(node: &Node, head: u64, method: &str, mut parameters: Value) -> Option<Answer> {
    match method {
        "eth_blockNumber" => Some(Ok(hex(head))),
        "eth_getBlockByNumber" => {
            let asked = match tag(&parameters[0]) {
                Some("safe" | "finalized") => {
                    let real = node.ask(method, parameters.clone()).await?.ok()?;
                    quantity(&real["number"]).map_or(0, |real| real.min(head))
                }
                _ => number(&parameters[0]).unwrap_or(head),
            };
            if asked > head {
                return Some(Ok(Value::Null));
            }
            parameters[0] = hex(asked);
            node.ask(method, parameters).await
        }
        "eth_getBlockByHash" => without_newer(node.ask(method, parameters).await?, head, "number"),
        "eth_getTransactionReceipt" | "eth_getTransactionByHash" => {
            without_newer(node.ask(method, parameters).await?, head, "blockNumber")
        }
        "eth_getLogs" => {
            let filter = &mut parameters[0];
            if number(&filter["fromBlock"]).is_some_and(|from| from > head) {
                return Some(Ok(json!([])));
            }
            filter["toBlock"] = hex(number(&filter["toBlock"]).unwrap_or(head).min(head));
            node.ask(method, parameters).await
        }
        "eth_call" | "eth_getCode" | "eth_getBalance" | "eth_getTransactionCount" => {
            if at(node, head, &mut parameters).await? {
                node.ask(method, parameters).await
            } else {
                Some(Err(no_header()))
            }
        }
        _ => node.ask(method, parameters).await,
    }
}

/// Moves the block of a read of state, its second parameter, to the head or below; false where it is not known yet.
async fn at(node: &Node, head: u64, parameters: &mut Value) -> Option<bool> {
    let asked = match &parameters[1] {
        Value::Object(block) if block.contains_key("blockHash") => {
            let found = node.ask("eth_getBlockByHash", json!([block["blockHash"], false])).await?.ok()?;
            return Some(quantity(&found["number"]).is_some_and(|number| number <= head));
        }
        block => number(block).unwrap_or(head),
    };
    parameters[1] = hex(asked.min(head));
    Some(asked <= head)
}

fn without_newer(answer: Answer, head: u64, field: &str) -> Option<Answer> {
    Some(answer.map(|found| if quantity(&found[field]).is_some_and(|at| at > head) { Value::Null } else { found }))
}

fn tag(block: &Value) -> Option<&str> {
    block.as_str().filter(|text| !text.starts_with("0x"))
}

/// A block that is named by its number.
fn number(block: &Value) -> Option<u64> {
    quantity(block)
}

fn hex(number: u64) -> Value {
    json!(format!("{number:#x}"))
}
