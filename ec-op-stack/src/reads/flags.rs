//! Command lines, as the programs parse them: Go's `flag` with `urfave/cli` around it, and Rust's `clap`.
//!
//! Both have ways of their own: Go stops at the first word that is no flag and drops all that follows without a word,
//! takes one dash for two, reads `=true` after a switch but no `true`; an empty variable is set for one kind of flag and
//! absent for another.

use std::collections::BTreeMap;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A switch: `--flag`, or with Go `--flag=false`.
    Bool,
    /// A whole number.
    Int,
    /// One without sign.
    Uint,
    /// A number.
    Float,
    /// Such as `1h30m`.
    Duration,
    /// Several, separated by commas or given one by one.
    List,
    /// Any text.
    Text,
    /// What the program's own type takes.
    Own,
    /// A value or none, of which nothing is known.
    Any,
}

impl Kind {
    /// The kind of this name in the tables.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "int" => Self::Int,
            "uint" => Self::Uint,
            "float" => Self::Float,
            "duration" => Self::Duration,
            "list" => Self::List,
            "text" => Self::Text,
            "own" => Self::Own,
            "any" => Self::Any,
            _ => return None,
        })
    }
}

/// A name of a flag.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Without dashes.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The variables that stand for it. Names with the same ones are forms of one flag.
    pub variables: Vec<&'static str>,
}

/// The parser of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Go's, of op-geth and the OP Stack's services.
    Go,
    /// Rust's, of op-reth.
    Clap,
}

/// Why a program does not start with its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The flag or variable, or the word itself.
    pub what: String,
    /// What is wrong with it.
    pub reason: String,
    /// Whether the only fault is that there is no such flag.
    pub is_unknown: bool,
}

/// What reaches a program.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// By canonical flag: its values, in order. A value that is a secret of which nothing is known is `None`.
    values: BTreeMap<&'static str, Vec<Option<String>>>,
    /// Each name of a flag, and the one by which its values are kept.
    forms: BTreeMap<&'static str, &'static str>,
    /// What keeps the program from starting.
    pub faults: Vec<Fault>,
    /// The words that the program takes for no flags, and drops.
    pub dropped: Vec<String>,
    /// Every flag that was named, known or not, as it was written.
    pub named: Vec<String>,
}

impl Parsed {
    /// Parses arguments and variables. A variable's value is `None` where it is a secret.
    pub fn parse(
        style: Style,
        definitions: &[Definition],
        args: &[String],
        variables: &BTreeMap<String, Option<String>>,
    ) -> Self {
        let forms = definitions.iter().map(|one| (one.name, canonical(one, definitions))).collect();
        let mut parsed = Self { forms, ..Self::default() };
        parsed.arguments(style, definitions, args);
        for definition in definitions {
            parsed.environment(definition, variables);
        }
        parsed
    }

    fn fault(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        self.faults.push(Fault { what: what.into(), reason: reason.into(), is_unknown: false });
    }

