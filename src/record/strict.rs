//! Reads JSON so that it can mean one thing only. serde alone takes `null` for an absent member, an array for a struct,
//! `{"real":null}` for a variant, and the last of two equal members of a map; other parsers read the same bytes
//! otherwise. What is signed must not be read in two ways, so all of these are refused.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::hash::Hash;

/// The largest integer that every JSON parser reads exactly, 2^53 - 1 (RFC 8259 section 6).
pub(super) const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// A struct, from an object only.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

/// A struct that may be absent, but is an object and not `null`.
pub(super) fn present_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    object(deserializer).map(Some)
}

/// A list of structs, each from an object only.
pub(super) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct One<T>(T);
    impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            object(deserializer).map(One)
        }
    }
    struct List<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of objects")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(One(one)) = list.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_seq(List(PhantomData))
}

/// A member that may be absent, but not `null`.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A map that names nothing twice.
pub(super) fn map<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    collect::<D, V, V>(deserializer)
}

/// Heads of chains by chain name: `{"<serial>-<kid8>":[seq,"<hash>"]}`.
pub(super) fn heads<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, (u64, Hash)>, D::Error> {
    collect::<D, Head, (u64, Hash)>(deserializer)
}

/// An unsigned integer up to 2^53 - 1.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > LARGEST_INTEGER {
        return Err(D::Error::custom("integer above 2^53 - 1"));
    }
    Ok(number)
}

/// Whole seconds since 1970, at most 2^53 - 1 away from it.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = i64::deserialize(deserializer)?;
    if seconds.unsigned_abs() > LARGEST_INTEGER {
        return Err(D::Error::custom("time beyond 2^53 - 1 seconds"));
    }
    Ok(seconds)
}

/// One head, `[seq,"<hash>"]`.
struct Head(u64, Hash);

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seq(u64);
        impl<'de> Deserialize<'de> for Seq {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                integer(deserializer).map(Seq)
            }
        }
        <(Seq, Hash)>::deserialize(deserializer).map(|(Seq(seq), hash)| Head(seq, hash))
    }
}

impl From<Head> for (u64, Hash) {
    fn from(head: Head) -> Self {
        (head.0, head.1)
    }
}

/// A map from text to `V`, each value read as a `W`.
fn collect<'de, D, W, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    W: Deserialize<'de>,
    V: From<W>,
{
    struct Unique<W, V>(PhantomData<(W, V)>);
    impl<'de, W: Deserialize<'de>, V: From<W>> Visitor<'de> for Unique<W, V> {
        type Value = BTreeMap<String, V>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, W>()? {
                if all.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                }
                all.insert(name, V::from(value));
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}
