//! The shape of plain lines: what stands around their values. A writer's lines share it, so a line is mostly compared.

use std::ops::Range;

use ec_observation::Record;

use super::{
    super::bad::MAX_LINE_LEN,
    layout::Layout,
    value::{Lesson, Value, Values},
};

/// Lines of another shape before the shape is learned anew.
const MAX_MISSES: u32 = 8;

/// Lines of this shape and another layout before the layout is learned anew.
const MAX_LAYOUT_MISSES: u32 = 32;

/// The shape of a line that was plain and good. Another line of this shape, with values of the same kinds, is as well.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Each value, and what stands before it.
    values: Vec<(Box<[u8]>, Value)>,
    /// What stands after the last one.
    end: Box<[u8]>,
    misses: u32,
    /// Where the values of the lines before stood.
    layout: Option<Layout>,
    layout_misses: u32,
}

impl Shape {
    /// The record that `text` begins with, and its length, if it is laid out as the lines before.
    #[inline]
    pub(super) fn laid_out(&self, text: &[u8]) -> Option<(Record, usize)> {
        self.layout.as_ref()?.record(text)
    }

    /// The record that `text` begins with, and its length, if it has this shape.
    pub(super) fn record(&mut self, text: &[u8]) -> Option<(Record, usize)> {
        let found = self.walk(text, |_, _| {})?;
        if self.layout_misses.is_multiple_of(MAX_LAYOUT_MISSES) {
            let mut lesson = Lesson::new();
            self.walk(text, |value, place| lesson.push((value, place)))?;
            self.layout = Layout::of(&text[..found.1], &lesson);
        }
        self.layout_misses = self.layout_misses.wrapping_add(1);
        Some(found)
    }

    /// Reads from value to value, and tells where they stand.
    #[inline(always)]
    fn walk(&self, text: &[u8], mut found: impl FnMut(Value, Range<usize>)) -> Option<(Record, usize)> {
        let mut values = Values::default();
        let mut rest = text;
        // without a value there is no record: nothing was learned yet
        for (before, value) in &self.values {
            let start = rest.strip_prefix(&**before)?;
            rest = value.read(start, &mut values)?;
            found(*value, text.len() - start.len()..text.len() - rest.len());
        }
        let len = text.len() - rest.strip_prefix(&*self.end)?.len();
        Some((values.record()?, len)).filter(|_| len <= MAX_LINE_LEN)
    }

    /// Notes a line of another shape; where to note its values, if it is one to learn from.
    pub(super) fn lesson(&mut self) -> Option<Lesson> {
        let learns = self.misses.is_multiple_of(MAX_MISSES);
        self.misses = self.misses.wrapping_add(1);
        learns.then(Lesson::new)
    }

    /// Takes the shape of a plain line.
    pub(super) fn learn(&mut self, line: &[u8], lesson: Option<Lesson>) {
        let Some(lesson) = lesson else { return };
        let mut from = 0;
        let values = lesson.into_iter().map(|(value, place)| {
            let before = line[from..place.start].into();
            from = place.end;
            (before, value)
        });
        self.values = values.collect();
        self.end = line[from..].into();
        (self.layout, self.layout_misses) = (None, 0);
    }
}