    fn arguments(&mut self, style: Style, definitions: &[Definition], args: &[String]) {
        let mut forms = BTreeMap::<&str, &str>::new();
        let mut rest = args.iter().peekable();
        while let Some(arg) = rest.next() {
            if arg.len() < 2 || !arg.starts_with('-') || arg == "--" {
                if style == Style::Go {
                    self.dropped = (arg != "--").then(|| arg.clone()).into_iter().chain(rest.cloned()).collect();
                    return;
                }
                self.fault(arg.clone(), "it is no flag, and the program takes no other words");
                continue;
            }
            let bare = arg.strip_prefix("--").unwrap_or(&arg[1..]);
            if bare.is_empty() || bare.starts_with(['-', '=']) || (style == Style::Clap && !arg.starts_with("--")) {
                self.fault(arg.clone(), "it is not written as a flag is");
                continue;
            }
            let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
            self.named.push(name.to_owned());
            let Some(definition) = definitions.iter().find(|definition| definition.name == name) else {
                self.faults.push(Fault {
                    what: format!("--{name}"),
                    reason: "there is no such flag".to_owned(),
                    is_unknown: true,
                });
                // the word behind it is most likely its value
                if value.is_none() {
                    rest.next_if(|next| !next.starts_with('-'));
                }
                continue;
            };
            let canonical = self.forms[definition.name];
            if let Some(form) = forms.insert(canonical, definition.name) {
                if form != definition.name {
                    self.fault(
                        format!("--{name}"),
                        format!("--{form} is the same flag, and only one of both may be given"),
                    );
                } else if style == Style::Clap && definition.kind != Kind::List {
                    self.fault(format!("--{name}"), "it is given twice");
                }
            }
            let value = match (definition.kind, value) {
                (Kind::Bool, Some(_)) if style == Style::Clap => {
                    self.fault(format!("--{name}"), "it is a switch and takes no value");
                    continue;
                }
                (Kind::Bool | Kind::Any, value) => value.unwrap_or("true").to_owned(),
                (_, Some(value)) => value.to_owned(),
                (_, None) => match rest.next_if(|next| style == Style::Go || !next.starts_with('-')) {
                    Some(value) => value.clone(),
                    None => {
                        self.fault(format!("--{name}"), "its value is missing");
                        continue;
                    }
                },
            };
            if let Err(expected) = check(definition, &value) {
                self.fault(format!("--{name}={value}"), format!("the value is not {expected}"));
            }
            let given = self.values.entry(canonical).or_default();
            if definition.kind == Kind::List {
                given.extend(value.split(',').map(|one| Some(one.trim().to_owned())));
            } else {
                *given = vec![Some(value)];
            }
        }
    }

    /// A variable counts where no argument does; one that cannot be read is a fault all the same.
    fn environment(&mut self, definition: &Definition, variables: &BTreeMap<String, Option<String>>) {
        let set = definition.variables.iter().find_map(|name| Some((name, variables.get(*name)?)));
        let Some((name, value)) = set else { return };
        let canonical = self.forms[definition.name];
        if canonical != definition.name {
            return;
        }
        let value = match (definition.kind, value.as_deref()) {
            (_, None) => None,
            // an empty switch is off; an empty number is as good as absent, empty text is there
            (Kind::Bool, Some("")) => Some("false"),
            (Kind::Text | Kind::List, Some(value)) => Some(value),
            (_, Some("")) => return,
            (_, value) => value,
        };
        if let Some(value) = value
            && let Err(expected) = check(definition, value)
        {
            self.fault(*name, format!("the value {value:?} is not {expected}"));
        }
        if self.values.contains_key(canonical) {
            return;
        }
        let given = match value {
            Some(value) if definition.kind == Kind::List => {
                value.split(',').map(|one| Some(one.trim().to_owned())).collect()
            }
            value => vec![value.map(str::to_owned)],
        };
        self.values.insert(canonical, given);
    }

    /// Whether the flag has a value from an argument or a variable.
    pub fn is_set(&self, flag: &str) -> bool {
        self.given(flag).is_some()
    }

    fn given(&self, flag: &str) -> Option<&[Option<String>]> {
        self.values.get(self.forms.get(flag)?).map(Vec::as_slice)
    }

    /// The values of a list.
    pub fn list(&self, flag: &str) -> Vec<&str> {
        self.given(flag).into_iter().flatten().map(|value| value.as_deref().unwrap_or(HIDDEN)).collect()
    }

    /// The flag's value as text.
    pub fn text(&self, flag: &str) -> Option<&str> {
        self.given(flag)?.last().map(|value| value.as_deref().unwrap_or(HIDDEN))
    }

    /// The value if it is set, to something that is not secret.
    pub fn value(&self, flag: &str) -> Option<String> {
        let values = self.given(flag)?;
        let known = values.iter().map(|value| value.as_deref()).collect::<Option<Vec<_>>>()?;
        Some(known.join(","))
    }

    /// The value of a switch.
    pub fn switch(&self, flag: &str) -> Option<bool> {
        go_bool(self.text(flag)?)
    }

    /// The value as a whole number.
    pub fn int(&self, flag: &str) -> Option<i128> {
        go_int(self.text(flag)?)
    }

    /// The value as a number.
    pub fn float(&self, flag: &str) -> Option<f64> {
        go_float(self.text(flag)?)
    }

