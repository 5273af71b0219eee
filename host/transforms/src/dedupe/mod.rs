//! `dedupe`: one row of each key, of all rows of the entity.

mod best;
mod keep;
mod order;
mod scratch;

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef, SortOptions};
use hygge_core::{
    Bound, BuildContext, Context, Fault, Lineage, OPERATION_COLUMN, OneOrMany, Problem, Result,
    async_trait, code, type_name,
};
use schemars::JsonSchema;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use self::best::{Row, Stays};
use self::keep::{Keep, Kept};
use self::order::{By, Order};
use crate::bytes::Values;
use crate::columns::twice_in;
use crate::kind::{Spec, find, rows};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dedupe {
    /// The columns by which rows are the same: a name, or a list. NULL is a value like others.
    #[serde(deserialize_with = "OneOrMany::read")]
    #[schemars(with = "OneOrMany")]
    key: Vec<String>,
    /// The columns that put the rows of a key in order, the least first and NULL before all: a name,
    /// or a list. `{name: desc}` in the place of a name turns its order round. The whole row decides
    /// between those that are alike in them.
    #[serde(deserialize_with = "By::read")]
    #[schemars(with = "Order")]
    order_by: Vec<By>,
    /// Which row of a key stays. Default: `last`.
    #[serde(default)]
    keep: Which,
    #[serde(skip)]
    work: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Which {
    /// The first in the order.
    First,
    /// The last in the order.
    #[default]
    Last,
}

impl Spec for Dedupe {
    const NAME: &'static str = "dedupe";
    const SUMMARY: &'static str = "keeps one row of each key";
    const WHOLE: bool = true;

    fn problems(&self) -> Vec<Problem> {
        let mut problems = twice_in("key", &self.key);
        let order: Vec<String> = self.order_by.iter().map(|by| by.column.clone()).collect();
        problems.extend(twice_in("order_by", &order));
        for (key, names) in [("key", &self.key), ("order_by", &order)] {
            if names.is_empty() {
                let message = format!("dedupe needs a column in `{key}`");
                problems.push(crate::kind::problem(key, message, None));
            }
        }
        problems
    }

    fn describe(&self) -> String {
        let which = match self.keep {
            Which::First => "first",
            Which::Last => "last",
        };
        let order: Vec<String> = self.order_by.iter().map(By::shown).collect();
        let (key, order) = (self.key.join(", "), order.join(", "));
        format!("keep the {which} row of each {key} by {order}")
    }

    fn placed(&mut self, place: &BuildContext) {
        self.work.clone_from(&place.work);
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let mut key = Vec::new();
        for name in &self.key {
            let index = find(Self::NAME, name, input)?;
            let data_type = input.field(index).data_type();
            if !Values::can_be(data_type) {
                return Err(unfit(
                    name,
                    &format!("take {}", type_name(data_type)),
                    " as a key",
                ));
            }
            key.push(index);
        }
        let mut order = Vec::new();
        for by in &self.order_by {
            order.push(find(Self::NAME, &by.column, input)?);
        }
        for field in input.fields() {
            if !RowConverter::supports_fields(&[SortField::new(field.data_type().clone())]) {
                let what = format!("put by {}", type_name(field.data_type()));
                return Err(unfit(field.name(), &what, ""));
            }
        }
        let columns = order.iter().copied().chain(0..input.fields().len());
        let columns: Vec<usize> = columns.collect();
        let ways = self.order_by.iter().map(By::options);
        let ways = ways.chain(std::iter::repeat(SortOptions::default()));
        let fields = columns.iter().zip(ways).map(|(index, way)| {
            SortField::new_with_options(input.field(*index).data_type().clone(), way)
        });
        let converter = RowConverter::new(fields.collect()).map_err(|error| internal(&error))?;
        let stays = match self.keep {
            Which::First => Stays::Least,
            Which::Last => Stays::Greatest,
        };
        let form = Form {
            schema: with_room(input),
            key,
            before: order.len(),
            columns,
            converter,
        };
        let keep = Keep::new(stays, self.work.clone(), cx.stop.clone());
        Ok(Box::new(Deduped {
            form: Arc::new(form),
            stage: Stage::Coming(keep),
            cx: cx.clone(),
        }))
    }
}

fn unfit(column: &str, what: &str, whose: &str) -> Fault {
    let message = format!("dedupe can't {what} of column {column}{whose}");
    let advice = match column == OPERATION_COLUMN {
        true => "dedupe it where it is read",
        false => "flatten, cast or exclude it before",
    };
    Fault::new(code::SCHEMA, message)
        .with("column", column)
        .advise(advice)
}

fn internal(error: &ArrowError) -> Fault {
    Fault::internal(format!("rows weren't deduped: {error}"))
}

fn roomy(field: &FieldRef) -> FieldRef {
    use DataType as T;
    let roomy = match field.data_type() {
        T::Dictionary(index, values) if index.primitive_width() < Some(4) => {
            T::Dictionary(Box::new(T::Int32), values.clone())
        }
        T::List(item) => T::List(roomy(item)),
        T::LargeList(item) => T::LargeList(roomy(item)),
        T::FixedSizeList(item, size) => T::FixedSizeList(roomy(item), *size),
        T::Struct(parts) => T::Struct(parts.iter().map(roomy).collect()),
        T::Map(entries, sorted) => T::Map(roomy(entries), *sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(Field::clone(field).with_data_type(roomy))
}

/// With dictionaries that have room for the words of many batches, however few each of these has.
fn with_room(input: &SchemaRef) -> SchemaRef {
    let fields: Vec<FieldRef> = input.fields().iter().map(roomy).collect();
    Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()))
}

type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// A column that rows are put in order by: every NaN is one, and greater than all numbers, and zero has no
/// sign.
fn ordered(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float16 => Arc::new(
            column
                .as_primitive::<Float16Type>()
                .unary::<_, Float16Type>(|value| {
                    if value.is_nan() {
                        Half::NAN
                    } else {
                        value + Half::ZERO
                    }
                }),
        ),
        DataType::Float32 => Arc::new(
            column
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|value| {
                    if value.is_nan() {
                        f32::NAN
                    } else {
                        value + 0.0
                    }
                }),
        ),
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|value| {
                    if value.is_nan() {
                        f64::NAN
                    } else {
                        value + 0.0
                    }
                }),
        ),
        _ => Arc::clone(column),
    }
}

