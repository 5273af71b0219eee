//! Moments in zones.

use arrow_array::TimestampMillisecondArray;
use arrow_cast::display::array_value_to_string;

use super::*;

/// Half past one at night, two hours east of UTC and five and a half.
fn zones() -> RecordBatch {
    const HALF_PAST: i64 = 1_704_151_800_000;
    let zoned = |zone: &str| {
        let moments = TimestampMillisecondArray::from(vec![HALF_PAST]);
        Arc::new(moments.with_timezone(zone)) as ArrayRef
    };
    batch(vec![
        ("east", zoned("+02:00")),
        ("west", zoned("-0300")),
        ("half", zoned("+05:30")),
        ("utc", zoned("UTC")),
        ("oslo", zoned("Europe/Oslo")),
        (
            "plain",
            Arc::new(TimestampMillisecondArray::from(vec![HALF_PAST])),
        ),
    ])
}

#[test]
fn a_moment_has_the_hours_of_its_zone() {
    let given = zones();
    for (text, value, kind) in [
        ("EXTRACT(HOUR FROM east)", "1", "int32"),
        ("EXTRACT(DAY FROM west)", "1", "int32"),
        (
            "STRFTIME(east, '%Y-%m-%d %H:%M')",
            "2024-01-02 01:30",
            "string",
        ),
        (
            "CAST(west AS VARCHAR)",
            "2024-01-01 20:30:00.000-03:00",
            "string",
        ),
        ("CAST(east AS DATE)", "2024-01-01", "date"),
        ("east", "2024-01-02T01:30:00+02:00", "timestamp[ms, +02:00]"),
        ("west", "2024-01-01T20:30:00-03:00", "timestamp[ms, -03:00]"),
        (
            "east + INTERVAL '1 day'",
            "2024-01-03T01:30:00+02:00",
            "timestamp[ms, +02:00]",
        ),
        ("EXTRACT(HOUR FROM CAST(half AS TIMESTAMP))", "23", "int32"),
        ("EXTRACT(EPOCH FROM half)", "1704151800.0", "float64"),
        // A moment is the same everywhere.
        ("east = west", "true", "bool"),
        ("half > east", "false", "bool"),
        ("oslo - utc", "P0D", "duration[ms]"),
        (
            "CAST(COALESCE(east, utc) AS TIMESTAMP)",
            "2024-01-01T23:30:00",
            "timestamp[us]",
        ),
        ("GREATEST(oslo, west) = utc", "true", "bool"),
        ("utc > DATE '2024-01-01'", "true", "bool"),
    ] {
        let made = derive(text, &given).unwrap();
        assert_eq!(array_value_to_string(&made, 0).unwrap(), value, "{text}");
        assert_eq!(type_name(made.data_type()), kind, "{text}");
    }
    let made = derive("COALESCE(oslo, east)", &given).unwrap();
    assert_eq!(type_name(made.data_type()), "timestamp[ms, UTC]");
    for text in [
        "EXTRACT(HOUR FROM half)",
        "STRFTIME(half, '%Y')",
        "CAST(half AS VARCHAR)",
        "'at ' || half",
        "CONCAT(half, '')",
        "COALESCE(half, 'x')",
        "CASE WHEN half = utc THEN half ELSE 'x' END",
        "half + INTERVAL '1 month'",
    ] {
        let fault = derive(text, &given.slice(0, 0)).unwrap_err();
        let whole = format!(
            "derive can't compute made as `{text}`: column half has a zone whose hours and days can't be \
             read\ntake its UTC: `CAST(… AS TIMESTAMP)`"
        );
        assert_eq!(told(&fault), whole);
    }
    for text in [
        "east = plain",
        "plain - utc",
        "oslo < TIMESTAMP '2024-01-01 10:00:00'",
        "utc IN (TIMESTAMP '2024-01-01 10:00:00')",
    ] {
        let fault = derive(text, &given.slice(0, 0)).unwrap_err();
        let whole = format!(
            "derive can't compute made as `{text}`: a moment has a zone, and one beside it has none\ntake the \
             UTC of the one that has: `CAST(… AS TIMESTAMP)`"
        );
        assert_eq!(told(&fault), whole);
    }
}
