//! Text and bytes as cells.

use mssql_tds::datatypes::sql_string::encode_narrow;
use mssql_tds::token::tokens::SqlCollation;

use super::{Cell, Fit, Wrong};
use crate::types::{Length, SqlType};

/// `column` is the destination's own type, for messages; staged is its longer kin.
pub(super) fn text<'a>(
    get: impl Fn(usize) -> &'a str + 'a,
    (to, column): (SqlType, SqlType),
    collation: Option<SqlCollation>,
    clip: bool,
) -> Option<Cell<'a>> {
    match to {
        SqlType::NVarChar(length) => Some(Box::new(move |row, into| {
            // Half of a surrogate pair would be no text.
            let whole = |value: &[u8]| match value.last() {
                Some(0xD8..=0xDB) => value.len() - 2,
                _ => value.len(),
            };
            let cut = clip.then_some(|value: &[u8], most: usize| whole(&value[..most]));
            let long = |n| too_long(&excerpt(get(row)), n, "characters", column);
            spans(length, 2, long, into, cut, |into| {
                let text = get(row);
                into.reserve(text.len() * 2);
                if text.is_ascii() {
                    into.extend(text.bytes().flat_map(|byte| [byte, 0]));
                } else {
                    into.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
                }
                Ok(())
            })
        })),
        SqlType::VarChar(length) => {
            let collation = collation?;
            Some(Box::new(move |row, into| {
                // A character may take several bytes.
                let cut = clip
                    .then_some(|_: &[u8], most: usize| narrow_within(get(row), most, collation));
                let long = |n| too_long(&excerpt(get(row)), n, "bytes", column);
                spans(length, 1, long, into, cut, |into| {
                    let text = get(row);
                    if text.is_ascii() {
                        into.extend_from_slice(text.as_bytes());
                        return Ok(());
                    }
                    let narrow = encode_narrow(text, collation);
                    if narrow.had_loss {
                        return Err(format!(
                            "{} has characters that the column's collation has no code for",
                            excerpt(text)
                        ));
                    }
                    into.extend_from_slice(&narrow.bytes);
                    Ok(())
                })
            }))
        }
        SqlType::UniqueIdentifier => Some(Box::new(move |row, into| {
            let text = get(row);
            let Ok(uuid) = tiberius::Uuid::parse_str(text.trim()) else {
                return Err(format!("{} is no uniqueidentifier", excerpt(text)));
            };
            into.push(16);
            into.extend_from_slice(&uuid.to_bytes_le());
            Ok(Fit::Whole)
        })),
        _ => None,
    }
}

pub(super) fn bytes<'a>(
    get: impl Fn(usize) -> &'a [u8] + 'a,
    (to, column): (SqlType, SqlType),
    clip: bool,
) -> Option<Cell<'a>> {
    match to {
        SqlType::VarBinary(length) => Some(Box::new(move |row, into| {
            let cut = clip.then_some(|_: &[u8], most: usize| most);
            let long = |n| too_long(&hex(get(row)), n, "bytes", column);
            spans(length, 1, long, into, cut, |into| {
                into.extend_from_slice(get(row));
                Ok(())
            })
        })),
        // Sixteen bytes in the order of RFC 4122; SQL Server has the first three parts reversed.
        SqlType::UniqueIdentifier => Some(Box::new(move |row, into| {
            let Ok(uuid) = tiberius::Uuid::from_slice(get(row)) else {
                return Err("bytes that aren't the 16 of a uniqueidentifier".to_owned());
            };
            into.push(16);
            into.extend_from_slice(&uuid.to_bytes_le());
            Ok(Fit::Whole)
        })),
        _ => None,
    }
}

/// How many bytes the characters of a text take that find room in so many.
fn narrow_within(text: &str, most: usize, collation: SqlCollation) -> usize {
    let mut bytes = 0;
    for (at, c) in text.char_indices() {
        let narrow = encode_narrow(&text[at..at + c.len_utf8()], collation)
            .bytes
            .len();
        if bytes + narrow > most {
            break;
        }
        bytes += narrow;
    }
    bytes
}

/// Of a value that its column has no room for.
fn too_long(value: &str, length: usize, unit: &str, column: SqlType) -> Wrong {
    format!("{value} has {length} {unit}, which don't fit {column}")
}

/// A value of any length, with its length in front; `unit` bytes are one character. `cut` says how
/// much of one that is too long is kept, at most so many bytes; `long` what is wrong with it.
fn spans(
    length: Length,
    unit: usize,
    long: impl FnOnce(usize) -> Wrong,
    into: &mut Vec<u8>,
    cut: Option<impl FnOnce(&[u8], usize) -> usize>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Wrong>,
) -> Result<Fit, Wrong> {
    let start = into.len();
    let mut fit = Fit::Whole;
    match length {
        Length::Of(most) => {
            into.extend_from_slice(&[0; 2]);
            write(into)?;
            let mut len = into.len() - start - 2;
            let most = usize::from(most) * unit;
            if len > most {
                let Some(cut) = cut else {
                    return Err(long(len / unit));
                };
                len = cut(&into[start + 2..], most);
                into.truncate(start + 2 + len);
                fit = Fit::Clipped;
            }
            let len = u16::try_from(len).map_err(|_| long(len / unit))?;
            into[start..start + 2].copy_from_slice(&len.to_le_bytes());
        }
        // In one chunk, with the length known; [MS-TDS] 2.2.5.2.3.
        Length::Max => {
            into.extend_from_slice(&[0; 12]);
            write(into)?;
            let len = into.len() - start - 12;
            let chunk = i32::try_from(len)
                .map_err(|_| "a value is larger than the 2 GB that SQL Server takes".to_owned())?;
            into[start..start + 8].copy_from_slice(&(len as u64).to_le_bytes());
            into[start + 8..start + 12].copy_from_slice(&chunk.to_le_bytes());
            match len {
                // The end of chunks is itself an empty chunk.
                0 => {}
                _ => into.extend_from_slice(&[0; 4]),
            }
        }
    }
    Ok(fit)
}

/// The first bytes, as SQL Server writes them.
fn hex(bytes: &[u8]) -> String {
    let mut short = String::from("0x");
    for byte in bytes.iter().take(20) {
        short.push_str(&format!("{byte:02X}"));
    }
    if bytes.len() > 20 {
        short.push('…');
    }
    short
}

fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
