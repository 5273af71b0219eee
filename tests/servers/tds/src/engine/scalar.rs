//! What T-SQL's functions on values do.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::Digest as _;

use super::like;
use crate::fault::SqlError;
use crate::types::convert::{How, convert};
use crate::types::show::show;
use crate::types::{Decimal, Kind, SqlType, Value, clock};

type Arg = (Value, SqlType);

/// Ticks now, in UTC.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let epoch = clock::day_of(1970, 1, 1).unwrap_or_default() * clock::DAY;
    epoch + i64::try_from(since.as_nanos() / 100).unwrap_or_default()
}

fn text(arg: &Arg) -> String {
    match &arg.0 {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => show(other, &arg.1, 0),
    }
}

fn number(arg: &Arg) -> Result<i64, SqlError> {
    match convert(
        arg.0.clone(),
        &arg.1,
        &SqlType::plain(Kind::BigInt),
        0,
        How::Cast,
    )? {
        Value::Int(number) => Ok(number),
        _ => Ok(0),
    }
}

fn float(arg: &Arg) -> Result<f64, SqlError> {
    match convert(
        arg.0.clone(),
        &arg.1,
        &SqlType::plain(Kind::Float),
        0,
        How::Cast,
    )? {
        Value::Float(number) => Ok(number),
        _ => Ok(0.0),
    }
}

fn size(number: i64) -> usize {
    usize::try_from(number.max(0)).unwrap_or(usize::MAX)
}

fn moment(arg: &Arg) -> Result<i64, SqlError> {
    match convert(
        arg.0.clone(),
        &arg.1,
        &SqlType::plain(Kind::DateTime2),
        0,
        How::Cast,
    )? {
        Value::Moment(ticks) => Ok(ticks),
        _ => Ok(0),
    }
}

/// Functions that answer something even where they are given NULL.
const TAKE_NULL: [&str; 5] = ["concat", "concat_ws", "try_cast", "eomonth", "rand"];

pub(crate) fn call(name: &str, args: &[Arg], result: &SqlType) -> Result<Value, SqlError> {
    let optional = name == "like" && args.get(2).is_some_and(|(value, _)| value.is_null());
    let given = if optional { &args[..2] } else { args };
    if !TAKE_NULL.contains(&name) && given.iter().any(|(value, _)| value.is_null()) {
        return Ok(Value::Null);
    }
    let value = evaluate(name, given, result)?;
    match &value {
        Value::Text(_) if result.is_text() => {
            convert(value, &SqlType::nvarchar(8000), result, 0, How::Cast)
        }
        _ => Ok(value),
    }
}

fn wrong(name: &str) -> SqlError {
    SqlError::new(
        174,
        format!("The {name} function was given another number of arguments than it takes."),
    )
    .class(15)
}

