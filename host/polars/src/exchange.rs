//! Columns from Arrow to Polars and back, over Arrow's C data interface: what is handed over are
//! pointers to the same buffers. The only unsafe code of this crate.

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use arrow_array::{ArrayRef, make_array};
use arrow_schema::{ArrowError, Field};
use polars::error::PolarsError;
use polars::prelude::{CompatLevel, DataType, PlSmallStr, Series};
use polars_arrow::ffi;

/// Why a column couldn't be handed over.
pub(crate) type Refused = Box<dyn std::error::Error>;

/// A column as Polars sees it.
pub(crate) fn to_polars(name: &str, column: &ArrayRef) -> Result<Series, Refused> {
    let (array, schema) = to_ffi(&column.to_data())?;
    // SAFETY: both sides declare the structs of the C data interface with `repr(C)`, field for
    // field, so one is the other; moved, each is released once, by its new owner.
    let (array, schema) = unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, ffi::ArrowArray>(array),
            std::mem::transmute::<FFI_ArrowSchema, ffi::ArrowSchema>(schema),
        )
    };
    // SAFETY: the schema was made by `to_ffi`, which makes valid ones.
    let field = unsafe { ffi::import_field_from_c(&schema)? };
    // SAFETY: the array was made by `to_ffi` together with the schema whose type is given.
    let array = unsafe { ffi::import_array_from_c(array, field.dtype)? };
    Ok(Series::try_from((PlSmallStr::from(name), array))?)
}

/// A column of Polars as Arrow sees it: strings and bytes as views.
pub(crate) fn to_arrow(series: &Series) -> Result<ArrayRef, Refused> {
    let field = series.field().to_arrow(CompatLevel::newest());
    let series = series.rechunk();
    let array = ffi::export_array_to_c(series.to_arrow(0, CompatLevel::newest()));
    // SAFETY: see `to_polars`: the same structs by another name, moved.
    let array = unsafe { std::mem::transmute::<ffi::ArrowArray, FFI_ArrowArray>(array) };
    let schema = schema(&field);
    // SAFETY: Polars made the array, and the schema from the field of the same series.
    let data = unsafe { from_ffi(array, &schema)? };
    Ok(make_array(data))
}

/// The Arrow type that [`to_arrow`] gives columns of a Polars type.
pub(crate) fn type_of(given: &DataType) -> Result<arrow_schema::DataType, Refused> {
    let unknown = |error: PolarsError| -> Refused { error.into() };
    given.clone().materialize_unknown(false).map_err(unknown)?;
    let field = given.to_arrow_field("".into(), CompatLevel::newest());
    let field: Result<Field, ArrowError> = (&schema(&field)).try_into();
    Ok(field?.data_type().clone())
}

fn schema(field: &polars_arrow::datatypes::Field) -> FFI_ArrowSchema {
    let schema = ffi::export_field_to_c(field);
    // SAFETY: see `to_polars`: the same struct by another name, moved.
    unsafe { std::mem::transmute::<ffi::ArrowSchema, FFI_ArrowSchema>(schema) }
}
