//! JSON objects that are edited and otherwise left as they are.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A JSON object in its own order. Values that nobody asks for keep their bytes: numbers of any size, 10 MB of accounts.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Object(IndexMap<String, Box<RawValue>>);

impl Object {
    /// The value at `path`; `None` if a step is missing, null, no object, or the value is of another type.
    pub fn get<T: for<'de> Deserialize<'de>>(&self, path: &[&str]) -> Option<T> {
        serde_json::from_str::<Option<T>>(self.raw(path)?.get()).ok().flatten()
    }

    /// Whether the key at `path` is there, be it null.
    pub fn contains(&self, path: &[&str]) -> bool {
        self.raw(path).is_some()
    }

    /// The text of the value at `path`.
    pub fn text(&self, path: &[&str]) -> Option<String> {
        Some(self.raw(path)?.get().to_owned())
    }

    fn raw(&self, path: &[&str]) -> Option<Box<RawValue>> {
        let (first, rest) = path.split_first()?;
        let raw = self.0.get(*first)?;
        if rest.is_empty() {
            return Some(raw.clone());
        }
        serde_json::from_str::<Self>(raw.get()).ok()?.raw(rest)
    }

    /// Removes the key at `path`; whether it was there.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        self.edit(path, &mut |object, key| object.0.shift_remove(key).is_some())
    }

    /// Sets the value at `path`, whose parents must be objects; whether that was so.
    pub fn set<T: Serialize>(&mut self, path: &[&str], value: &T) -> bool {
        let Ok(raw) = to_raw_value(value) else { return false };
        self.edit(path, &mut |object, key| {
            object.0.insert(key.to_owned(), raw.clone());
            true
        })
    }

    fn edit(&mut self, path: &[&str], change: &mut dyn FnMut(&mut Self, &str) -> bool) -> bool {
        match path {
            [] => false,
            [key] => change(self, key),
            [first, rest @ ..] => {
                let Some(slot) = self.0.get_mut(*first) else { return false };
                let Ok(mut child) = serde_json::from_str::<Self>(slot.get()) else { return false };
                let done = child.edit(rest, change);
                if let (true, Ok(raw)) = (done, serde_json::to_string_pretty(&child).and_then(RawValue::from_string)) {
                    *slot = raw;
                }
                done
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_not_edited_keeps_its_bytes_and_its_order() {
        let mut object = object(r#"{"z":{"b":1,"a":2},"big":340282366920938463463374607431768211456,"a":1.50}"#);
        assert!(object.set(&["z", "b"], &3));
        let text = serde_json::to_string(&object).unwrap();
        assert_eq!(
            text,
            "{\"z\":{\n  \"b\": 3,\n  \"a\": 2\n},\"big\":340282366920938463463374607431768211456,\"a\":1.50}"
        );
    }

    #[test]
    fn missing_null_and_present_are_told_apart() {
        let object = object(r#"{"a":{"null":null,"one":1}}"#);
        assert_eq!(object.get::<u64>(&["a", "one"]), Some(1));
        assert_eq!(object.get::<u64>(&["a", "null"]), None);
        assert!(object.contains(&["a", "null"]) && !object.contains(&["a", "two"]) && !object.contains(&["b", "null"]));
    }
}
