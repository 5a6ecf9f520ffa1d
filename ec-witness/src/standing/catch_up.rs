//! How catching up stands.

/// What is left of old epochs, and how fast it grows less.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CatchUp {
    /// Old epochs without a final slot that are still to be looked at, and votes on old ones that wait to be sent.
    pub left: u64,
    /// How many fewer there are each second; 0 where they are not.
    pub per_second: f64,
}

impl CatchUp {
    /// For how long it goes on at this speed, seconds; `None` where nothing is left, or nothing goes on.
    pub fn left_s(&self) -> Option<u64> {
        (self.left > 0 && self.per_second > 0.0).then(|| (self.left as f64 / self.per_second) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_known_while_something_goes_on() {
        let left_s = |left, per_second| CatchUp { left, per_second }.left_s();
        assert_eq!([left_s(100, 0.5), left_s(0, 0.5), left_s(100, 0.0)], [Some(200), None, None]);
    }
}
