//! The columns of files that join others.
//!
//! Many readers take a folder's columns and types from its first file. So new files get the types
//! of those that stand where these hold every new value, NULLs in columns that rows no longer
//! have, and in CSV the order of columns that stands; what can't be brought in line is said.

use hygge_core::type_name;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use crate::config::Format;
use crate::parquet::declared_field;

/// The columns to write: `coming` brought in line with `joined`, which holds them and those that
/// stand, the latter first.
pub(super) fn columns(joined: &SchemaRef, coming: &SchemaRef, format: Format) -> SchemaRef {
    let stands = |field: &FieldRef| match format {
        // The encoder brings rows to what a file declares.
        Format::Parquet => declared_field(field),
        _ => Arc::clone(field),
    };
    let brought = |field: &FieldRef| {
        let wanted = joined.field_with_name(field.name());
        match wanted {
            // Text has its values' form, not that of a type.
            Ok(wanted) if !format.is_text() && wanted.data_type() != stands(field).data_type() => {
                let data_type = wanted.data_type().clone();
                Arc::new(Field::clone(field).with_data_type(data_type))
            }
            _ => Arc::clone(field),
        }
    };
    let gone = |field: &FieldRef| Arc::new(Field::clone(field).with_nullable(true));
    let comes = |field: &&FieldRef| coming.field_with_name(field.name()).is_ok();
    let fields: Vec<FieldRef> = if format == Format::Csv {
        joined
            .fields()
            .iter()
            .map(|field| match coming.column_with_name(field.name()) {
                Some((at, _)) => brought(&coming.fields()[at]),
                None => gone(field),
            })
            .collect()
    } else {
        let rest = joined.fields().iter().filter(|field| !comes(field));
        let coming = coming.fields().iter().map(brought);
        coming.chain(rest.map(gone)).collect()
    };
    let metadata = coming.metadata().clone();
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// What readers that look at the first file only will not see, or not as it is.
pub(super) fn warning(standing: &SchemaRef, joined: &SchemaRef, at: &str) -> Option<String> {
    let said: Vec<String> = joined
        .fields()
        .iter()
        .filter_map(|field| match standing.field_with_name(field.name()) {
            Err(_) => Some(format!("column {:?} is new", field.name())),
            Ok(old) if plain(old.data_type()) != plain(field.data_type()) => Some(format!(
                "column {:?} becomes {}, from {}",
                field.name(),
                type_name(field.data_type()),
                type_name(old.data_type())
            )),
            Ok(_) => None,
        })
        .collect();
    (!said.is_empty()).then(|| {
        format!(
            "{}: earlier files in {at} stay as they are, and some readers take a folder's columns \
             from one file; `--full` writes all anew",
            said.join(", ")
        )
    })
}

/// The columns that stand and that rows no longer have.
pub(super) fn missing(standing: &SchemaRef, coming: &SchemaRef) -> Option<String> {
    let gone = standing.fields().iter().map(|field| field.name());
    let gone: Vec<String> = gone
        .filter(|name| coming.field_with_name(name).is_err())
        .map(|name| format!("{name:?}"))
        .collect();
    (!gone.is_empty()).then(|| {
        format!(
            "the source has no column {}: new rows have NULL there",
            gone.join(", ")
        )
    })
}

/// The type without what only says how it lies in memory.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}