fn evaluate(name: &str, args: &[Arg], result: &SqlType) -> Result<Value, SqlError> {
    let say = |text: String| Ok(Value::Text(text.into_bytes()));
    Ok(match (name, args) {
        ("cast", [(value, from), (style, _)]) => {
            convert(value.clone(), from, result, style_of(style), How::Cast)?
        }
        ("try_cast", [(value, from), (style, _)]) => {
            match convert(value.clone(), from, result, style_of(style), How::Cast) {
                Err(error) if error.number == 529 => return Err(error),
                Err(_) => Value::Null,
                Ok(value) => value,
            }
        }
        ("+" | "-" | "*" | "/" | "%", [left, right]) => arithmetic(name, left, right, result)?,
        ("neg", [(Value::Decimal(number), _)]) => {
            Value::Decimal(Decimal::new(-number.unscaled, number.scale))
        }
        ("concat_bytes", [(Value::Bytes(left), _), (Value::Bytes(right), _)]) => {
            Value::Bytes([left.as_slice(), right].concat())
        }
        ("like", [value, pattern]) => Value::bit(like::matches(
            &text(value),
            &text(pattern),
            None,
            value.1.collation.comparison(),
        )),
        ("like", [value, pattern, escape]) => Value::bit(like::matches(
            &text(value),
            &text(pattern),
            text(escape).chars().next(),
            value.1.collation.comparison(),
        )),
        ("len", [value]) => Value::Int(
            i64::try_from(text(value).trim_end_matches(' ').encode_utf16().count())
                .unwrap_or(i64::MAX),
        ),
        ("datalength", [(value, ty)]) => Value::Int(
            i64::try_from(crate::types::value::data(ty, value)?.len()).unwrap_or(i64::MAX),
        ),
        ("upper", [value]) => return say(text(value).to_uppercase()),
        ("lower", [value]) => return say(text(value).to_lowercase()),
        ("ltrim", [value]) => return say(text(value).trim_start_matches(' ').to_owned()),
        ("rtrim", [value]) => return say(text(value).trim_end_matches(' ').to_owned()),
        ("trim", [value]) => return say(text(value).trim_matches(' ').to_owned()),
        ("left", [value, count]) => {
            return say(text(value).chars().take(size(number(count)?)).collect());
        }
        ("right", [value, count]) => {
            let all: Vec<char> = text(value).chars().collect();
            return say(all[all.len().saturating_sub(size(number(count)?))..]
                .iter()
                .collect());
        }
        ("substring", [(Value::Bytes(bytes), _), start, length]) => {
            let (from, to) = window(number(start)?, number(length)?, bytes.len())?;
            Value::Bytes(bytes[from..to].to_vec())
        }
        ("substring", [value, start, length]) => {
            let all: Vec<char> = text(value).chars().collect();
            let (from, to) = window(number(start)?, number(length)?, all.len())?;
            return say(all[from..to].iter().collect());
        }
        ("replace", [value, what, by]) => {
            let what = text(what);
            return say(if what.is_empty() {
                text(value)
            } else {
                text(value).replace(&what, &text(by))
            });
        }
        ("reverse", [value]) => return say(text(value).chars().rev().collect()),
        ("replicate", [value, count]) => {
            return say(text(value).repeat(size(number(count)?).min(200_000_000)));
        }
        ("space", [count]) => return say(" ".repeat(size(number(count)?).min(8000))),
        ("stuff", [value, start, length, by]) => {
            let all: Vec<char> = text(value).chars().collect();
            let (from, to) = window(number(start)?, number(length)?, all.len())?;
            return say(all[..from]
                .iter()
                .copied()
                .chain(text(by).chars())
                .chain(all[to..].iter().copied())
                .collect());
        }
        ("charindex", [what, value, rest @ ..]) => {
            let (what, value) = (text(what).to_lowercase(), text(value).to_lowercase());
            let skip = rest.first().map_or(Ok(0), number)?.saturating_sub(1);
            let from: usize = value.chars().take(size(skip)).map(char::len_utf8).sum();
            Value::Int(value[from..].find(&what).map_or(0, |at| {
                i64::try_from(value[..from + at].chars().count() + 1).unwrap_or_default()
            }))
        }
        ("concat", args) => return say(args.iter().map(text).collect()),
        ("concat_ws", [separator, rest @ ..]) => {
            let parts: Vec<String> = rest
                .iter()
                .filter(|(value, _)| !value.is_null())
                .map(text)
                .collect();
            return say(parts.join(&text(separator)));
        }
        ("char" | "nchar", [code]) => {
            match u32::try_from(number(code)?).ok().and_then(char::from_u32) {
                Some(char) => return say(char.to_string()),
                None => Value::Null,
            }
        }
        ("ascii" | "unicode", [value]) => text(value)
            .chars()
            .next()
            .map_or(Value::Null, |char| Value::Int(i64::from(u32::from(char)))),
        ("quotename", [value, rest @ ..]) => {
            let quote = rest.first().map_or_else(|| "[".to_owned(), text);
            let text = text(value);
            return say(match quote.as_str() {
                "'" => format!("'{}'", text.replace('\'', "''")),
                "\"" => format!("\"{}\"", text.replace('"', "\"\"")),
                _ => crate::sql::names::quoted(&text),
            });
        }
        ("parsename", [value, which]) => {
            let Some(parts) = crate::sql::names::parse(&text(value)) else {
                return Ok(Value::Null);
            };
            match number(which)? {
                1 => Value::text(parts.name),
                2 => parts.schema.map_or(Value::Null, Value::text),
                3 => parts.database.map_or(Value::Null, Value::text),
                _ => Value::Null,
            }
        }
        ("isnumeric", [value]) => Value::bit(text(value).trim().parse::<f64>().is_ok()),
        ("isdate", [value]) => Value::bit(clock::parse(&text(value)).is_some()),
        (
            "abs" | "sign" | "ceiling" | "floor" | "sqrt" | "exp" | "log" | "log10" | "round"
            | "power",
            _,
        ) => return maths(name, args, result),
        ("year", [value]) => Value::Int(clock::date_of(moment(value)?.div_euclid(clock::DAY)).0),
        ("month", [value]) => Value::Int(clock::date_of(moment(value)?.div_euclid(clock::DAY)).1),
        ("day", [value]) => Value::Int(clock::date_of(moment(value)?.div_euclid(clock::DAY)).2),
        ("datepart", [part, value]) => Value::Int(super::dates::part(&text(part), moment(value)?)?),
        ("datename", [part, value]) => {
            return say(super::dates::part(&text(part), moment(value)?)?.to_string());
        }
        ("dateadd", [part, count, value]) => {
            super::dates::add(&text(part), number(count)?, value, result)?
        }
        ("datediff" | "datediff_big", [part, from, to]) => Value::Int(super::dates::difference(
            &text(part),
            moment(from)?,
            moment(to)?,
        )?),
        ("eomonth", [value]) if !value.0.is_null() => {
            let (year, month, _) = clock::date_of(moment(value)?.div_euclid(clock::DAY));
            Value::Date(clock::day_of(year, month, clock::days_in(year, month)).unwrap_or_default())
        }
        ("eomonth", [_]) => Value::Null,
        ("datefromparts", [year, month, day]) => {
            let day = clock::day_of(number(year)?, number(month)?, number(day)?);
            Value::Date(day.ok_or_else(|| SqlError::new(289, "Cannot construct data type date, some of the arguments have values which are not valid."))?)
        }
        ("getdate" | "getutcdate", []) => Value::Moment(clock::round_datetime(now())),
        ("sysdatetime" | "sysutcdatetime", []) => Value::Moment(now()),
        ("sysdatetimeoffset", []) => Value::Offset(now(), 0),
        ("at_time_zone", [value, zone]) if text(zone).eq_ignore_ascii_case("utc") => match &value.0
        {
            Value::Offset(utc, _) => Value::Offset(*utc, 0),
            _ => Value::Offset(moment(value)?, 0),
        },
        ("switchoffset", [(Value::Offset(utc, _), _), zone]) => {
            Value::Offset(*utc, super::dates::offset(&text(zone))?)
        }
        ("todatetimeoffset", [value, zone]) => {
            let minutes = super::dates::offset(&text(zone))?;
            Value::Offset(moment(value)? - i64::from(minutes) * clock::MINUTE, minutes)
        }
        ("newid" | "newsequentialid", []) => Value::Guid(new_guid()),
        ("rand", _) => Value::Float(rand::random::<f64>()),
        ("hashbytes", [algorithm, (value, ty)]) => {
            let data = crate::types::value::data(ty, value)?;
            match text(algorithm).to_lowercase().as_str() {
                "sha2_256" => Value::Bytes(sha2::Sha256::digest(&data).to_vec()),
                "sha2_512" => Value::Bytes(sha2::Sha512::digest(&data).to_vec()),
                other => return Err(SqlError::unknown(format!("HASHBYTES('{other}', ...)"))),
            }
        }
        ("sql_variant_property", [(value, _), property]) => {
            let Value::Variant(inner) = value else {
                return Ok(Value::Null);
            };
            let (ty, number) = match text(property).to_lowercase().as_str() {
                "basetype" => (SqlType::nvarchar(128), Value::text(inner.0.name())),
                "precision" => (
                    SqlType::plain(Kind::Int),
                    Value::Int(i64::from(inner.0.precision)),
                ),
                "scale" => (
                    SqlType::plain(Kind::Int),
                    Value::Int(i64::from(inner.0.scale)),
                ),
                _ => return Ok(Value::Null),
            };
            Value::Variant(Box::new((ty, number)))
        }
        _ => return Err(wrong(name)),
    })
}

