//! `flatten`: the fields of structs as columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use hygge_core::{
    Bound, Context, Fault, Lineage, OPERATION_COLUMN, Origin, Problem, Result, code, type_name,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::columns::twice;
use crate::kind::{Spec, batch_wise, find, rows};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flatten {
    /// The structs. Default: all there are.
    #[schemars(length(min = 1))]
    columns: Option<Vec<String>>,
    /// What stands between the name of a struct and that of its field. Default: `_`.
    #[serde(default = "underscore")]
    separator: String,
}

fn underscore() -> String {
    "_".to_owned()
}

/// Where a column that comes out stands: a column, and the fields from there on.
type Path = Vec<usize>;

impl Spec for Flatten {
    const NAME: &'static str = "flatten";
    const SUMMARY: &'static str = "makes columns of the fields of structs";

    fn problems(&self) -> Vec<Problem> {
        twice(self.columns.as_deref().unwrap_or_default())
    }

    fn describe(&self) -> String {
        match &self.columns {
            Some(columns) => format!("flatten {}", columns.join(", ")),
            None => "flatten all structs".to_owned(),
        }
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut asked = Vec::new();
        for name in self.columns.iter().flatten() {
            let index = find(Self::NAME, name, input)?;
            let data_type = input.field(index).data_type();
            if !matches!(data_type, DataType::Struct(_)) {
                let message = format!(
                    "flatten needs a struct, and {name} is {}",
                    type_name(data_type)
                );
                let advice = match data_type {
                    DataType::List(_) | DataType::LargeList(_) => "a list is for `unnest`",
                    _ => "leave it out of `columns`: it passes as it is",
                };
                return Err(Fault::new(code::SCHEMA, message)
                    .with("column", name)
                    .advise(advice));
            }
            asked.push(index);
        }
        let mut out: Vec<(FieldRef, Path)> = Vec::new();
        for (index, field) in input.fields().iter().enumerate() {
            match self.columns.is_none() || asked.contains(&index) {
                true => self.spread(field, vec![index], &mut out),
                false => out.push((Arc::clone(field), vec![index])),
            }
        }
        let mut taken = BTreeMap::new();
        for (field, path) in &out {
            let name = field.name();
            let made = path.len() > 1;
            if taken.insert(name, ()).is_some() || (made && name == OPERATION_COLUMN) {
                let message = format!("flatten makes two columns of one name: {name}");
                return Err(Fault::new(code::SCHEMA, message)
                    .with("column", name)
                    .advise("choose another `separator`, or rename one of them before"));
            }
        }
        let (fields, paths): (Vec<FieldRef>, Vec<Path>) = out.into_iter().unzip();
        if fields.is_empty() {
            return Err(Fault::new(code::SCHEMA, "flatten leaves no column"));
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let origins = paths.iter().map(|path| match path[..] {
            [index] => Origin::Same(index),
            _ => Origin::Made(path.first().copied().into_iter().collect()),
        });
        let lineage = Lineage {
            columns: origins.collect(),
            several: false,
        };
        Ok(batch_wise(Arc::clone(&schema), lineage, cx, move |batch| {
            let columns = paths.iter().map(|path| {
                let (first, rest) = path.split_first().unwrap_or((&0, &[]));
                below(batch.column(*first), rest)
            });
            rows(&schema, columns.collect::<Result<_>>()?)
        }))
    }
}

impl Flatten {
    /// A column, or if it is a struct what it consists of.
    fn spread(&self, field: &FieldRef, path: Path, out: &mut Vec<(FieldRef, Path)>) {
        let DataType::Struct(inner) = field.data_type() else {
            return out.push((Arc::clone(field), path));
        };
        for (index, each) in inner.iter().enumerate() {
            let name = format!("{}{}{}", field.name(), self.separator, each.name());
            // Where there is no struct there is no field of it.
            let nullable = field.is_nullable() || each.is_nullable();
            let renamed = Field::clone(each).with_name(name).with_nullable(nullable);
            let path = path.iter().copied().chain([index]).collect();
            self.spread(&Arc::new(renamed), path, out);
        }
    }
}

/// A field of a struct of a struct…, NULL where any of them is.
fn below(column: &ArrayRef, path: &[usize]) -> Result<ArrayRef> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(Arc::clone(column));
    };
    let outer = column.as_struct();
    let inner = outer.column(*first);
    let inner = match outer.nulls() {
        None => Arc::clone(inner),
        Some(_) if inner.data_type() == &DataType::Null => Arc::clone(inner),
        Some(nulls) => {
            let nulls = NullBuffer::union(Some(nulls), inner.nulls());
            let data = inner.to_data().into_builder().nulls(nulls).build();
            let data = data.map_err(|error| Fault::internal(format!("flatten failed: {error}")))?;
            make_array(data)
        }
    };
    below(&inner, rest)
}
