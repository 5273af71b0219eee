//! The shape of JSON values, from a look at some of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::twice::TWICE;

/// What was seen at one place of the objects.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shape {
    bool: bool,
    string: bool,
    int: bool,
    /// Integers that only fit into uint64.
    large: bool,
    negative: bool,
    /// Integers that a float64 can't hold exactly.
    beyond_float: bool,
    /// Integers of more than 64 bits, which no type holds.
    wide: bool,
    float: bool,
    list: Option<Box<Shape>>,
    object: Option<Box<Keys>>,
}

/// Keys in the order they first came.
#[derive(Debug, Default, Clone)]
pub(crate) struct Keys {
    pub shapes: Vec<(String, Shape)>,
    by_name: HashMap<String, usize>,
    /// The number of the object each key was last seen in.
    seen_in: Vec<u64>,
    objects: u64,
}

impl Keys {
    fn at(&mut self, key: &str) -> usize {
        match self.by_name.get(key) {
            Some(index) => *index,
            None => {
                self.by_name.insert(key.to_owned(), self.shapes.len());
                self.shapes.push((key.to_owned(), Shape::default()));
                self.seen_in.push(0);
                self.shapes.len() - 1
            }
        }
    }

    /// Takes over what another file showed.
    pub(crate) fn join(&mut self, other: Self) {
        for (key, shape) in other.shapes {
            let at = self.at(&key);
            self.shapes[at].1.join(shape);
        }
    }

    /// Looks at one object; the error is serde's.
    pub(crate) fn see(&mut self, line: &[u8]) -> Result<(), serde_json::Error> {
        struct Object<'a>(&'a mut Keys, &'a [f64]);
        impl<'de> Visitor<'de> for Object<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
                keys(self.0, map, self.1)
            }
        }
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        let wide = wide_integers(line);
        deserializer.deserialize_map(Object(self, &wide))?;
        deserializer.end()
    }
}

/// The integers of a line that take more than 64 bits, as the floats serde makes of them: it
/// doesn't tell them from `1e30`.
fn wide_integers(line: &[u8]) -> Vec<f64> {
    let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let (mut quoted, mut escaped) = (false, false);
    let outside = |byte: &u8| {
        let end = !escaped && *byte == b'"';
        escaped = quoted && !escaped && *byte == b'\\';
        quoted ^= end;
        quoted || !number(byte)
    };
    line.split(outside)
        .filter(|run| run.len() > 18)
        .filter_map(|run| std::str::from_utf8(run).ok())
        .filter(|text| {
            let digits = text.strip_prefix('-').unwrap_or(text);
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && text.parse::<i64>().is_err()
                && text.parse::<u64>().is_err()
        })
        .filter_map(|text| text.parse().ok())
        .collect()
}

fn keys<'de, A: MapAccess<'de>>(keys: &mut Keys, mut map: A, wide: &[f64]) -> Result<(), A::Error> {
    keys.objects += 1;
    while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
        let at = keys.at(&key);
        if std::mem::replace(&mut keys.seen_in[at], keys.objects) == keys.objects {
            return Err(A::Error::custom(format!("the key {key:?} {TWICE}")));
        }
        let shape = &mut keys.shapes[at].1;
        map.next_value_seed(Look { shape, wide })?;
    }
    Ok(())
}

/// Looks at one value.
struct Look<'a> {
    shape: &'a mut Shape,
    /// What [`wide_integers`] found in the line.
    wide: &'a [f64],
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.shape.bool = true;
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.shape.int = true;
        self.shape.negative |= value < 0;
        self.shape.beyond_float |= value.unsigned_abs() > 1 << 53;
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.shape.int = true;
        self.shape.large |= i64::try_from(value).is_err();
        self.shape.beyond_float |= value > 1 << 53;
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        if self.wide.contains(&value) {
            self.shape.wide = true;
        } else {
            self.shape.float = true;
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.shape.string = true;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let wide = self.wide;
        let shape = &mut **self.shape.list.get_or_insert_default();
        while seq.next_element_seed(Look { shape, wide })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        keys(self.shape.object.get_or_insert_default(), map, self.wide)
    }
}

/// Why no type holds all values, in words.
pub(crate) struct Mixed {
    /// Where: `user.id`.
    pub path: String,
    pub what: String,
}