    /// The value as a duration, in nanoseconds.
    pub fn nanoseconds(&self, flag: &str) -> Option<i64> {
        go_duration(self.text(flag)?)
    }
}

/// What stands for a secret's value: it is not empty, and that is all that is known of it.
const HIDDEN: &str = "(hidden)";

/// The first form of a flag, by which its values are kept.
fn canonical(definition: &Definition, definitions: &[Definition]) -> &'static str {
    let same = |other: &&Definition| !definition.variables.is_empty() && other.variables == definition.variables;
    definitions.iter().find(same).map_or(definition.name, |form| form.name)
}

/// Whether the flag takes the value; else what it takes.
fn check(definition: &Definition, value: &str) -> Result<(), String> {
    let numeral = |fits: bool, expected: &str| if fits { Ok(()) } else { Err(expected.to_owned()) };
    match definition.kind {
        Kind::Bool => numeral(go_bool(value).is_some(), "true or false"),
        Kind::Int => numeral(go_int(value).is_some_and(|int| i64::try_from(int).is_ok()), "a whole number"),
        Kind::Uint => numeral(
            !value.starts_with(['+', '-']) && go_int(value).is_some_and(|int| u64::try_from(int).is_ok()),
            "a whole number without sign",
        ),
        Kind::Float => numeral(go_float(value).is_some(), "a number"),
        Kind::Duration => numeral(go_duration(value).is_some(), "a duration such as 30s or 1h30m"),
        Kind::List | Kind::Text | Kind::Any => Ok(()),
        Kind::Own => match allowed(definition.name) {
            Some(allowed) => {
                let fits = allowed.contains(&value)
                    || (matches!(definition.name, "log.level" | "syncmode")
                        && allowed.contains(&value.to_lowercase().as_str()));
                if fits { Ok(()) } else { Err(format!("one of {}", allowed.join(", "))) }
            }
            None => Ok(()),
        },
    }
}

/// What flags with a type of their own take.
fn allowed(flag: &str) -> Option<&'static [&'static str]> {
    Some(match flag {
        "log.level" => &["trace", "trce", "debug", "dbug", "info", "warn", "error", "eror", "crit"],
        "log.format" => &["text", "terminal", "logfmt", "logfmtms", "json", "jsonms"],
        "l1.rpckind" | "l1-rpc-kind" => &[
            "alchemy",
            "quicknode",
            "infura",
            "parity",
            "nethermind",
            "debug_geth",
            "erigon",
            "basic",
            "any",
            "standard",
        ],
        "l2.enginekind" => &["geth", "reth", "erigon"],
        "syncmode" => &["consensus-layer", "execution-layer"],
        "data-availability-type" => &["calldata", "blobs", "auto"],
        "compression-algo" => &["zlib", "brotli", "brotli-9", "brotli-10", "brotli-11"],
        "pprof.type" => &["cpu", "heap", "goroutine", "threadcreate", "block", "mutex", "allocs"],
        _ => return None,
    })
}

/// Go's `strconv.ParseBool`.
pub fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `strconv.ParseInt` with base 0: of any system, with `_` between digits.
pub fn go_int(text: &str) -> Option<i128> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = rest.to_ascii_lowercase();
    let (base, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, base)| Some((base, lower.strip_prefix(prefix)?)))
        .or_else(|| lower.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (8, rest)))
        .unwrap_or((10, lower.as_str()));
    // an underscore stands between two digits, or between a prefix and a digit
    let well_placed = !digits.ends_with('_') && !digits.contains("__") && (base != 10 || !digits.starts_with('_'));
    let plain = digits.replace('_', "");
    let number = well_placed && !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_alphanumeric());
    number.then(|| i128::from_str_radix(&plain, base).ok().map(|number| sign * number))?
}

/// Go's `strconv.ParseFloat`, without its hexadecimal form.
pub fn go_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let is_digit = |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_digit);
    let mut underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    if !underscores.all(|(place, _)| is_digit(place.checked_sub(1)) && is_digit(Some(place + 1))) {
        return None;
    }
    let number = text.replace('_', "").parse::<f64>().ok()?;
    let named = text.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
    // what does not fit is an error, not infinity
    (number.is_finite() || named).then_some(number)
}

