//! Millions of mutated lines: the parser of the witness and a slow one, written here from the protocol's text alone, must
//! say the same of each, and nothing may panic or need memory. And whole files of such lines, written as a relay's lanes are:
//! at rest and in pieces, they have the segments and epochs of the plain model.
//!
//! `EC_FUZZ_SECONDS` is how long it goes on (60 where `CI` is set, else 5), `EC_FUZZ_SEED` repeats a run.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod plain;

use std::{
    env, fs,
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
    time::{Duration, Instant},
};

use ec_archive::{
    Archive, AtRest, Checkpoints, DeriveError, Epochs, FieldNames, StreamIndex,
    line::{LineRule, Shape},
};
use ec_observation::{DerivedEpoch, NamedEpoch, Record, StreamRule};
use plain::{Publisher, Said, at_rest, marks};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// A JSON value with its numbers as they stand and every key that stands there.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Null,
    Bool,
    Number(String),
    Text(String),
    Array,
    Object(Vec<(String, Self)>),
}

/// A parser by the grammar of RFC 8259, a character at a time. `None`: not JSON, too deep, or half a surrogate pair.
struct Slow {
    text: Vec<char>,
    at: usize,
}

impl Slow {
    fn parse(line: &[u8]) -> Option<Json> {
        let text = String::from_utf8(line.to_vec()).ok()?.chars().collect();
        let mut parser = Self { text, at: 0 };
        let value = parser.value(0)?;
        (parser.at == parser.text.len()).then_some(value)
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        self.at += 1;
        self.text.get(self.at - 1).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.space();
        let value = match self.peek()? {
            '{' => self.object(depth + 1)?,
            '[' => self.array(depth + 1)?,
            '"' => Json::Text(self.string()?),
            't' => self.word("true", Json::Bool)?,
            'f' => self.word("false", Json::Bool)?,
            'n' => self.word("null", Json::Null)?,
            _ => self.number()?,
        };
        self.space();
        Some(value)
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        word.chars().all(|letter| self.next() == Some(letter)).then_some(value)
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut entries = Vec::new();
        self.space();
        if self.peek()? == '}' {
            self.at += 1;
        } else {
            loop {
                self.space();
                let key = self.string()?;
                self.space();
                if self.next()? != ':' {
                    return None;
                }
                entries.push((key, self.value(depth)?));
                match self.next()? {
                    ',' => {}
                    '}' => break,
                    _ => return None,
                }
            }
        }
        (depth <= 64).then_some(Json::Object(entries))
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        self.space();
        if self.peek()? == ']' {
            self.at += 1;
        } else {
            loop {
                self.value(depth)?;
                match self.next()? {
                    ',' => {}
                    ']' => break,
                    _ => return None,
                }
            }
        }
        (depth <= 64).then_some(Json::Array)
    }

    fn string(&mut self) -> Option<String> {
        if self.next()? != '"' {
            return None;
        }
        let mut units: Vec<u16> = Vec::new();
        loop {
            match self.next()? {
                '"' => return String::from_utf16(&units).ok(),
                '\\' => units.push(self.escape()?),
                letter if letter < ' ' => return None,
                letter => units.extend(letter.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        let letter = self.next()?;
        if letter == 'u' {
            return (0..4).try_fold(0u16, |unit, _| Some(unit << 4 | u16::try_from(self.next()?.to_digit(16)?).ok()?));
        }
        let at = "\"\\/bfnrt".find(letter)?;
        Some(u16::from(b"\"\\/\x08\x0c\n\r\t"[at]))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some('-'));
        let leading_zero = self.peek() == Some('0');
        let digits = self.digits();
        if digits == 0 || leading_zero && digits > 1 {
            return None;
        }
        if self.peek() == Some('.') {
            self.at += 1;
            (self.digits() > 0).then_some(())?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some('+' | '-')));
            (self.digits() > 0).then_some(())?;
        }
        Some(Json::Number(self.text[start..self.at].iter().collect()))
    }
}

