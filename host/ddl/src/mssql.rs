//! Types of SQL Server: the Store's own, so that what is generated is what `create: if_missing`
//! would make.

use arrow_schema::{DataType, Field};

use crate::profile::Seen;

pub(crate) fn column_type(field: &Field, seen: Option<&Seen>) -> Result<String, String> {
    hygge_mssql::declared(
        field,
        seen.and_then(|seen| longest(field.data_type(), seen)),
    )
}

fn longest(data_type: &DataType, seen: &Seen) -> Option<u64> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(seen.longest_utf16),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(seen.longest_bytes),
        DataType::Dictionary(_, values) => longest(values, seen),
        _ => None,
    }
}
