use std::sync::Arc;

use hygge_sdk::arrow_array::builder::GenericStringBuilder;
use hygge_sdk::arrow_array::cast::AsArray;
use hygge_sdk::arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use hygge_sdk::arrow_array::{
    Array, ArrayRef, GenericStringArray, OffsetSizeTrait, new_null_array,
};
use hygge_sdk::{DataType, Fault, Result, code};

use crate::{Key, Step};

/// A column as it may be seen.
pub(crate) fn mask(column: &ArrayRef, step: &Step) -> Result<ArrayRef> {
    match step {
        Step::Clear => Ok(new_null_array(column.data_type(), column.len())),
        Step::Hash(key) => hash(column, key),
        _ => match column.data_type() {
            DataType::Utf8 => Ok(text::<i32>(column, step)),
            DataType::LargeUtf8 => Ok(text::<i64>(column, step)),
            other => Err(unbound(other)),
        },
    }
}

fn text<O: OffsetSizeTrait>(column: &ArrayRef, step: &Step) -> ArrayRef {
    let texts: &GenericStringArray<O> = column.as_string();
    let mut masked =
        GenericStringBuilder::<O>::with_capacity(texts.len(), texts.value_data().len());
    let mut token = String::new();
    for text in texts {
        match (text, step) {
            (None, _) => masked.append_null(),
            (Some(text), Step::Tokenise(key)) => {
                token.clear();
                key.tokenise(text, &mut token);
                masked.append_value(&token);
            }
            (Some(text), Step::Truncate(keep)) => {
                let end = text
                    .char_indices()
                    .nth(*keep)
                    .map_or(text.len(), |(at, _)| at);
                masked.append_value(&text[..end]);
            }
            (Some(_), Step::Replace(with)) => masked.append_value(with),
            (Some(text), Step::Hash(_) | Step::Clear) => masked.append_value(text),
        }
    }
    Arc::new(masked.finish())
}

/// Whole numbers are hashed as the text that they are written as, so that 42 has one hash whatever
/// the width of its column is.
fn hash(column: &ArrayRef, key: &Key) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8 => hashed::<i32, _>(
            column
                .as_string::<i32>()
                .iter()
                .map(|v| v.map(str::as_bytes)),
            key,
        ),
        DataType::LargeUtf8 => hashed::<i64, _>(
            column
                .as_string::<i64>()
                .iter()
                .map(|v| v.map(str::as_bytes)),
            key,
        ),
        DataType::Binary => hashed::<i32, _>(column.as_binary::<i32>(), key),
        DataType::LargeBinary => hashed::<i64, _>(column.as_binary::<i64>(), key),
        DataType::FixedSizeBinary(_) => hashed::<i32, _>(column.as_fixed_size_binary(), key),
        DataType::Boolean => {
            let word = |value| if value { "true" } else { "false" };
            hashed::<i32, _>(column.as_boolean().iter().map(|v| v.map(word)), key)
        }
        DataType::Int8 => number::<Int8Type>(column, key),
        DataType::Int16 => number::<Int16Type>(column, key),
        DataType::Int32 => number::<Int32Type>(column, key),
        DataType::Int64 => number::<Int64Type>(column, key),
        DataType::UInt8 => number::<UInt8Type>(column, key),
        DataType::UInt16 => number::<UInt16Type>(column, key),
        DataType::UInt32 => number::<UInt32Type>(column, key),
        DataType::UInt64 => number::<UInt64Type>(column, key),
        other => return Err(unbound(other)),
    })
}

fn number<T: ArrowPrimitiveType>(column: &ArrayRef, key: &Key) -> ArrayRef
where
    T::Native: std::fmt::Display,
{
    hashed::<i32, _>(
        column
            .as_primitive::<T>()
            .iter()
            .map(|v| v.map(|v| v.to_string())),
        key,
    )
}

fn hashed<O: OffsetSizeTrait, V: AsRef<[u8]>>(
    values: impl IntoIterator<Item = Option<V>>,
    key: &Key,
) -> ArrayRef {
    let values = values.into_iter();
    let rows = values.size_hint().0;
    let mut all = GenericStringBuilder::<O>::with_capacity(rows, rows * 32);
    for value in values {
        match value {
            None => all.append_null(),
            Some(value) => {
                let hash = key.hash(value.as_ref());
                all.append_value(str::from_utf8(&hash).unwrap_or_default());
            }
        }
    }
    Arc::new(all.finish())
}

fn unbound(kind: &DataType) -> Fault {
    Fault::new(code::PLUGIN, format!("a mask was bound to {kind}"))
}
