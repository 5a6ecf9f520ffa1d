use super::*;

const HASH: &str = "d130011793521491dc006beb010aa36179e5fd8cf8f4e2f06ef66f5c0b9d63c6";

fn rule() -> LineRule {
    LineRule::new(FieldNames::default(), "la-nbc", "video0.m4s")
}

fn judge(line: &str) -> Result<Record, BadLine> {
    rule().record(line.replace("HASH", HASH).as_bytes())
}

fn good(line: &str) -> Record {
    judge(line).unwrap_or_else(|bad| panic!("{line}: {bad:?}"))
}

fn bad(line: &str) -> (Reason, Option<u64>) {
    let bad = judge(line).expect_err(line);
    (bad.reason, bad.group_sequence)
}

#[test]
fn the_canonical_line_and_its_aliases() {
    let canonical = good(
        r#"{"broadcast":"la-nbc","track":"video0.m4s","group_sequence":7,"received_unix_ms":5,"size_bytes":9,"blake3":"HASH","cas_path":"objects/x"}"#,
    );
    let blake3 = alloy_primitives::hex::FromHex::from_hex(HASH).unwrap();
    assert_eq!(canonical, Record { group_sequence: 7, blake3, size_bytes: 9, received_unix_ms: Some(5) });
    for line in [
        r#"{"sequence":7,"received_at_ms":5,"size":9,"hash":"HASH"}"#,
        r#"{"group_id":"7","received_at_ms":"5","bytes":"9","digest":"blake3:HASH"}"#,
        r#" { "group_sequence" : 7 , "sequence":"7", "received_unix_ms":5, "size_bytes":9, "blake3":"HASH", "hash":"blake3:HASH" } "#,
        r#"{"group_sequence":"\u0037","received_unix_ms":5,"size_bytes":9,"blake3":"HASH","x":1e999,"y":[{"a":[]}],"cas_path":7}"#,
    ] {
        assert_eq!(good(line), canonical, "{line}");
    }
    assert_eq!(good(&format!(r#"{{"sequence":7,"size":9,"hash":"{}"}}"#, HASH.to_uppercase())).blake3, blake3);
}

#[test]
fn optional_fields_may_be_null() {
    let record = good(
        r#"{"group_sequence":7,"received_unix_ms":null,"received_at_ms":3,"size_bytes":9,"blake3":"HASH","track":null,"broadcast":null}"#,
    );
    assert_eq!(record.received_unix_ms, Some(3));
}

#[test]
fn integers_have_one_form() {
    for value in ["0", "18446744073709551615", "\"18446744073709551615\""] {
        good(&format!(r#"{{"group_sequence":{value},"size_bytes":0,"blake3":"HASH"}}"#));
    }
    for value in
        ["-1", "-0", "1.0", "1e3", "18446744073709551616", "\"07\"", "\"\"", "\"+1\"", "\" 1\"", "null", "true", "[1]"]
    {
        let (reason, sequence) = bad(&format!(r#"{{"group_sequence":{value},"size_bytes":0,"blake3":"HASH"}}"#));
        assert_eq!((reason, sequence), (Reason::Form(Field::GroupSequence), None), "{value}");
        let (reason, sequence) = bad(&format!(r#"{{"group_sequence":4,"size_bytes":{value},"blake3":"HASH"}}"#));
        assert_eq!((reason, sequence), (Reason::Form(Field::SizeBytes), Some(4)), "{value}");
    }
}

#[test]
fn a_bad_line_tells_its_sequence_where_it_can() {
    let line = |fields: &str| bad(&format!(r#"{{"group_sequence":4,{fields}}}"#));
    for (fields, reason) in [
        (r#""size_bytes":1"#, Reason::Missing(Field::Blake3)),
        (r#""blake3":"HASH""#, Reason::Missing(Field::SizeBytes)),
        (r#""blake3":"0xHASH","size_bytes":1"#, Reason::Form(Field::Blake3)),
        (r#""blake3":"BLAKE3:HASH","size_bytes":1"#, Reason::Form(Field::Blake3)),
        (r#""blake3":7,"size_bytes":1"#, Reason::Form(Field::Blake3)),
        (r#""blake3":"HASH","size_bytes":1,"size":2"#, Reason::Disagree(Field::SizeBytes)),
        (r#""blake3":"HASH","size_bytes":1,"track":"audio0.m4s""#, Reason::Misplaced(Field::Track)),
        (r#""blake3":"HASH","size_bytes":1,"broadcast":"LA-NBC""#, Reason::Misplaced(Field::Broadcast)),
        (r#""blake3":"HASH","size_bytes":1,"broadcast":7"#, Reason::Form(Field::Broadcast)),
        (r#""blake3":"HASH","size_bytes":1,"received_unix_ms":1.5"#, Reason::Form(Field::ReceivedUnixMs)),
        (r#""blake3":"HASH","size_bytes":1,"x":0,"x":0"#, Reason::DuplicateKey("x".into())),
    ] {
        assert_eq!(line(fields), (reason, Some(4)), "{fields}");
    }
    assert_eq!(
        bad(r#"{"group_sequence":4,"sequence":5,"size_bytes":1,"blake3":"HASH"}"#),
        (Reason::Disagree(Field::GroupSequence), None)
    );
    assert_eq!(
        bad(r#"{"group_sequence":4,"group_sequence":4,"size_bytes":1,"blake3":"HASH"}"#),
        (Reason::DuplicateKey("group_sequence".into()), Some(4))
    );
}

#[test]
fn text_that_is_no_object_is_unreadable() {
    for line in [
        "[]",
        "7",
        "null",
        "{",
        r#"{"group_sequence":4"#,
        r#"{"a":NaN}"#,
        r#"{"a":1} x"#,
        "{\"a\":\"\0\"}",
        "\u{feff}{}",
    ] {
        assert!(matches!(bad(line), (Reason::Json(_), None)), "{line}");
    }
    let invalid = rule().record(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(invalid.reason, Reason::Json("not valid UTF-8".into()));
    assert_eq!(rule().record(&vec![b' '; MAX_LINE_LEN + 1]).unwrap_err().reason, Reason::TooLong);
}

#[test]
fn nesting_and_surrogates_are_checked_in_unknown_fields() {
    let nested = |levels: usize| {
        format!(
            r#"{{"group_sequence":4,"size_bytes":1,"blake3":"HASH","x":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    good(&nested(MAX_DEPTH - 1));
    assert_eq!(bad(&nested(MAX_DEPTH)).0, Reason::TooDeep);
    assert_eq!(bad(&nested(100_000)).0, Reason::TooDeep);
    let escaped = |text: &str| format!(r#"{{"group_sequence":4,"size_bytes":1,"blake3":"HASH","x":"{text}"}}"#);
    for text in [r"\ud83d\ude00", r"\\ud83d", r"[[\u0041{{", r#"\""#] {
        good(&escaped(text));
    }
    for text in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\u0041", r"\ude00\ud83d", r"\ud83d\n"] {
        assert_eq!(bad(&escaped(text)).0, Reason::LoneSurrogate, "{text}");
    }
    assert!(matches!(bad(r#"{"\ud83d":1}"#).0, Reason::Json(_)), "serde_json decodes keys");
}

#[test]
fn many_keys_are_no_burden() {
    let keys: String = (0..60_000).map(|i| format!(r#""k{i}":{i},"#)).collect();
    good(&format!(r#"{{{keys}"group_sequence":4,"size_bytes":1,"blake3":"HASH"}}"#));
}