/// Rows as bytes, and back.
struct Form {
    schema: SchemaRef,
    key: Vec<usize>,
    /// The columns a row's bytes are of: those that order it, and then all.
    columns: Vec<usize>,
    before: usize,
    converter: RowConverter,
}

impl Form {
    fn take(&self, batch: &RecordBatch, keep: &mut Keep) -> Result<()> {
        let keys = self
            .key
            .iter()
            .map(|index| Values::of(batch.column(*index)));
        let keys: Vec<Values> = keys.collect::<Result<_>>()?;
        let columns = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, index)| match at < self.before {
                true => ordered(batch.column(*index)),
                false => Arc::clone(batch.column(*index)),
            });
        let columns: Vec<ArrayRef> = columns.collect();
        let all = self
            .converter
            .convert_columns(&columns)
            .map_err(|error| internal(&error))?;
        let mut key = Vec::new();
        for (index, row) in all.iter().enumerate() {
            key.clear();
            for column in &keys {
                column.write(index, &mut key);
            }
            keep.offer(Row {
                hash: xxh3_128(&key),
                key: &key,
                row: row.data(),
            });
        }
        Ok(())
    }

    fn give(&self, kept: &mut dyn Iterator<Item = &[u8]>) -> Result<RecordBatch> {
        let parser = self.converter.parser();
        let kept = kept.map(|row| parser.parse(row));
        let columns = self
            .converter
            .convert_rows(kept)
            .map_err(|error| internal(&error))?;
        let made = columns.into_iter().skip(self.before);
        // Dictionaries come back as the values that they stand for.
        let typed = made.zip(self.schema.fields()).map(|(column, field)| {
            match column.data_type() == field.data_type() {
                true => Ok(column),
                false => cast(&column, field.data_type()).map_err(|error| internal(&error)),
            }
        });
        rows(&self.schema, typed.collect::<Result<_>>()?)
    }
}

struct Deduped {
    form: Arc<Form>,
    stage: Stage,
    cx: Context,
}

enum Stage {
    Coming(Keep),
    Going(Kept),
    /// Elsewhere, or failed.
    Gone,
}

impl Deduped {
    fn limit(&self) -> usize {
        self.cx.share.bytes() / 4
    }
}

#[async_trait]
impl Bound for Deduped {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.form.schema)
    }

    fn lineage(&self) -> Option<Lineage> {
        Some(Lineage::same(self.form.schema.fields().len()))
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        let Stage::Coming(mut keep) = std::mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(Fault::internal("rows came after the last one"));
        };
        let form = Arc::clone(&self.form);
        let work = move || form.take(&batch, &mut keep).map(|()| keep);
        let mut keep = self.cx.cpu(work).await?;
        if keep.is_full(self.limit()) {
            let work = move || keep.spill().map(|()| keep);
            keep = self.cx.io(work).await?;
        }
        self.stage = Stage::Coming(keep);
        Ok(Vec::new())
    }

    async fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        let Stage::Coming(keep) = std::mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(Fault::internal("rows ended twice"));
        };
        self.stage = Stage::Going(self.cx.io(move || keep.resolve()).await?);
        Ok(Vec::new())
    }

    async fn rest(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Stage::Going(mut kept) = std::mem::replace(&mut self.stage, Stage::Gone) else {
            return Ok(None);
        };
        let (form, limit) = (Arc::clone(&self.form), self.limit());
        let bytes = (limit / 4).clamp(64 << 10, 8 << 20);
        let work = move || {
            let made = kept.next(limit, bytes, |rows| form.give(rows))?;
            Ok((kept, made))
        };
        let (kept, made) = self.cx.io(work).await?;
        self.stage = Stage::Going(kept);
        Ok(made.map(|batch| vec![batch]))
    }
}
