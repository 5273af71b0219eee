use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::Lookback;

/// A number of bytes: `268435456`, or `256 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Size(pub(crate) usize);

/// How far to look back: `100`, or `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Amount(pub(crate) Lookback);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Size {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let bytes = match &written {
            Written::Number(bytes) => Some(*bytes),
            Written::Text(text) => bytes(text),
        };
        let Some(bytes) = bytes else {
            return Err("must be a size like 256 MiB, or a number of bytes".into());
        };
        // Pages of 1 MiB are common, and take some times that until they are rows.
        if bytes < 8 * 1024 * 1024 {
            return Err("must be at least 8 MiB".into());
        }
        usize::try_from(bytes)
            .map(Self)
            .map_err(|_| "is more than this machine can address".into())
    }
}

impl TryFrom<Written> for Amount {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let text = match written {
            Written::Number(units) => return Ok(Self(Lookback::Units(units))),
            Written::Text(text) => text,
        };
        if let Ok(units) = text.trim().parse() {
            return Ok(Self(Lookback::Units(units)));
        }
        seconds(&text)
            .map(|seconds| Self(Lookback::Seconds(seconds)))
            .ok_or_else(|| {
                "must be a number in the column's unit, or a duration like 90s, 5m, 2h or 1d".into()
            })
    }
}

/// `256 MiB`, `1.5GB`, `4096`. KB, MB and GB are powers of 1000, KiB, MiB and GiB of 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, "0"));
    let whole: u64 = whole.parse().ok()?;
    let mut bytes = whole.checked_mul(factor)?;
    let digits = u32::try_from(fraction.len()).ok().filter(|n| *n <= 6)?;
    let fraction: u64 = fraction.parse().ok()?;
    bytes = bytes.checked_add(fraction.checked_mul(factor)? / 10_u64.pow(digits))?;
    Some(bytes)
}

/// `90s`, `5m`, `1h30m`, `2 days`.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor = match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(factor)?;
        total = total.checked_add(part)?;
        rest = after.trim_start();
    }
    (total > 0 || text.trim().starts_with('0')).then_some(total)
}

macro_rules! number_or_text {
    ($name:ident, $description:literal, $example:literal) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $description,
                    "type": ["integer", "string"],
                    "minimum": 0,
                    "examples": [$example],
                })
            }
        }
    };
}

number_or_text!(
    Size,
    "A number of bytes, or a size with its unit.",
    "256 MiB"
);
number_or_text!(
    Amount,
    "A number in the column's unit, or a duration.",
    "5m"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes("256 MiB"), Some(256 << 20));
        assert_eq!(bytes("1.5GB"), Some(1_500_000_000));
        assert_eq!(bytes("4_096"), Some(4096));
        assert_eq!(bytes("1 Mb"), Some(1_000_000));
        for wrong in [
            "",
            "MiB",
            "1 parsec",
            "1.",
            "-1",
            "99999999999 GiB",
            "1.2.3",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1h30m"), Some(5_400));
        assert_eq!(seconds("2 days"), Some(172_800));
        assert_eq!(seconds("0s"), Some(0));
        for wrong in ["", "m", "5", "5x", "-5m", "5m3"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
