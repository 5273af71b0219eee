//! Type names as people write them in settings, and as they are shown in messages.

use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_schema::{DataType, Field, Fields, TimeUnit};

/// What is accepted, for messages.
pub const TYPE_NAMES: &str = "bool, int8 to int64, uint8 to uint64, float32, float64, \
    decimal(18, 2), string, binary, date, time, timestamp, timestamp[ms, UTC], list<int64> or \
    struct<a: int64, b: string>";

/// Reads a type name.
pub fn parse_type(text: &str) -> Option<DataType> {
    let mut rest = text.trim();
    let data_type = one(&mut rest, 0)?;
    rest.trim().is_empty().then_some(data_type)
}

/// Types nest at most this deep; more is a mistake, and would be a stack overflow later.
const DEEPEST: usize = 32;

fn one(rest: &mut &str, depth: usize) -> Option<DataType> {
    if depth > DEEPEST {
        return None;
    }
    let name = word(rest);
    Some(match name.to_ascii_lowercase().as_str() {
        "bool" | "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" | "int" | "integer" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" | "float" | "double" => DataType::Float64,
        "string" | "utf8" | "text" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" | "date32" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => timestamp(rest)?,
        "decimal" => decimal(rest)?,
        "list" => {
            eat(rest, '<')?;
            let item = one(rest, depth + 1)?;
            eat(rest, '>')?;
            DataType::List(Arc::new(Field::new_list_field(item, true)))
        }
        "struct" => DataType::Struct(fields(rest, depth)?),
        _ => return None,
    })
}

fn timestamp(rest: &mut &str) -> Option<DataType> {
    if eat(rest, '[').is_none() {
        return Some(DataType::Timestamp(TimeUnit::Microsecond, None));
    }
    let unit = match word(rest) {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    };
    let zone = if eat(rest, ',').is_some() {
        let end = rest.find(']')?;
        let (zone, after) = rest.split_at(end);
        *rest = after;
        let zone = zone.trim();
        let named = zone.contains('/') && zone.bytes().all(|b| b.is_ascii_graphic());
        (named || zone_offset(zone).is_some())
            .then(|| Arc::from(zone))
            .map(Some)?
    } else {
        None
    };
    eat(rest, ']')?;
    Some(DataType::Timestamp(unit, zone))
}

/// A zone whose distance from UTC is fixed; a named one would need the zones' history.
pub fn zone_offset(zone: &str) -> Option<Tz> {
    match zone {
        "UTC" | "utc" | "Z" | "Etc/UTC" | "GMT" => "+00:00".parse().ok(),
        zone => zone.parse().ok(),
    }
}

fn decimal(rest: &mut &str) -> Option<DataType> {
    eat(rest, '(')?;
    let precision: u8 = word(rest).parse().ok()?;
    let scale: i8 = match eat(rest, ',') {
        Some(()) => word(rest).parse().ok()?,
        None => 0,
    };
    eat(rest, ')')?;
    let fits = scale >= 0 && scale.unsigned_abs() <= precision;
    match precision {
        1..=38 if fits => Some(DataType::Decimal128(precision, scale)),
        39..=76 if fits => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

fn fields(rest: &mut &str, depth: usize) -> Option<Fields> {
    eat(rest, '<')?;
    let mut fields: Vec<Field> = Vec::new();
    loop {
        let end = rest.find(':')?;
        let (name, after) = rest.split_at(end);
        *rest = &after[1..];
        let name = name.trim();
        if name.is_empty() || fields.iter().any(|f| f.name() == name) {
            return None;
        }
        fields.push(Field::new(name, one(rest, depth + 1)?, true));
        if eat(rest, ',').is_none() {
            break;
        }
    }
    eat(rest, '>')?;
    Some(fields.into())
}

fn word<'a>(rest: &mut &'a str) -> &'a str {
    *rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    word
}

fn eat(rest: &mut &str, expected: char) -> Option<()> {
    *rest = rest.trim_start().strip_prefix(expected)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::type_name;

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "bool",
            "int64",
            "uint8",
            "float32",
            "decimal(18, 2)",
            "decimal(50, 10)",
            "string",
            "date",
            "timestamp[us]",
            "timestamp[ms, UTC]",
            "timestamp[ns, +02:00]",
            "list<list<int64>>",
            "struct<a: int64, b: struct<c: list<string>>>",
        ] {
            let read = parse_type(text).unwrap();
            assert_eq!(type_name(&read), text);
        }
    }

    #[test]
    fn mistakes_are_not_guessed_at() {
        for text in [
            "",
            "int65",
            "decimal",
            "decimal(0)",
            "decimal(10, 11)",
            "timestamp[h]",
            "timestamp[us, Nowhere]",
            "list<int64",
            "struct<>",
            "struct<a: int64, a: int64>",
            "int64 x",
        ] {
            assert_eq!(parse_type(text), None, "{text}");
        }
        assert_eq!(parse_type(&"list<".repeat(100_000)), None);
    }
}