/// What protocol §2.3 says of a line: the record, or the sequence that can be read of a bad one.
fn slow(line: &[u8]) -> Result<Record, Option<u64>> {
    if line.len() > 1 << 20 {
        return Err(None);
    }
    let Some(Json::Object(entries)) = Slow::parse(line) else { return Err(None) };
    let sequence = field(&entries, &["group_sequence", "sequence", "group_id"], false, number);
    let readable = sequence.unwrap_or_default();
    let twice = entries.iter().enumerate().any(|(at, (key, _))| entries[..at].iter().any(|(other, _)| other == key));
    if twice {
        return Err(readable);
    }
    let record = || -> Option<Record> {
        let text = |value: &Json| if let Json::Text(text) = value { Some(text.clone()) } else { None };
        for (name, expected) in [("broadcast", "la-nbc"), ("track", "video0.m4s")] {
            let stated = field(&entries, &[name], true, text)?;
            if stated.is_some_and(|stated| stated != expected) {
                return None;
            }
        }
        Some(Record {
            group_sequence: sequence??,
            blake3: field(&entries, &["blake3", "hash", "digest"], false, hash)??,
            size_bytes: field(&entries, &["size_bytes", "size", "bytes"], false, number)??,
            received_unix_ms: field(&entries, &["received_unix_ms", "received_at_ms"], true, number)?,
        })
    };
    record().ok_or(readable)
}

/// `None`: malformed or contradictory; `Some(None)`: not there.
fn field<T: PartialEq>(
    entries: &[(String, Json)],
    names: &[&str],
    optional: bool,
    decode: impl Fn(&Json) -> Option<T>,
) -> Option<Option<T>> {
    let mut found = None;
    for (_, value) in entries.iter().filter(|(key, _)| names.contains(&key.as_str())) {
        if optional && *value == Json::Null {
            continue;
        }
        let value = decode(value)?;
        if found.as_ref().is_some_and(|found| *found != value) {
            return None;
        }
        found = Some(value);
    }
    Some(found)
}

fn number(value: &Json) -> Option<u64> {
    let (Json::Number(text) | Json::Text(text)) = value else { return None };
    let digits = !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit());
    let value = text.chars().try_fold(0u128, |value, digit| {
        Some(value * 10 + u128::from(digit.to_digit(10)?)).filter(|&value| value <= u128::from(u64::MAX))
    })?;
    (digits && (text == "0" || !text.starts_with('0'))).then_some(value as u64)
}

fn hash(value: &Json) -> Option<[u8; 32]> {
    let Json::Text(text) = value else { return None };
    let digits: Vec<char> = text.strip_prefix("blake3:").unwrap_or(text).chars().collect();
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some((high.to_digit(16)? * 16 + low.to_digit(16)?) as u8),
        _ => None,
    });
    bytes.collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Pieces that break or bend a record.
const PIECES: [&str; 58] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    " ",
    "\t",
    "\r",
    "0",
    "-",
    "-0",
    "1.0",
    "1e2",
    "00",
    "01",
    "null",
    "true",
    "NaN",
    "Infinity",
    "18446744073709551615",
    "18446744073709551616",
    "\"7\"",
    "\"07\"",
    "\"\"",
    "\\u0041",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\\u0",
    "\\x",
    "\u{0}",
    "\u{7f}",
    "\u{feff}",
    "é",
    "\u{1f600}",
    "\"sequence\":7,",
    "\"group_id\":7,",
    "\"group_sequence\":7,",
    "\"gr\\u006fup_sequence\":7,",
    "\"hash\":",
    "\"digest\":\"ab\",",
    "\"blake3:",
    "0x",
    "\"size\":1,",
    "\"bytes\":\"1\",",
    "\"received_at_ms\":null,",
    "\"received_unix_ms\":-1,",
    "\"broadcast\":null,",
    "\"track\":\"x\",",
    "\"x\":{\"a\":[1,2,{}]},",
    "\"x\":1e999999,",
    "[[[[[[[[[[[[[[[[[[[[[[",
    "]]]]]]]]]]]]]]]]]]]]]]",
    "{\"a\":{\"a\":{\"a\":",
    "}}}",
];

fn corpus() -> Vec<Vec<u8>> {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../archives/sample/manifests/la-nbc");
    let text = fs::read_to_string(manifests.join("video0.m4s.jsonl")).unwrap();
    let mut lines: Vec<Vec<u8>> = text.lines().step_by(10).map(|line| line.as_bytes().to_vec()).collect();
    let hash = "0a".repeat(32);
    lines.push(
        format!("{{\"group_id\":\"5\",\"digest\":\"blake3:{hash}\",\"bytes\":0,\"received_at_ms\":3}}").into_bytes(),
    );
    lines.push(format!("{}{}", "[".repeat(64), "]".repeat(64)).into_bytes());
    lines.push(
        format!("{{\"sequence\":1,\"hash\":\"{hash}\",\"size\":1,\"x\":{}{}}}", "[".repeat(63), "]".repeat(63))
            .into_bytes(),
    );
    lines
}

