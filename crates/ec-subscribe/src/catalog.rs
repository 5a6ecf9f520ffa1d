//! Which tracks a broadcast has, as its catalog says. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

/// The track that holds the catalog.
pub const CATALOG_TRACK: &str = "catalog.json";

/// The ending of tracks that hold media segments.
pub const MEDIA_ENDING: &str = ".m4s";

/// The tracks that a frame of the catalog names: a whole catalog, or a change of it as a JSON merge patch (RFC 7396). They are
/// the keys of every object `renditions`, in whatever section of the catalog. A frame that is no JSON names none.
pub fn tracks(frame: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Ok(catalog) = serde_json::from_slice(frame) {
        collect(&catalog, &mut names);
    }
    names
}

/// Whether a track of this name holds media segments.
pub fn is_media(name: &str) -> bool {
    name.ends_with(MEDIA_ENDING)
}

/// Sections may lie in sections; serde_json bounds how deep.
fn collect(value: &Value, names: &mut BTreeSet<String>) {
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        match field {
            Value::Object(renditions) if name == "renditions" => {
                let present = renditions.iter().filter(|(_, rendition)| !rendition.is_null());
                names.extend(present.map(|(name, _)| name.clone()));
            }
            _ => collect(field, names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(catalog: &str) -> Vec<String> {
        tracks(catalog.as_bytes()).into_iter().collect()
    }

    #[test]
    fn renditions_of_every_section_are_tracks() {
        let catalog = r#"{"video":{"renditions":{"0.m4s":{"codec":"avc1"},"low.m4s":{}}},
            "audio":{"renditions":{"1.m4s":{"codec":"mp4a"}},"priority":2},
            "text":{"renditions":{"captions.vtt":{}}}}"#;
        assert_eq!(named(catalog), ["0.m4s", "1.m4s", "captions.vtt", "low.m4s"]);
        assert_eq!(["0.m4s", "captions.vtt"].map(is_media), [true, false]);
    }

    #[test]
    fn a_change_names_what_it_adds_and_not_what_it_removes() {
        let patch = r#"{"audio":{"renditions":{"audio0.m4s":null,"audio1.m4s":{"codec":"opus"}}}}"#;
        assert_eq!(named(patch), ["audio1.m4s"]);
    }

    #[test]
    fn what_is_no_catalog_names_nothing() {
        for frame in ["", "{", "[]", "null", r#"{"renditions":["0.m4s"]}"#, r#"{"video":{"0.m4s":{}}}"#] {
            assert!(named(frame).is_empty(), "{frame}");
        }
    }
}
