//! Columns that stand in the names of folders: `year=2013/month=1/part.parquet`.
//!
//! Writers that partition often leave the column out of the files, so whoever reads the folder
//! expects it back. A column that is in a file as well is taken from the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, UInt64Array};
use arrow_schema::{DataType, Schema};
use hygge_core::{Fault, Result, code, type_name};

use super::list;
use super::read::csv::{Candidates, one_value};

/// How Hive names the folder of NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns in a file's path, below the part that the settings fix; `None` is NULL.
pub(crate) fn columns(path: &Path, base: &Path) -> Vec<(String, Option<String>)> {
    let Some(folders) = path.strip_prefix(base).ok().and_then(Path::parent) else {
        return Vec::new();
    };
    folders
        .iter()
        .filter_map(|folder| {
            let (column, value) = folder.to_str()?.split_once('=')?;
            let value = (value != NULL).then(|| unescape(value));
            (!column.is_empty()).then(|| (unescape(column), value))
        })
        .collect()
}

/// The folder below which partition folders are looked for.
pub(crate) fn base(root: &Path, path: &str) -> PathBuf {
    let whole = root.join(path);
    if list::is_glob(path) && !whole.exists() {
        return list::base(root, path);
    }
    if whole.is_dir() {
        return whole;
    }
    whole.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// `%2F` as the byte it stands for; text that isn't UTF-8 then stays as it is.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Gathers the partition columns of all files, and what their values look like.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    columns: Vec<(String, Candidates)>,
}

impl Seen {
    pub(crate) fn add(&mut self, columns: Vec<(String, Option<String>)>) {
        for (name, value) in columns {
            let index = match self.columns.iter().position(|(n, _)| *n == name) {
                Some(index) => index,
                None => {
                    self.columns.push((name, Candidates::default()));
                    self.columns.len() - 1
                }
            };
            if let Some(value) = value {
                self.columns[index].1.see(&value);
            }
        }
    }

    /// The columns, with a type that folder names show beyond doubt: whole numbers, dates, text.
    pub(crate) fn types(self) -> impl Iterator<Item = (String, DataType)> {
        self.columns.into_iter().map(|(name, candidates)| {
            let data_type = match candidates.data_type() {
                sure @ (DataType::Int64 | DataType::Date32) => sure,
                _ => DataType::Utf8,
            };
            (name, data_type)
        })
    }
}

/// The values of one file's partition columns, a row each, for the columns it doesn't hold.
pub(crate) fn constants(
    path: &Path,
    base: &Path,
    name: &str,
    file: &Schema,
    plan: &Schema,
) -> Result<HashMap<String, ArrayRef>> {
    let mut constants = HashMap::new();
    for (column, value) in columns(path, base) {
        if file.field_with_name(&column).is_ok() {
            continue;
        }
        let (Ok(field), Some(value)) = (plan.field_with_name(&column), value) else {
            continue;
        };
        let array = one_value(&value, field.data_type()).ok_or_else(|| {
            Fault::new(
                code::SCHEMA,
                format!(
                    "{name}: {value:?} in the folder's name is not of column {column:?}'s type, {}",
                    type_name(field.data_type())
                ),
            )
            .with("file", name)
            .with("column", &column)
        })?;
        constants.insert(column, array);
    }
    Ok(constants)
}

/// A value, as often as there are rows.
pub(crate) fn repeat(value: &ArrayRef, rows: usize) -> Result<ArrayRef, arrow_schema::ArrowError> {
    let first = UInt64Array::from_value(0, rows);
    arrow_select::take::take(value, &first, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_below_the_base_name_columns() {
        let read = |path: &str| columns(Path::new(path), Path::new("/p/in"));
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(
            read("/p/in/y=2013/a%20b=x%2Fy/z=/n=__HIVE_DEFAULT_PARTITION__/f=1.csv"),
            [
                ("y".to_owned(), some("2013")),
                ("a b".to_owned(), some("x/y")),
                ("z".to_owned(), some("")),
                ("n".to_owned(), None),
            ]
        );
        assert_eq!(read("/p/out/y=2013/f.csv"), []);
        assert_eq!(unescape("%zz%4%"), "%zz%4%");
    }
}
