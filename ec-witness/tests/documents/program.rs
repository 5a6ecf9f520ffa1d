//! A program's own help: its commands, flags, variables and defaults.

use std::{
    collections::BTreeMap,
    process::{Command, Output, Stdio},
};

/// A program of this workspace.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
}

/// The long help of one command.
#[derive(Debug, Default)]
pub(crate) struct Help {
    /// Flags by their long names, without dashes.
    pub(crate) flags: BTreeMap<String, Flag>,
    /// The commands below it.
    pub(crate) commands: Vec<String>,
    /// What the usage line demands: names of arguments, and flags with their dashes.
    pub(crate) required: Vec<String>,
    /// All of it.
    pub(crate) text: String,
}

/// A flag as the help shows it.
#[derive(Debug, Default)]
pub(crate) struct Flag {
    pub(crate) takes_value: bool,
    pub(crate) variable: Option<String>,
    pub(crate) default: Option<String>,
}

impl Program {
    /// Runs it without the settings of whoever runs the test.
    pub(crate) fn run(&self, args: &[String]) -> Output {
        let mut command = Command::new(self.path);
        let ours = |(name, _): &(String, String)| name.starts_with("EC_");
        std::env::vars().filter(ours).for_each(|(name, _)| _ = command.env_remove(name));
        command.args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// The help of the command that `path` names.
    pub(crate) fn help(&self, path: &[String]) -> Help {
        let output = self.run(&[path, &["--help".to_owned()]].concat());
        assert!(output.status.success(), "{} {path:?} --help", self.name);
        Help::of(&String::from_utf8(output.stdout).unwrap())
    }

    /// The help of every command, by its path.
    pub(crate) fn helps(&self) -> BTreeMap<Vec<String>, Help> {
        let (mut helps, mut left) = (BTreeMap::new(), vec![Vec::new()]);
        while let Some(path) = left.pop() {
            let help = self.help(&path);
            left.extend(help.commands.iter().map(|command| [path.clone(), vec![command.clone()]].concat()));
            helps.insert(path, help);
        }
        helps
    }
}

impl Help {
    fn of(text: &str) -> Self {
        let mut help = Self { text: text.to_owned(), ..Self::default() };
        let (mut flag, mut in_commands, mut in_usage) = (None, false, false);
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_heading = line.ends_with(':') && !line.starts_with(' ');
            in_usage = line.starts_with("Usage:") || in_usage && !words.is_empty();
            if is_heading {
                (flag, in_commands) = (None, line == "Commands:");
            }
            if in_usage {
                help.required.extend(words.iter().filter(|word| is_required(word)).map(|&word| word.to_owned()));
            } else if in_commands && line.starts_with("  ") && !line.starts_with("   ") {
                help.commands.extend(words.first().filter(|word| **word != "help").map(|&word| word.to_owned()));
            } else if let Some(name) = flag_of(&words).filter(|_| indent(line) < 10) {
                let takes_value = words.iter().any(|word| word.starts_with('<') || word.starts_with("[<"));
                help.flags.insert(name.clone(), Flag { takes_value, ..Flag::default() });
                flag = Some((name, String::new()));
            }
            if let Some((name, told)) = &mut flag {
                // a mark may be broken over two lines
                told.push_str(line.trim());
                told.push(' ');
                let found = help.flags.get_mut(name).unwrap();
                found.variable = between(told, "[env: ", "]").map(|set| set.trim_end_matches('=').to_owned());
                found.default = between(told, "[default: ", "]");
            }
        }
        help
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn flag_of(words: &[&str]) -> Option<String> {
    let long = match words {
        [short, long, ..] if short.starts_with('-') && short.ends_with(',') => long,
        [long, ..] => long,
        [] => return None,
    };
    long.strip_prefix("--").map(str::to_owned)
}

fn is_required(word: &str) -> bool {
    (word.starts_with('<') && word != "<COMMAND>") || word.starts_with("--")
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}