/// A new guid of version 4.
pub(crate) fn new_guid() -> [u8; 16] {
    let mut bytes: [u8; 16] = rand::random();
    bytes[7] = (bytes[7] & 0x0F) | 0x40;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    bytes
}

fn style_of(value: &Value) -> i64 {
    match value {
        Value::Int(style) => *style,
        _ => 0,
    }
}

/// From a start counted from 1 and a length to a range.
fn window(start: i64, length: i64, count: usize) -> Result<(usize, usize), SqlError> {
    if length < 0 {
        return Err(SqlError::new(
            537,
            "Invalid length parameter passed to the LEFT or SUBSTRING function.",
        ));
    }
    let end = start.saturating_add(length).saturating_sub(1);
    let from = size(start - 1).min(count);
    Ok((from, size(end).clamp(from, count)))
}

fn arithmetic(op: &str, left: &Arg, right: &Arg, result: &SqlType) -> Result<Value, SqlError> {
    let divided = || SqlError::new(8134, "Divide by zero error encountered.");
    let overflow = || {
        SqlError::new(
            8115,
            format!(
                "Arithmetic overflow error converting expression to data type {}.",
                result.name()
            ),
        )
        .state(2)
    };
    match (&left.0, &right.0) {
        (Value::Int(a), Value::Int(b)) => {
            if *b == 0 {
                return Err(divided());
            }
            Ok(Value::Int(if op == "/" {
                a.checked_div(*b).ok_or_else(overflow)?
            } else {
                a.checked_rem(*b).unwrap_or(0)
            }))
        }
        (Value::Decimal(a), Value::Decimal(b)) => exact(op, *a, *b, result),
        _ => {
            let (a, b) = (float(left)?, float(right)?);
            if b == 0.0 {
                return Err(divided());
            }
            let answer = if op == "/" { a / b } else { a % b };
            #[expect(clippy::cast_possible_truncation, reason = "both sides were real")]
            let real = answer as f32;
            Ok(if result.kind == Kind::Real {
                Value::Real(real)
            } else {
                Value::Float(answer)
            })
        }
    }
}