fn mutate(line: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut StdRng) {
    let at = rng.random_range(0..=line.len());
    let end = rng.random_range(at..=line.len().min(at + 80));
    match rng.random_range(0..9) {
        0 if at < line.len() => line[at] = rng.random(),
        1 if at < line.len() => line[at] ^= 1 << rng.random_range(0..8),
        2 => _ = line.drain(at..end),
        3 => {
            let piece = line[at..end].to_vec();
            let to = rng.random_range(0..=line.len());
            _ = line.splice(to..to, piece);
        }
        4 => {
            let other = corpus.choose(rng).unwrap();
            line.truncate(at);
            line.extend(&other[rng.random_range(0..=other.len())..]);
        }
        5 => _ = line.splice(at..end, PIECES.choose(rng).unwrap().bytes()),
        _ => _ = line.splice(at..at, PIECES.choose(rng).unwrap().bytes()),
    }
    // the bytes that end a line are not in it
    line.retain(|&byte| byte != b'\n');
}

/// The most memory that this process had resident, in bytes.
fn peak() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    mark.parse::<usize>().unwrap() * 1024
}

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// How long to go on, in seconds, and the seed, which is printed.
fn asked() -> (u64, u64) {
    let seconds = variable("EC_FUZZ_SECONDS").unwrap_or(if env::var_os("CI").is_some() { 60 } else { 5 });
    let seed = variable("EC_FUZZ_SEED").unwrap_or_else(rand::random);
    println!("EC_FUZZ_SEED={seed}");
    (seconds, seed)
}

#[test]
fn the_parser_and_a_slow_one_agree_on_every_line() {
    let (seconds, seed) = asked();
    let rule = LineRule::new(FieldNames::default(), "la-nbc", "video0.m4s");
    let (mut rng, corpus) = (StdRng::seed_from_u64(seed), corpus());
    let (mut lines, mut good, mut readable, mut plain) = (0u64, 0u64, 0u64, 0u64);
    // what was learned of the lines before must not change what is said of the next one, be they any or like it
    let mut any = Shape::default();
    let mut alike = vec![Shape::default(); corpus.len()];
    for (line, shape) in corpus.iter().zip(&mut alike) {
        (0..2).for_each(|_| _ = rule.plain_record(line, shape));
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        let of = rng.random_range(0..corpus.len());
        let mut line = corpus[of].clone();
        for _ in 0..rng.random_range(0..6) {
            mutate(&mut line, &corpus, &mut rng);
        }
        if lines % 65_536 == 0 {
            let place = rng.random_range(0..=line.len());
            line.splice(place..place, std::iter::repeat_n(b' ', (1 << 20) + rng.random_range(0..300)));
        }
        let judged = rule.record(&line);
        let shown = || format!("EC_FUZZ_SEED={seed}, line {lines}: {:?}", String::from_utf8_lossy(&line));
        assert_eq!(judged, rule.record_of_any(&line), "the fast path and the general one; {}", shown());
        let text = [line.as_slice(), b"\n"].concat();
        for shape in [&mut any, &mut alike[of].clone()] {
            if let Some((record, len)) = rule.plain_record(&text, shape)
                && len == line.len()
            {
                assert_eq!(Ok(record), judged, "the path of lines of one shape; {}", shown());
                plain += 1;
            }
        }
        let judged = judged.map_err(|bad| bad.group_sequence);
        let expected = slow(&line);
        assert_eq!(judged, expected, "{}", shown());
        lines += 1;
        good += u64::from(judged.is_ok());
        readable += u64::from(matches!(judged, Err(Some(_))));
    }
    let peak = peak();
    println!(
        "{lines} lines in {seconds} s: {good} records, {plain} of twice as many plain, {readable} bad with a sequence; {peak} bytes at peak"
    );
    assert!(plain > good, "too few lines take the fast path");
    assert!(good > lines / 20 && readable > lines / 100, "too few lines reach beyond the grammar");
    assert!(peak < 96 << 20, "{peak} bytes at peak");
}

