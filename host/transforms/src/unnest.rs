//! `unnest`: a row for each item of a list.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, GenericListArray, OffsetSizeTrait, RecordBatch, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::take::take;
use hygge_core::{
    Bound, Context, Fault, Lineage, Origin, Result, async_trait, code, column_bytes, type_name,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::{Spec, find, rows};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unnest {
    /// A column of lists, which becomes a column of their items. A row whose list is empty or NULL
    /// stays, with NULL.
    column: String,
}

impl Spec for Unnest {
    const NAME: &'static str = "unnest";
    const SUMMARY: &'static str = "makes a row of each item of a list";

    fn describe(&self) -> String {
        format!("unnest {}", self.column)
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        let index = find(Self::NAME, &self.column, input)?;
        let field = input.field(index);
        let (DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)) =
            field.data_type()
        else {
            let given = type_name(field.data_type());
            let message = format!("unnest needs a list, and {} is {given}", self.column);
            let fault = Fault::new(code::SCHEMA, message).with("column", &self.column);
            return Err(fault.advise(match field.data_type() {
                DataType::Struct(_) => "a struct is for `flatten`",
                DataType::Map(..) => {
                    "no transform takes a map apart: do it in the query of the home, or after"
                }
                _ => "name a column of lists",
            }));
        };
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        fields[index] = Arc::new(Field::new(&self.column, item.data_type().clone(), true));
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let mut lineage = Lineage::same(input.fields().len());
        lineage.columns[index] = Origin::Made(vec![index]);
        lineage.several = true;
        Ok(Box::new(Unnesting {
            schema,
            lineage,
            index,
            held: None,
            cx: cx.clone(),
        }))
    }
}

/// Bytes of rows that are made at once: a batch may become a thousand times as large.
const PIECE: u64 = 2 << 20;

struct Unnesting {
    schema: SchemaRef,
    lineage: Lineage,
    index: usize,
    held: Option<Held>,
    cx: Context,
}

/// A batch of which not all rows are made yet.
struct Held {
    batch: RecordBatch,
    lists: ArrayRef,
    /// Bytes of a row that comes of each row.
    costs: Vec<u64>,
    /// The row that is next, and how many of its items are done.
    next: (usize, u64),
}

#[async_trait]
impl Bound for Unnesting {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn lineage(&self) -> Option<Lineage> {
        Some(self.lineage.clone())
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        self.held = Some(Held::new(batch, self.index)?);
        Ok(self.more().await?.unwrap_or_default())
    }

    async fn more(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(mut held) = self.held.take() else {
            return Ok(None);
        };
        let (schema, index) = (Arc::clone(&self.schema), self.index);
        let piece = move || {
            let columns = held.piece(index).map_err(|error| failed(&error))?;
            let made = columns.map(|columns| rows(&schema, columns)).transpose()?;
            Ok(made.map(|made| (made, held)))
        };
        Ok(self.cx.cpu(piece).await?.map(|(made, held)| {
            self.held = Some(held);
            vec![made]
        }))
    }
}

fn failed(error: &ArrowError) -> Fault {
    Fault::internal(format!("unnest failed: {error}"))
}

impl Held {
    fn new(batch: RecordBatch, index: usize) -> Result<Self> {
        let column = batch.column(index);
        let lists =
            arrow_cast::cast(column, &large(column.data_type())).map_err(|error| failed(&error))?;
        // Two places to take from, before anything else.
        let mut costs = vec![40; batch.num_rows()];
        for (at, column) in batch.columns().iter().enumerate() {
            match at == index {
                true => {
                    let items = lists.as_list::<i64>().values();
                    let each = average(items);
                    costs.iter_mut().for_each(|cost| *cost += each);
                }
                false => add_costs(column, &mut costs),
            }
        }
        Ok(Self {
            batch,
            lists,
            costs,
            next: (0, 0),
        })
    }

