//! Headers as input: the lines of `derive --json`, or header objects themselves.

use std::path::Path;

use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use eyre::{OptionExt, WrapErr};
use serde::Deserialize;
use serde_json::Value;

use super::input::read_text;

/// One object of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A header.
    Header(ObservationHeader),
    /// A line of `derive` about an epoch that has no header, because it is conflicting.
    NoHeader(SlotId),
}

/// The part of a `derive` line that says something about its header.
#[derive(Debug, Deserialize)]
struct DeriveLine {
    slot: Option<SlotId>,
    observation_hash: Option<ObservationHash>,
    header: Option<ObservationHeader>,
}

/// Reads all objects of a file, or of stdin for `-`. None at all is an error.
pub(crate) fn read(path: &Path) -> eyre::Result<Vec<Input>> {
    let inputs = read_text(path).map_err(Into::into).and_then(|text| parse(&text));
    inputs.wrap_err_with(|| format!("--header {}", path.display()))
}

fn parse(text: &str) -> eyre::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let number = inputs.len() + 1;
        inputs.push(
            one(value?).wrap_err_with(|| format!("object {number} is no header and no line of `derive --json`"))?,
        );
    }
    if inputs.is_empty() {
        eyre::bail!("there is no header in it");
    }
    Ok(inputs)
}

fn one(value: Value) -> eyre::Result<Input> {
    if value.get("header").is_none() {
        return Ok(Input::Header(serde_json::from_value(value)?));
    }
    let line: DeriveLine = serde_json::from_value(value)?;
    let Some(header) = line.header else {
        return Ok(Input::NoHeader(line.slot.ok_or_eyre("it has neither a header nor a slot")?));
    };
    if let Some(stated) = line.observation_hash.filter(|&stated| stated != header.hash()) {
        eyre::bail!("its observation_hash is {stated}, but its header hashes to {}", header.hash());
    }
    if let Some(stated) = line.slot.filter(|&stated| stated != header.slot()) {
        eyre::bail!("its slot is {stated}, but its header is of slot {}", header.slot());
    }
    Ok(Input::Header(header))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn header() -> ObservationHeader {
        serde_json::from_value(json!({
            "streamHash": format!("0x{}", "1".repeat(64)),
            "epochHash": format!("0x{}", "2".repeat(64)),
            "parentObservationHash": format!("0x{}", "0".repeat(64)),
            "dataRoot": format!("0x{}", "3".repeat(64)),
            "locatorHash": format!("0x{}", "4".repeat(64)),
            "observedUnixMs": u64::MAX,
            "sequence": 7,
        }))
        .unwrap()
    }

    fn parsed(text: &str) -> eyre::Result<Vec<Input>> {
        parse(text)
    }

    #[test]
    fn headers_and_lines_mix_on_lines_or_in_blocks() {
        let line =
            json!({"slot": header().slot(), "observation_hash": header().hash(), "header": header(), "leaf_count": 6});
        let text = format!("{}\n{line}\n{line:#}", serde_json::to_string(&header()).unwrap());
        assert_eq!(parsed(&text).unwrap(), [Input::Header(header()); 3]);
    }

    #[test]
    fn a_conflicting_epoch_is_kept_as_one_without_header() {
        let line = json!({"slot": header().slot(), "observation_hash": null, "header": null}).to_string();
        assert_eq!(parsed(&line).unwrap(), [Input::NoHeader(header().slot())]);
    }

    #[test]
    fn a_line_that_contradicts_its_header_is_refused() {
        let other = ObservationHeader { sequence: 8, ..header() };
        let line = json!({"observation_hash": other.hash(), "header": header()}).to_string();
        assert!(format!("{:#}", parsed(&line).unwrap_err()).contains("hashes to"));
    }

    #[test]
    fn nothing_and_something_else_are_refused() {
        assert!(parsed("\n").unwrap_err().to_string().contains("no header"));
        assert!(parsed("{\"slot\": 1}").is_err());
        assert!(parsed("{\"streamHash\"").is_err());
    }
}
