//! Many states in a few columns.

/// One column for each of `columns` stretches of equal length of `states`, of which the greatest counts; `mark` is how one is
/// drawn. Fewer states have a column each.
pub fn spark<T: Copy + Ord>(states: &[T], columns: usize, mark: impl Fn(T) -> char) -> String {
    let columns = columns.min(states.len());
    let stretch = |at: usize| &states[at * states.len() / columns..(at + 1) * states.len() / columns];
    (0..columns).filter_map(|at| stretch(at).iter().max().map(|&worst| mark(worst))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_of_each_stretch_is_drawn() {
        let mark = |state: u8| char::from(b'0' + state);
        for (states, columns, expected) in
            [(&[0, 1, 0, 2, 0, 0][..], 3, "120"), (&[0, 1], 8, "01"), (&[], 8, ""), (&[3, 0, 0, 0, 1], 2, "31")]
        {
            assert_eq!(spark(states, columns, mark), expected, "{states:?}");
        }
    }
}
