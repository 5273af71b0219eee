//! Which Arrow types may cross, and what becomes of the others on the way to a guest.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use hygge_core::{Fault, Result, code};

use crate::limits::{COLUMNS, DEPTH};

/// The schema as a guest sees it: views, dictionaries and run-end encoded columns become plain.
/// Schema metadata doesn't cross.
pub(crate) fn plain_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields: Result<Vec<FieldRef>> = schema
        .fields()
        .iter()
        .map(|field| plain_field(field).map_err(|fault| fault.with("column", field.name())))
        .collect();
    Ok(Arc::new(Schema::new(fields?)))
}

/// The batch in a schema made by [`plain_schema`].
pub(crate) fn plain_batch(batch: &RecordBatch, plain: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(plain.fields())
        .map(
            |(column, field)| match column.data_type() == field.data_type() {
                true => Ok(Arc::clone(column)),
                false => cast(column, field.data_type()),
            },
        )
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Fault::new(code::SCHEMA, error.to_string()))?;
    let rows = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(plain), columns, &rows)
        .map_err(|error| Fault::new(code::SCHEMA, error.to_string()))
}

fn plain_field(field: &FieldRef) -> Result<FieldRef> {
    let plain = plain(field.data_type())?;
    Ok(match &plain == field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(
            Field::new(field.name(), plain, field.is_nullable())
                .with_metadata(field.metadata().clone()),
        ),
    })
}

fn plain(data_type: &DataType) -> Result<DataType> {
    use DataType::{
        Binary, BinaryView, Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView,
        Map, RunEndEncoded, Struct, Utf8, Utf8View,
    };
    Ok(match data_type {
        Utf8View => Utf8,
        BinaryView => Binary,
        Dictionary(_, values) => plain(values)?,
        RunEndEncoded(_, values) => plain(values.data_type())?,
        List(item) | ListView(item) => List(plain_field(item)?),
        LargeList(item) | LargeListView(item) => LargeList(plain_field(item)?),
        FixedSizeList(item, size) => FixedSizeList(plain_field(item)?, *size),
        Map(entries, sorted) => Map(plain_field(entries)?, *sorted),
        Struct(fields) => Struct(fields.iter().map(plain_field).collect::<Result<_>>()?),
        DataType::Union(..) => {
            return Err(Fault::new(
                code::SCHEMA,
                "a column is a union, which plugins can't be given",
            ));
        }
        other => other.clone(),
    })
}

/// Whether a guest may give such a schema; else what is wrong with it.
pub(crate) fn check(schema: &Schema) -> Result<(), String> {
    let mut columns = 0;
    for field in schema.fields() {
        check_field(field, 1, &mut columns)?;
    }
    // After they were counted.
    twice(schema.fields())
}

/// Rows in which a name means two things can be stored, and read by nobody.
fn twice(fields: &Fields) -> Result<(), String> {
    let mut names = HashSet::with_capacity(fields.len());
    match fields.iter().find(|field| !names.insert(field.name())) {
        Some(field) => {
            let name = crate::fault::clean(field.name(), 100);
            Err(format!("two columns {name:?}"))
        }
        None => Ok(()),
    }
}

fn check_field(field: &Field, depth: usize, columns: &mut usize) -> Result<(), String> {
    use DataType::{
        BinaryView, Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView, Map,
        RunEndEncoded, Struct, Union, Utf8View,
    };
    *columns += 1;
    if *columns > COLUMNS {
        return Err(format!("more than {COLUMNS} columns"));
    }
    if depth > DEPTH {
        return Err(format!("columns nested more than {DEPTH} deep"));
    }
    match field.data_type() {
        other @ (Utf8View | BinaryView | Dictionary(..) | RunEndEncoded(..) | ListView(_)
        | LargeListView(_) | Union(..)) => {
            let name = crate::fault::clean(field.name(), 100);
            let kind = crate::fault::clean(&other.to_string(), 100);
            Err(format!(
                "a column of a type that may not cross: {name:?} is {kind}"
            ))
        }
        List(item) | LargeList(item) | FixedSizeList(item, _) | Map(item, _) => {
            check_field(item, depth + 1, columns)
        }
        Struct(fields) => {
            let mut fields_in = fields.iter();
            fields_in.try_for_each(|field| check_field(field, depth + 1, columns))?;
            twice(fields)
        }
        _ => Ok(()),
    }
}

/// Whether the fields are what was announced: names, types, nullability and order. What fields
/// carry as metadata may differ.
pub(crate) fn same(announced: &Schema, given: &Schema) -> Result<(), String> {
    let (announced, given) = (announced.fields(), given.fields());
    if announced.len() != given.len() {
        return Err(format!(
            "{} columns, {} were announced",
            given.len(),
            announced.len()
        ));
    }
    for (announced, given) in announced.iter().zip(given) {
        let same = announced.name() == given.name()
            && announced.is_nullable() == given.is_nullable()
            && announced.data_type().equals_datatype(given.data_type());
        if !same {
            let show = |field: &Field| {
                let null = if field.is_nullable() { "" } else { " not null" };
                crate::fault::clean(
                    &format!("{:?} {}{null}", field.name(), field.data_type()),
                    200,
                )
            };
            return Err(format!(
                "{}, {} was announced",
                show(given),
                show(announced)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, StringViewArray};

    #[test]
    fn what_may_not_cross_becomes_plain() {
        let dictionary: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
        let view = StringViewArray::from(vec!["x", "a text that is longer than twelve", "z"]);
        let batch = RecordBatch::try_from_iter([
            ("d", Arc::new(dictionary) as arrow_array::ArrayRef),
            ("v", Arc::new(view)),
        ])
        .unwrap();
        let plain = plain_schema(&batch.schema()).unwrap();
        assert!(check(&plain).is_ok());
        assert!(check(&batch.schema()).is_err());
        let out = plain_batch(&batch, &plain).unwrap();
        assert_eq!(out.column(0).as_string::<i32>().value(2), "a");
        assert_eq!(out.column(1).as_string::<i32>().value(2), "z");
    }

    #[test]
    fn a_name_stands_for_one_column() {
        let field = |name: &str| Field::new(name, DataType::Int64, true);
        let twice = vec![field("a"), field("b"), field("a")];
        let inner = Field::new("s", DataType::Struct(twice.clone().into()), true);
        for bad in [Schema::new(twice), Schema::new(vec![inner.clone()])] {
            assert_eq!(check(&bad).unwrap_err(), "two columns \"a\"");
        }
        // In another struct it is another name, and upper case is as well.
        let fine = DataType::Struct(vec![field("a"), field("A")].into());
        let fine = Schema::new(vec![field("a"), Field::new("s", fine, true)]);
        assert_eq!(check(&fine), Ok(()));
    }

    #[test]
    fn depth_and_width_are_bounded() {
        let mut field = Field::new("x", DataType::Int64, true);
        for _ in 0..DEPTH {
            field = Field::new("x", DataType::List(Arc::new(field)), true);
        }
        assert!(check(&Schema::new(vec![field])).is_err());
        let wide: Vec<Field> = (0..=COLUMNS)
            .map(|n| Field::new(format!("c{n}"), DataType::Null, true))
            .collect();
        assert!(check(&Schema::new(wide)).is_err());
    }
}
