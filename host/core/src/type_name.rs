use arrow_schema::{DataType, IntervalUnit, TimeUnit};

/// A type as people write it in settings and read it in messages: `timestamp[us, UTC]`,
/// `decimal(18, 4)`. Types without a short name get Arrow's in lower case.
pub fn type_name(data_type: &DataType) -> String {
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
            format!("list<{}>", type_name(item.data_type()))
        }
        DataType::FixedSizeList(item, size) => {
            format!("list<{}>[{size}]", type_name(item.data_type()))
        }
        DataType::Struct(fields) => {
            let inner: Vec<String> = fields
                .iter()
                .map(|f| format!("{}: {}", f.name(), type_name(f.data_type())))
                .collect();
            format!("struct<{}>", inner.join(", "))
        }
        DataType::Dictionary(_, value) => format!("dictionary<{}>", type_name(value)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => format!(
                "map<{}, {}>",
                type_name(pair[0].data_type()),
                type_name(pair[1].data_type())
            ),
            other => format!("map<{}>", type_name(other)),
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
