//! Values as texts.

use super::{Kind, SqlType, Value, clock};

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A guid as it is written: the first three groups little-endian.
pub(crate) fn show_guid(bytes: &[u8; 16]) -> String {
    let b = bytes;
    format!(
        "{}-{}-{}-{}-{}",
        hex(&[b[3], b[2], b[1], b[0]]),
        hex(&[b[5], b[4]]),
        hex(&[b[7], b[6]]),
        hex(&b[8..10]),
        hex(&b[10..])
    )
}

pub(crate) fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim().trim_start_matches('{');
    let text = text.get(..36)?;
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let bytes = parse_hex(&groups.concat())?;
    let b: [u8; 16] = bytes.try_into().ok()?;
    Some([
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
        b[14], b[15],
    ])
}

pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok())
        .collect()
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// What a value says as a text.
pub(crate) fn show(value: &Value, from: &SqlType, style: i64) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) if from.is_money() => number
            .rescale(if style == 2 { 4 } else { 2 })
            .unwrap_or(*number)
            .to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Float(number) => show_float(*number, style),
        Value::Real(number) => show_float(f64::from(*number), style),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Bytes(bytes) => format!("0x{}", hex(bytes)),
        Value::Date(day) => match style {
            112 => clock::show_date(*day).replace('-', ""),
            _ => clock::show_date(*day),
        },
        Value::Time(ticks) => clock::show_time(*ticks, from.scale),
        Value::Moment(ticks) => show_moment(*ticks, from, style),
        Value::Offset(utc, minutes) => {
            let local = utc + i64::from(*minutes) * clock::MINUTE;
            let separator = if matches!(style, 126 | 127) { 'T' } else { ' ' };
            let space = if separator == 'T' { "" } else { " " };
            format!(
                "{}{separator}{}{space}{}",
                clock::show_date(local.div_euclid(clock::DAY)),
                clock::show_time(local, from.scale),
                clock::show_offset(i64::from(*minutes))
            )
        }
        Value::Guid(bytes) => show_guid(bytes),
        Value::Variant(inner) => show(&inner.1, &inner.0, style),
    }
}

pub(super) fn show_float(number: f64, style: i64) -> String {
    if style == 3 || style == 2 {
        return format!("{number:e}");
    }
    // Six digits, as SQL Server has it by default.
    let magnitude = number.abs();
    if number == 0.0 {
        return "0".to_owned();
    }
    if !(1e-5..1e6).contains(&magnitude) {
        let text = format!("{number:.5e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        let (sign, digits) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>3}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10"
    )]
    let places = (5.0 - magnitude.log10().floor()).max(0.0) as usize;
    let text = format!("{number:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

pub(super) fn show_moment(ticks: i64, from: &SqlType, style: i64) -> String {
    let day = ticks.div_euclid(clock::DAY);
    let date = clock::show_date(day);
    let scale = match from.kind {
        Kind::DateTime => 3,
        Kind::SmallDateTime => 0,
        _ => from.scale,
    };
    match style {
        23 => date,
        112 => date.replace('-', ""),
        126 | 127 => format!(
            "{date}T{}",
            clock::show_time(ticks, if ticks % clock::SECOND == 0 { 0 } else { scale })
        ),
        120 | 20 => format!("{date} {}", clock::show_time(ticks, 0)),
        121 | 21 | 25 => format!(
            "{date} {}",
            clock::show_time(
                ticks,
                if from.kind == Kind::SmallDateTime {
                    3
                } else {
                    scale
                }
            )
        ),
        _ if from.kind == Kind::DateTime2 => format!("{date} {}", clock::show_time(ticks, scale)),
        _ => {
            let (year, month, day) = clock::date_of(day);
            let month = usize::try_from(month)
                .ok()
                .and_then(|month| MONTHS.get(month - 1))
                .copied()
                .unwrap_or_default();
            let (hour, minute) = (
                ticks.rem_euclid(clock::DAY) / (60 * clock::MINUTE),
                ticks / clock::MINUTE % 60,
            );
            let (shown, half) = (
                if hour % 12 == 0 { 12 } else { hour % 12 },
                if hour < 12 { "AM" } else { "PM" },
            );
            format!("{month} {day:2} {year} {shown:2}:{minute:02}{half}")
        }
    }
}