/// Go's `time.ParseDuration`, in nanoseconds.
pub fn go_duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let number_end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit = match unit {
            "ns" => 1_i128,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
        let fraction = &fraction[..fraction.len().min(18)];
        let scale = 10_i128.checked_pow(fraction.len().try_into().ok()?)?;
        total += digits(whole)?.checked_mul(unit)?.checked_add(digits(fraction)? * unit / scale)?;
        rest = tail;
    }
    i64::try_from(sign * total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Vec<Definition> {
        let define = |name, kind, variables: &[&'static str]| Definition { name, kind, variables: variables.to_vec() };
        vec![
            define("l1", Kind::Text, &["L1"]),
            define("on", Kind::Bool, &["ON"]),
            define("n", Kind::Uint, &["N"]),
            define("number", Kind::Uint, &["N"]),
            define("peers", Kind::List, &["PEERS"]),
        ]
    }

    fn parse(style: Style, args: &[&str], variables: &[(&str, &str)]) -> Parsed {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        Parsed::parse(style, &definitions(), &args, &variables)
    }

    #[test]
    fn what_follows_a_word_that_is_no_flag_never_arrives() {
        let parsed = parse(Style::Go, &["--l1=", "http://a", "--number=2"], &[]);
        assert_eq!((parsed.text("l1"), parsed.is_set("number")), (Some(""), false));
        assert_eq!(parsed.dropped, ["http://a", "--number=2"]);
        assert!(parsed.faults.is_empty());
        assert_eq!(parse(Style::Clap, &["http://a", "--number=2"], &[]).faults.len(), 1);
    }

    #[test]
    fn one_dash_is_as_good_as_two_and_a_value_may_look_like_a_flag() {
        let parsed = parse(Style::Go, &["-l1", "--on", "-on=T", "-peers=a, b", "--peers", "c"], &[]);
        assert_eq!((parsed.text("l1"), parsed.switch("on")), (Some("--on"), Some(true)));
        assert_eq!(parsed.list("peers"), ["a", "b", "c"]);
    }

    #[test]
    fn each_fault_names_what_it_is_about() {
        let faults =
            |args: &[&str]| parse(Style::Go, args, &[]).faults.into_iter().map(|fault| fault.what).collect::<Vec<_>>();
        assert_eq!(
            faults(&["--on=yes", "--number=-1", "--nope", "x", "--l1"]),
            ["--on=yes", "--number=-1", "--nope", "--l1"]
        );
        assert_eq!(faults(&["--n=1", "--number=2"]), ["--number"]);
        assert_eq!(faults(&["--=1", "---on"]), ["--=1", "---on"]);
    }

    #[test]
    fn an_empty_variable_is_text_but_no_number() {
        let parsed = parse(Style::Go, &[], &[("L1", ""), ("N", ""), ("ON", ""), ("PEERS", "")]);
        assert!(parsed.faults.is_empty() && parsed.is_set("l1") && !parsed.is_set("number"));
        assert_eq!((parsed.switch("on"), parsed.list("peers")), (Some(false), vec![""]));
        assert_eq!(parse(Style::Go, &[], &[("N", "x")]).faults[0].what, "N");
    }

    #[test]
    fn numbers_and_durations_are_gos() {
        let ints = ["12", "0x1f", "017", "1_000", "0x1_f", "08", "", "-3", "0"].map(go_int);
        assert_eq!(ints, [Some(12), Some(31), Some(15), Some(1000), Some(31), None, None, Some(-3), Some(0)]);
        assert_eq!(["_1", "1_", "1__0", "0_7"].map(go_int), [None, None, None, Some(7)]);
        let durations = ["1h30m", "1.5s", "0", "10", "", "1d", "-2ms", ".s", "1m1"].map(go_duration);
        assert_eq!(
            durations,
            [Some(5_400_000_000_000), Some(1_500_000_000), Some(0), None, None, None, Some(-2_000_000), None, None]
        );
        assert_eq!(
            ["1e3", "inf", "1e999", "x", "1_000.5", "1_"].map(|text| go_float(text).is_some()),
            [true, true, false, false, true, false]
        );
    }
}
