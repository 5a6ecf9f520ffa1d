//! The wall clock, in Unix time: what is written down, shown, and compared with the chain's and the files' times.
//!
//! It may jump, so nothing is paced by it: turns, delays and holds go by the daemon's own monotonic milliseconds. A clock
//! that stands before 1970 reads as 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now.
pub fn unix_now() -> Duration {
    since_1970(SystemTime::now())
}

/// Now, milliseconds.
pub fn unix_ms() -> u64 {
    u64::try_from(unix_now().as_millis()).unwrap_or(u64::MAX)
}

/// Now, whole seconds.
pub fn unix_s() -> u64 {
    unix_now().as_secs()
}

/// A time that somebody else noted, such as a file's, whole seconds.
pub fn unix_s_of(time: SystemTime) -> u64 {
    since_1970(time).as_secs()
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_reads_as_1970() {
        assert_eq!(unix_s_of(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(unix_s_of(UNIX_EPOCH + Duration::from_millis(2999)), 2);
    }

    #[test]
    fn milliseconds_and_seconds_are_of_one_clock() {
        assert!(unix_ms().abs_diff(unix_s() * 1000) < 60_000);
        assert!(unix_s() > 1_700_000_000, "2023 has passed");
    }
}