impl Shape {
    fn join(&mut self, other: Self) {
        self.bool |= other.bool;
        self.string |= other.string;
        self.int |= other.int;
        self.large |= other.large;
        self.negative |= other.negative;
        self.beyond_float |= other.beyond_float;
        self.wide |= other.wide;
        self.float |= other.float;
        if let Some(items) = other.list {
            self.list.get_or_insert_default().join(*items);
        }
        if let Some(keys) = other.object {
            self.object.get_or_insert_default().join(*keys);
        }
    }

    /// Whether a text could hold every value seen.
    pub(crate) fn is_plain(&self) -> bool {
        self.list.is_none() && self.object.is_none()
    }

    /// The type that holds every value seen.
    pub(crate) fn data_type(&self, path: &str) -> Result<DataType, Mixed> {
        let mixed = |what: &str| Mixed {
            path: path.to_owned(),
            what: what.to_owned(),
        };
        let kinds: Vec<&str> = [
            (self.bool, "booleans"),
            (self.int || self.float || self.wide, "numbers"),
            (self.string, "strings"),
            (self.list.is_some(), "lists"),
            (self.object.is_some(), "objects"),
        ]
        .into_iter()
        .filter_map(|(seen, name)| seen.then_some(name))
        .collect();
        if kinds.len() > 1 {
            return Err(mixed(&kinds.join(" and ")));
        }
        if self.int && self.float && self.beyond_float {
            return Err(mixed("fractions and integers that a float64 can't hold"));
        }
        if self.wide || (self.large && self.negative) {
            return Err(mixed("integers of more than 64 bits"));
        }
        if let Some(items) = &self.list {
            let item = items.data_type(path)?;
            return Ok(DataType::List(Arc::new(Field::new_list_field(item, true))));
        }
        if let Some(keys) = &self.object {
            let fields = keys
                .shapes
                .iter()
                .map(|(key, shape)| {
                    let inner = shape.data_type(&format!("{path}.{key}"))?;
                    Ok(Field::new(key, inner, true))
                })
                .collect::<Result<Vec<Field>, Mixed>>()?;
            return Ok(DataType::Struct(Fields::from(fields)));
        }
        Ok(if self.bool {
            DataType::Boolean
        } else if self.float {
            DataType::Float64
        } else if self.large {
            DataType::UInt64
        } else if self.int {
            DataType::Int64
        } else {
            DataType::Utf8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hygge_core::type_name;

    fn inferred(lines: &[&str]) -> String {
        let mut keys = Keys::default();
        for line in lines {
            keys.see(line.as_bytes()).unwrap();
        }
        let shape = Shape {
            object: Some(Box::new(keys)),
            ..Shape::default()
        };
        match shape.data_type("row") {
            Ok(data_type) => type_name(&data_type),
            Err(mixed) => format!("{}: {}", mixed.path, mixed.what),
        }
    }

    #[test]
    fn shapes() {
        assert_eq!(
            inferred(&[
                r#"{"b": 1, "a": null, "l": []}"#,
                r#"{"a": true, "b": 2.5, "l": [{"x": "y"}, null]}"#,
            ]),
            "struct<b: float64, a: bool, l: list<struct<x: string>>>"
        );
        assert_eq!(
            inferred(&[r#"{"a": 18446744073709551615}"#]),
            "struct<a: uint64>"
        );
    }

    #[test]
    fn mixed_values_are_said() {
        assert_eq!(
            inferred(&[r#"{"a": {"b": 1}}"#, r#"{"a": {"b": "x"}}"#]),
            "row.a.b: numbers and strings"
        );
        assert_eq!(
            inferred(&[r#"{"a": 9007199254740993}"#, r#"{"a": 0.5}"#]),
            "row.a: fractions and integers that a float64 can't hold"
        );
    }

    #[test]
    fn integers_of_more_than_64_bits_are_never_floats() {
        for integer in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
        ] {
            for line in [
                format!(r#"{{"a": {integer}}}"#),
                format!(r#"{{"b": 1e30, "a": [{integer}]}}"#),
                format!(r#"{{"a": {{"b": {integer}}}}}"#),
            ] {
                let said = inferred(&[&line]);
                assert!(said.ends_with(": integers of more than 64 bits"), "{said}");
            }
        }
        assert_eq!(
            inferred(&[r#"{"a": 1e30, "b": "18446744073709551616", "c": 18446744073709551616.5}"#]),
            "struct<a: float64, b: string, c: float64>"
        );
    }
}
