//! What real shells make of a program's completion script.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{fs, path::Path, process::Command};

/// A shell that completes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    /// As the program calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// The words that the shell offers for the last one of a line, by this script of the program that the line begins with. zsh is asked
    /// what it makes of the line, so of several words it offers none.
    pub fn completes(self, script: &str, line: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let program = line.split(' ').next().unwrap();
        let file = dir.path().join(format!("_{program}"));
        fs::write(&file, script).unwrap();
        let said = match self {
            Self::Bash => run("bash", &["--norc", "--noprofile", "-c", BASH, "bash"], &file, line),
            Self::Fish => run("fish", &["--no-config", "-c", FISH], &file, line),
            Self::Zsh => run("zsh", &["-f", "-c", ZSH, "zsh"], dir.path(), line),
        };
        match self {
            Self::Zsh => {
                let (_, shown) = said.rsplit_once("<<").unwrap_or_else(|| panic!("zsh says {said:?}"));
                let made = shown.split(">>").next().unwrap();
                // what ends with a blank is complete
                let is_complete = made.ends_with(' ') && made != line;
                made.split_whitespace().next_back().filter(|_| is_complete).map(str::to_owned).into_iter().collect()
            }
            Self::Bash | Self::Fish => {
                said.lines().map(|line| line.split('\t').next().unwrap().trim().to_owned()).collect()
            }
        }
    }
}

/// Asks the function that the script has registered for the program, as bash does when TAB is pressed.
const BASH: &str = r#"
source "$1"
read -ra COMP_WORDS <<<"$2"
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_LINE=$2 COMP_POINT=${#2} COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
registered=($(complete -p "${COMP_WORDS[0]}"))
for ((at = 0; at < ${#registered[@]}; at++)); do
  [[ ${registered[at]} == -F ]] && function=${registered[at + 1]}
done
"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"#;

const FISH: &str = "source $argv[1]; complete -C $argv[2]";

/// Types the line into an interactive zsh, presses TAB, and asks what stands there then.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "PS1=; COLUMNS=4000; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; show() { print -r -- \"<<\$BUFFER>>\"; BUFFER= }; zle -N show; bindkey '^Xs' show; print rea''dy"
zpty -r inner out '*ready*'
zpty -w -n inner "$2"$'\t\x18s'
zpty -r inner out '*<<*>>*'
print -r -- "$out"
"#;

fn run(shell: &str, arguments: &[&str], script: &Path, line: &str) -> String {
    let output = Command::new(shell).args(arguments).arg(script).arg(line).output();
    let output = output.unwrap_or_else(|error| panic!("{shell} is needed: scripts/install-tools ({error})"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
