use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_array::{Array as _, ArrayRef, make_array};
use arrow_schema::{ArrowError, DataType};

/// A column of moments in a named zone as one in UTC, where they are the same: Arrow has no table of
/// zones, and shows only what it finds there. Any other column as it is.
pub fn in_utc(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if zone.parse::<Tz>().is_err() => {
            let utc = DataType::Timestamp(*unit, Some("+00:00".into()));
            let data = column.to_data().into_builder().data_type(utc).build()?;
            Ok(make_array(data))
        }
        _ => Ok(Arc::clone(column)),
    }
}
