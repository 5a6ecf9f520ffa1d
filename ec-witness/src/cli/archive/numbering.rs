//! `--numbering` of the tools.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ec_observation::Numbering;
use strum::VariantNames;

/// How an archive's groups are numbered.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct NumberingArg {
    /// How groups are numbered: `session`, each track from 0 with each start of the publisher or recorder; `timeline`, all
    /// tracks by broadcast time.
    #[arg(
        long,
        env = "EC_WITNESS_NUMBERING",
        value_name = "WORD",
        default_value = Numbering::default().name(),
        value_parser = PossibleValuesParser::new(Numbering::VARIANTS).try_map(|word| word.parse::<Numbering>())
    )]
    pub(crate) numbering: Numbering,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        numbering: NumberingArg,
    }

    #[test]
    fn it_is_session_unless_said_otherwise() {
        let parse = |args: &[&str]| {
            let args = ["test"].iter().chain(args);
            Command::try_parse_from(args).map(|command| command.numbering.numbering)
        };
        assert_eq!(parse(&[]).unwrap(), Numbering::Session);
        assert_eq!(parse(&["--numbering", "session"]).unwrap(), Numbering::Session);
        assert_eq!(parse(&["--numbering", "timeline"]).unwrap(), Numbering::Timeline);
        assert!(parse(&["--numbering", "broadcast"]).unwrap_err().to_string().contains("session, timeline"));
    }
}
