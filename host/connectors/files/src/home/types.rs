//! Type names as people write them in `schema:`, and as they are shown in messages.

use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};

/// What is accepted, for messages.
pub(crate) const NAMES: &str = "bool, int8 to int64, uint8 to uint64, float32, float64, \
    decimal(18, 2), string, binary, date, time, timestamp, timestamp[ms, UTC], list<int64> or \
    struct<a: int64, b: string>";

/// Reads a type name.
pub(crate) fn parse(text: &str) -> Option<DataType> {
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
        (named || offset(zone).is_some())
            .then(|| Arc::from(zone))
            .map(Some)?
    } else {
        None
    };
    eat(rest, ']')?;
    Some(DataType::Timestamp(unit, zone))
}

/// A zone whose distance from UTC is fixed; a named one would need the zones' history.
pub(crate) fn offset(zone: &str) -> Option<Tz> {
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

/// Shows a type the way [`parse`] reads it; types it doesn't read get Arrow's name in lower
/// case.
pub(crate) fn show(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "null".into(),
        DataType::Boolean => "bool".into(),
        DataType::Utf8 | DataType::Utf8View => "string".into(),
        DataType::LargeUtf8 => "large string".into(),
        DataType::Binary | DataType::BinaryView => "binary".into(),
        DataType::LargeBinary => "large binary".into(),
        DataType::FixedSizeBinary(bytes) => format!("binary({bytes})"),
        DataType::Date32 => "date".into(),
        DataType::Date64 => "date64".into(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time[{}]", ticks(*unit)),
        DataType::Timestamp(unit, None) => format!("timestamp[{}]", ticks(*unit)),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp[{}, {zone}]", ticks(*unit)),
        DataType::Duration(unit) => format!("duration[{}]", ticks(*unit)),
        DataType::Interval(IntervalUnit::YearMonth) => "interval[year, month]".into(),
        DataType::Interval(IntervalUnit::DayTime) => "interval[day, time]".into(),
        DataType::Interval(IntervalUnit::MonthDayNano) => "interval[month, day, ns]".into(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => format!("decimal({p}, {s})"),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            format!("list<{}>", show(item.data_type()))
        }
        DataType::FixedSizeList(item, size) => {
            format!("list<{}>[{size}]", show(item.data_type()))
        }
        DataType::Struct(fields) => {
            let inner: Vec<String> = fields
                .iter()
                .map(|f| format!("{}: {}", f.name(), show(f.data_type())))
                .collect();
            format!("struct<{}>", inner.join(", "))
        }
        DataType::Dictionary(_, value) => format!("dictionary<{}>", show(value)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => format!(
                "map<{}, {}>",
                show(pair[0].data_type()),
                show(pair[1].data_type())
            ),
            other => format!("map<{}>", show(other)),
        },
        other => other.to_string().to_ascii_lowercase(),
    }
}

fn ticks(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let read = parse(text).unwrap();
            assert_eq!(show(&read), text);
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
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"list<".repeat(100_000)), None);
    }
}