    /// The next rows, as many as make a piece; none when all are made.
    fn piece(&mut self, index: usize) -> std::result::Result<Option<Vec<ArrayRef>>, ArrowError> {
        let lists = self.lists.as_list::<i64>();
        let (mut of_row, mut of_item) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let (mut row, mut done) = self.next;
        while row < self.costs.len() && bytes < PIECE {
            let ends = &lists.value_offsets()[row..row + 2];
            let ends = u64::try_from(ends[0]).ok().zip(u64::try_from(ends[1]).ok());
            let items = ends.filter(|(from, to)| lists.is_valid(row) && from < to);
            let (from, to) = items.unwrap_or_default();
            // A row whose list is empty or NULL stays.
            let left = (to - from).saturating_sub(done).max(1);
            let fit = (PIECE - bytes).div_ceil(self.costs[row].max(1));
            let taken = left.min(fit);
            let first = items.map(|_| from + done);
            of_row.extend((0..taken).map(|_| row as u64));
            of_item.extend((0..taken).map(|nth| first.map(|first| first + nth)));
            bytes += taken * self.costs[row].max(1);
            (row, done) = match taken < left {
                true => (row, done + taken),
                false => (row + 1, 0),
            };
        }
        self.next = (row, done);
        if of_row.is_empty() {
            return Ok(None);
        }
        let (of_row, of_item) = (UInt64Array::from(of_row), UInt64Array::from(of_item));
        let columns = self.batch.columns().iter().enumerate();
        let columns = columns.map(|(at, column)| match at == index {
            true => take(lists.values(), &of_item, None),
            false => take(column, &of_row, None),
        });
        columns.collect::<std::result::Result<_, _>>().map(Some)
    }
}

/// Adds the bytes that each row's value takes anew wherever it is repeated.
fn add_costs(column: &ArrayRef, costs: &mut [u64]) {
    fn lengths<O: OffsetSizeTrait>(offsets: &[O], costs: &mut [u64]) {
        for (cost, ends) in costs.iter_mut().zip(offsets.windows(2)) {
            let length = ends[1].as_usize() - ends[0].as_usize();
            *cost += (length + size_of::<O>()) as u64;
        }
    }
    match column.data_type() {
        DataType::Utf8 => lengths(column.as_string::<i32>().value_offsets(), costs),
        DataType::LargeUtf8 => lengths(column.as_string::<i64>().value_offsets(), costs),
        DataType::Binary => lengths(column.as_binary::<i32>().value_offsets(), costs),
        DataType::LargeBinary => lengths(column.as_binary::<i64>().value_offsets(), costs),
        // A view is repeated, and what it shows isn't.
        DataType::Utf8View | DataType::BinaryView => costs.iter_mut().for_each(|cost| *cost += 16),
        DataType::List(_) => items(column.as_list::<i32>(), costs),
        DataType::FixedSizeList(_, size) => {
            let size = usize::try_from(*size).unwrap_or_default();
            let ends: Vec<i64> = (0..=column.len())
                .filter_map(|row| i64::try_from(row * size).ok())
                .collect();
            add_nested(column.as_fixed_size_list().values(), &ends, costs);
        }
        DataType::LargeList(_) => items(column.as_list::<i64>(), costs),
        DataType::Map(..) => {
            let map = column.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            add_nested(&entries, map.value_offsets(), costs);
        }
        DataType::Struct(_) => {
            let parts = column.as_struct().columns();
            parts.iter().for_each(|part| add_costs(part, costs));
        }
        _ => {
            let each = average(column);
            costs.iter_mut().for_each(|cost| *cost += each);
        }
    }
}

fn items<O: OffsetSizeTrait>(lists: &GenericListArray<O>, costs: &mut [u64]) {
    add_nested(lists.values(), lists.value_offsets(), costs);
}

/// Adds what the items of each row take, each its own.
fn add_nested<O: OffsetSizeTrait>(items: &ArrayRef, offsets: &[O], costs: &mut [u64]) {
    let mut each = vec![0; items.len()];
    add_costs(items, &mut each);
    for (cost, ends) in costs.iter_mut().zip(offsets.windows(2)) {
        let own = each.get(ends[0].as_usize()..ends[1].as_usize());
        *cost += own.map_or(0, |own| own.iter().sum()) + size_of::<O>() as u64;
    }
}

fn average(values: &ArrayRef) -> u64 {
    column_bytes(values).div_ceil(values.len().max(1)) as u64
}

fn large(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(item) | DataType::FixedSizeList(item, _) => {
            DataType::LargeList(Arc::clone(item))
        }
        other => other.clone(),
    }
}
