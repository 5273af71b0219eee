//! Types of SQL Server: the Store's own, so that what is generated is what `create: if_missing`
//! would make.

use arrow_schema::{DataType, Field};

use crate::profile::Seen;

pub(crate) fn column_type(field: &Field, seen: Option<&Seen>) -> Result<String, String> {
    let longest = seen.and_then(|seen| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(seen.longest_utf16),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(seen.longest_bytes),
        _ => None,
    });
    hygge_mssql::declared(field, longest)
}
