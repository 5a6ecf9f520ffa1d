//! How many files may be open at a time: the daemon asks for as many as it is allowed, and says where that is too few.

use ec_archive::hold_at_most;
use eyre::WrapErr;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are left for all else: the store's few, some connections to each endpoint and from whoever reads the
/// metrics, and files that are opened for a moment.
const OTHER_FILES: u64 = 256;

/// Raises the limit of open files to the highest that is allowed, and leaves to the archive's index what is not needed
/// elsewhere.
pub(super) fn make_room() -> eyre::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
            .wrap_err("the limit of open files cannot be raised")?;
    }
    let limit = maximum.unwrap_or(u64::MAX);
    eyre::ensure!(
        limit >= OTHER_FILES,
        "the limit of open files is {limit}, and {OTHER_FILES} are needed at least, and one more for each file of the \
         archive's index: raise LimitNOFILE= of the unit, or `ulimit -n` of the shell"
    );
    let for_index = limit - OTHER_FILES;
    tracing::debug!(limit, for_index, "limit of open files");
    hold_at_most(usize::try_from(for_index).unwrap_or(usize::MAX));
    Ok(())
}
