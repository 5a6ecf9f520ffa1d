//! Where an archive is.

use std::path::PathBuf;

use clap::Args;
use ec_archive::Archive;
use eyre::eyre;

/// The directories of an archive: `manifests/` with the index, `cas/` with the objects.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ArchiveDirs {
    /// Directory that holds `manifests/` and `cas/`.
    #[arg(long, env = "EC_WITNESS_ARCHIVE", value_name = "DIR", help_heading = "Archive")]
    archive: Option<PathBuf>,

    /// Directory of the index, instead of `manifests/` in the archive.
    #[arg(long, env = "EC_WITNESS_MANIFESTS", value_name = "DIR", help_heading = "Archive")]
    manifests: Option<PathBuf>,

    /// Directory that holds `objects/`, instead of `cas/` in the archive.
    #[arg(long, env = "EC_WITNESS_CAS", value_name = "DIR", help_heading = "Archive")]
    cas: Option<PathBuf>,
}

impl ArchiveDirs {
    /// These directories, and the file's where these say nothing. Flags for the parts come before a file's, but an
    /// `--archive` flag comes before a file's parts, too.
    pub(crate) fn or(self, archive: Option<PathBuf>, manifests: Option<PathBuf>, cas: Option<PathBuf>) -> Self {
        if self.archive.is_some() {
            return self;
        }
        Self { archive, manifests: self.manifests.or(manifests), cas: self.cas.or(cas) }
    }

    /// The key of the setting that says where the index is, where a file may name that by itself.
    pub(crate) fn place_key(&self, file_has_manifests: bool) -> &'static str {
        let by_itself = self.manifests.is_some() || self.archive.is_none() && file_has_manifests;
        if by_itself { "manifests" } else { "dir" }
    }

    /// An archive in one directory.
    pub(crate) fn at(archive: PathBuf) -> Self {
        Self { archive: Some(archive), ..Self::default() }
    }

    /// The archive. Only the index must be known; the store's place is checked by those who read it.
    pub(crate) fn archive(&self) -> eyre::Result<Archive> {
        let manifests = self.manifests()?;
        let cas = self.cas().unwrap_or_else(|_| manifests.with_file_name("cas"));
        Ok(Archive { manifests, cas })
    }

    /// The directory of the index.
    pub(crate) fn manifests(&self) -> eyre::Result<PathBuf> {
        self.part(self.manifests.as_ref(), "manifests")
    }

    /// The root of the content-addressed store.
    pub(crate) fn cas(&self) -> eyre::Result<PathBuf> {
        self.part(self.cas.as_ref(), "cas")
    }

    fn part(&self, given: Option<&PathBuf>, name: &str) -> eyre::Result<PathBuf> {
        let below_archive = || self.archive.as_ref().map(|archive| archive.join(name));
        given.cloned().or_else(below_archive).ok_or_else(|| eyre!("no archive: give --archive DIR or --{name} DIR"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        dirs: ArchiveDirs,
    }

    fn parse(args: &str) -> ArchiveDirs {
        Command::parse_from(["test"].into_iter().chain(args.split_whitespace())).dirs
    }

    #[test]
    fn each_part_can_be_elsewhere() {
        let dirs = parse("--archive a --cas c");
        assert_eq!(dirs.manifests().unwrap(), PathBuf::from("a/manifests"));
        assert_eq!(dirs.cas().unwrap(), PathBuf::from("c"));
        assert!(parse("--manifests m").cas().unwrap_err().to_string().contains("--cas DIR"));
    }
}
