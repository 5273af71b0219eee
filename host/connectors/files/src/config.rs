//! What Home and Store settings share.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Text with a delimiter between values and a line for each row (RFC 4180 and its kin).
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Arrow IPC, the file or the stream form.
    Arrow,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Parquet, Self::Csv, Self::Ndjson, Self::Arrow];

    /// The name in `format:` and `type:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
        }
    }

    /// The format of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Name endings of its files, without the dot. The first one is what hygge writes.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Parquet => &["parquet", "parq", "pq"],
            Self::Csv => &["csv", "tsv"],
            Self::Ndjson => &["ndjson", "jsonl", "json"],
            Self::Arrow => &["arrow", "arrows", "ipc", "feather"],
        }
    }

    /// The format that a file's name stands for; `.gz` and `.zst` behind a text format's ending
    /// are looked through.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let plain = ["gz", "zst"]
            .iter()
            .find_map(|c| name.strip_suffix(c)?.strip_suffix('.'));
        let (_, ending) = plain.unwrap_or(&name).rsplit_once('.')?;
        let format = Self::ALL
            .into_iter()
            .find(|format| format.extensions().contains(&ending))?;
        (plain.is_none() || format.is_text()).then_some(format)
    }

    /// Whether its files are text, and may be compressed as a whole.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Ndjson)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How CSV text is laid out; shared by Home and Store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// Between two values.
    pub delimiter: u8,
    /// Around a value that holds delimiters, quotes or line ends; none to take quotes as text.
    pub quote: Option<u8>,
    /// Before a quote within a quoted value; without one such a quote is doubled.
    pub escape: Option<u8>,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Unquoted values that mean NULL. A quoted value is never NULL.
    pub null_values: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            header: true,
            null_values: vec![String::new()],
        }
    }
}

/// A number of bytes: `268435456`, `256 MiB`, `1.5GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Reads `256 MiB`: a number, then B, KB, MB, GB, TB (powers of 1,000) or KiB, MiB, GiB,
    /// TiB (powers of 1,024), in any case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = text
            .find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: f64 = number
            .replace('_', "")
            .parse()
            .map_err(|_| format!("{text:?} is not a number of bytes, such as 256 MiB"))?;
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            other => {
                return Err(format!(
                    "unknown unit {other:?} in {text:?}; use KiB, MiB, GiB or KB, MB, GB"
                ));
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "a factor is exact as a float")]
        let bytes = number * factor as f64;
        if bytes >= 9e18 {
            return Err(format!("{text:?} is too large"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and below 9e18"
        )]
        let whole = bytes as u64;
        Ok(Self(whole))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(deserializer) {
            Ok(Either::Number(bytes)) => Ok(Self(bytes)),
            Ok(Either::Text(text)) => Self::parse(&text).map_err(D::Error::custom),
            Err(_) => Err(D::Error::custom(
                "expected a number of bytes, such as 256 MiB",
            )),
        }
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*([kKmMgGtT]?[iI]?[bB])?\s*$",
            "x-form": "a number of bytes, such as 256 MiB",
        })
    }
}

/// One ASCII character, or its name.
pub(crate) fn character(text: &str) -> Result<u8, String> {
    let byte = match text {
        "tab" | "\\t" => b'\t',
        "comma" => b',',
        "semicolon" => b';',
        "pipe" => b'|',
        "space" => b' ',
        other => match other.as_bytes() {
            [one] if one.is_ascii() => *one,
            _ => return Err(format!("{text:?} is not a single ASCII character")),
        },
    };
    if byte == b'\n' || byte == b'\r' {
        return Err("a line end can't be used here".into());
    }
    Ok(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_format() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("a/b.parquet"), Some(Format::Parquet));
        assert_eq!(of("a.CSV.GZ"), Some(Format::Csv));
        assert_eq!(of("a.jsonl.zst"), Some(Format::Ndjson));
        assert_eq!(of("a.parquet.gz"), None);
        assert_eq!(of("README"), None);
    }

    #[test]
    fn bytes_read_as_people_write_them() {
        assert_eq!(Bytes::parse("256 MiB"), Ok(Bytes(256 << 20)));
        assert_eq!(Bytes::parse("1.5kb"), Ok(Bytes(1_500)));
        assert_eq!(Bytes::parse("10_000"), Ok(Bytes(10_000)));
        assert!(Bytes::parse("1 fortnight").is_err());
        assert!(Bytes::parse("9999999999 GiB").is_err());
    }
}
