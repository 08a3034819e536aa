//! The few fields that matter of a JSON object that must be valid, such as a document of credentials. The rest is skipped
//! unread: the document may be large, and its writer is not trusted with memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Reads the texts of the fields with these names; `None` for one that is missing or not a string. `None` in all: the
/// document is not a JSON object.
pub(crate) fn texts<const N: usize>(json: &[u8], names: [&str; N]) -> Option<[Option<String>; N]> {
    Some(raw(json, names)?.map(|value| value.and_then(text)))
}

/// Finds the fields with these names, and leaves them unread.
pub(crate) fn raw<'j, const N: usize>(json: &'j [u8], names: [&str; N]) -> Option<[Option<&'j RawValue>; N]> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = reader.deserialize_map(Fields(names)).ok()?;
    reader.end().ok()?;
    Some(found)
}

/// Reads a string, if there is memory for it.
fn text(value: &RawValue) -> Option<String> {
    String::new().try_reserve(value.get().len()).ok()?;
    serde_json::from_str(value.get()).ok()
}

struct Fields<'n, const N: usize>([&'n str; N]);

impl<'j, const N: usize> Visitor<'j> for Fields<'_, N> {
    type Value = [Option<&'j RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(name) = map.next_key_seed(Name(&self.0))? {
            match name.and_then(|at| found.get_mut(at)) {
                Some(place) => *place = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Finds which of the names a key is.
struct Name<'n>(&'n [&'n str]);

impl<'j> DeserializeSeed<'j> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'j>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_fields_are_found_among_others() {
        let json = br#" {"other": {"a": "inner"}, "a": "one", "b\u0061": 2, "c": null, "\u0064": "four"} "#;
        let found = texts(json, ["a", "ba", "c", "d", "e"]).unwrap();
        assert_eq!(found, [Some("one".into()), None, None, Some("four".into()), None]);
        assert_eq!(raw(json, ["ba"]).unwrap()[0].unwrap().get(), "2");
    }

    #[test]
    fn what_is_not_an_object_has_no_fields() {
        for json in [&b"[1]"[..], b"", b"null", b"{", b"{} x", &[0xff], "[".repeat(100_000).as_bytes()] {
            assert!(texts(json, ["a"]).is_none(), "{:?}", String::from_utf8_lossy(json).get(..10));
        }
    }
}