fn exact(op: &str, a: Decimal, b: Decimal, result: &SqlType) -> Result<Value, SqlError> {
    let overflow = || {
        SqlError::new(
            8115,
            format!(
                "Arithmetic overflow error converting expression to data type {}.",
                result.name()
            ),
        )
        .state(2)
    };
    let scale = a.scale.max(b.scale);
    let both = || Some((a.rescale(scale)?.unscaled, b.rescale(scale)?.unscaled));
    let number = match op {
        "+" | "-" => both()
            .and_then(|(a, b)| {
                if op == "+" {
                    a.checked_add(b)
                } else {
                    a.checked_sub(b)
                }
            })
            .map(|unscaled| Decimal::new(unscaled, scale)),
        "*" => a
            .unscaled
            .checked_mul(b.unscaled)
            .map(|unscaled| Decimal::new(unscaled, a.scale + b.scale)),
        _ if b.unscaled == 0 => {
            return Err(SqlError::new(8134, "Divide by zero error encountered."));
        }
        "%" => both().map(|(a, b)| Decimal::new(a % b, scale)),
        _ => {
            // One digit more than asked for, so that the last is rounded; then long division.
            let shift = u32::from(result.scale) + u32::from(b.scale);
            let shift = shift.checked_sub(u32::from(a.scale)).ok_or_else(overflow)?;
            let top = 10_i128
                .checked_pow(shift)
                .and_then(|by| a.unscaled.checked_mul(by));
            top.map(|top| Decimal::new(top / b.unscaled, result.scale))
        }
    };
    let number = number
        .and_then(|number| number.rescale(result.scale))
        .filter(|number| number.fits(result.precision))
        .ok_or_else(overflow)?;
    Ok(Value::Decimal(number))
}

fn maths(name: &str, args: &[Arg], result: &SqlType) -> Result<Value, SqlError> {
    let first = args.first().ok_or_else(|| wrong(name))?;
    if let (Value::Int(number), "abs" | "sign" | "ceiling" | "floor") = (&first.0, name) {
        return Ok(Value::Int(match name {
            "abs" => number.checked_abs().ok_or_else(|| {
                SqlError::new(
                    8115,
                    "Arithmetic overflow error converting expression to data type int.",
                )
            })?,
            "sign" => number.signum(),
            _ => *number,
        }));
    }
    if let Value::Decimal(number) = &first.0 {
        let by = crate::types::decimal::power(number.scale);
        let made = match (name, args) {
            ("abs", _) => Some(Decimal::new(number.unscaled.abs(), number.scale)),
            ("sign", _) => Decimal::new(number.unscaled.signum(), 0).rescale(result.scale),
            ("ceiling", _) => {
                Decimal::new(-(-number.unscaled).div_euclid(by), 0).rescale(result.scale)
            }
            ("floor", _) => Decimal::new(number.unscaled.div_euclid(by), 0).rescale(result.scale),
            ("round", [_, places]) => {
                let places = u8::try_from(self::number(places)?)
                    .map_err(|_| SqlError::unknown("ROUND to places before the point"))?;
                number
                    .rescale(places.min(number.scale))
                    .and_then(|number| number.rescale(result.scale))
            }
            _ => None,
        };
        if let Some(made) = made {
            return Ok(Value::Decimal(made));
        }
    }
    let x = float(first)?;
    let answer = match (name, args) {
        ("abs", _) => x.abs(),
        ("sign", _) => {
            if x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        ("ceiling", _) => x.ceil(),
        ("floor", _) => x.floor(),
        ("sqrt", _) => x.sqrt(),
        ("exp", _) => x.exp(),
        ("log", [_]) => x.ln(),
        ("log10", _) => x.log10(),
        ("power", [_, exponent]) => x.powf(float(exponent)?),
        ("round", [_, places]) => {
            let by = 10_f64.powi(i32::try_from(number(places)?).unwrap_or(0));
            (x * by).round() / by
        }
        _ => return Err(wrong(name)),
    };
    convert(
        Value::Float(answer),
        &SqlType::plain(Kind::Float),
        result,
        0,
        How::Cast,
    )
}