/// A lane's file of which some lines are mutated.
fn lane_file(corpus: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let (mut publisher, mut text) = (Publisher::default(), Vec::new());
    let mutated = [0.0, 0.02, 0.3][rng.random_range(0..3)];
    for _ in 0..rng.random_range(0..400) {
        let mut line = publisher.line(rng).into_bytes();
        if rng.random_bool(mutated) {
            (0..rng.random_range(1..3)).for_each(|_| mutate(&mut line, corpus, rng));
        }
        text.extend(line);
        text.push(b'\n');
    }
    if rng.random() {
        text.extend(b"{\"group_sequence\":0,");
    }
    text
}

/// What §2.2 takes for lines, and what they say.
fn said(text: &[u8]) -> Vec<(u64, Said)> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let end = text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    let lines = text[..end].split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let stated = lines.filter(|line| !line.iter().all(|byte| b" \t\r".contains(byte)));
    stated.map(|line| (0, slow(line))).collect()
}

/// Closed epochs with their marks, up to the first error, and whether there was one.
fn shown(closed: impl Iterator<Item = Result<NamedEpoch, DeriveError>>) -> (Vec<(DerivedEpoch, u64)>, bool) {
    let mut found = Vec::new();
    let ended = closed
        .into_iter()
        .try_for_each(|epoch| epoch.map(|NamedEpoch { derived, name, .. }| found.push((derived, name.mark))));
    (found, ended.is_err())
}

/// An index that is kept, and taken up again by another one, after every piece.
fn in_pieces(archive: &Archive, rule: &StreamRule, piece: u64) -> StreamIndex {
    let (kept, names) = (archive.manifests.with_file_name("kept"), FieldNames::default());
    _ = fs::remove_dir_all(&kept);
    let (checkpoints, broadcast) = (Checkpoints::at(kept), archive.broadcast("la-nbc"));
    let mut index = StreamIndex::new(&broadcast, rule.clone(), &names);
    while !index.read_some(piece, &mut ()).unwrap() {
        checkpoints.save(&index).unwrap();
        index = StreamIndex::new(&broadcast, rule.clone(), &names);
        assert!(checkpoints.restore(&mut index, &mut ()).is_empty());
    }
    index
}

#[test]
fn lanes_of_such_lines_are_cut_as_a_plain_model_cuts_them() {
    let (seconds, seed) = asked();
    let (mut rng, corpus, names) = (StdRng::seed_from_u64(seed), corpus(), FieldNames::default());
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::at(dir.path());
    fs::create_dir_all(archive.manifests.join("la-nbc")).unwrap();
    let (mut files, mut segments, mut complete) = (0u64, 0usize, 0usize);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        let groups = NonZeroU64::new(rng.random_range(1..5)).unwrap();
        let rule = StreamRule::lane("la-nbc", "la-nbc", "video0.m4s", groups).unwrap();
        let text = lane_file(&corpus, &mut rng);
        fs::write(archive.manifests.join("la-nbc/video0.m4s.jsonl"), &text).unwrap();
        let lines = said(&text);
        let expected = at_rest(&rule, &lines);
        let of = format!("EC_FUZZ_SEED={seed}, file {files}");
        for jobs in [1, 3] {
            let (broadcast, jobs) = (archive.broadcast("la-nbc"), NonZeroUsize::new(jobs).unwrap());
            let mut epochs = Epochs::read(&broadcast, rule.clone(), &names, jobs, &mut ()).unwrap();
            let found = shown(epochs.closed().unwrap().map(|epoch| epoch.map(|epoch| epoch.named)));
            assert_eq!(found, expected, "{jobs} threads; {of}");
        }
        let index = in_pieces(&archive, &rule, rng.random_range(1..6000));
        let found = shown(AtRest::new(&index).map(|epoch| epoch.map(|epoch| epoch.named)));
        assert_eq!(found, expected, "in pieces; {of}");
        let marks = marks(&rule, &lines);
        let last = marks.iter().filter(|mark| mark.record.is_some()).map(|mark| mark.epoch.segment + 1).max();
        assert_eq!(index.segments().len() as u64, last.unwrap_or_default(), "{of}");
        files += 1;
        segments += index.segments().len();
        complete += expected.0.iter().filter(|(epoch, _)| epoch.complete).count();
    }
    println!("{files} files in {seconds} s: {segments} segments, {complete} complete epochs");
    assert!(segments as u64 > 4 * files && complete as u64 > files, "too little is in the files");
}
