//! `hash`: one value that stands for several.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use hygge_core::{
    Bound, Context, Fault, Lineage, OPERATION_COLUMN, Problem, Result, code, type_name,
};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::Values;
use crate::columns::twice;
use crate::kind::{Spec, batch_wise, find, rows};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hash {
    /// The columns whose values are hashed, in this order.
    #[schemars(length(min = 1))]
    columns: Vec<String>,
    /// The name of the new column, which comes last: a string of hexadecimal digits.
    into: String,
    /// How. Default: `sha256`.
    #[serde(default)]
    algorithm: Algorithm,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    /// 64 digits; nobody finds two values with one hash.
    #[default]
    Sha256,
    /// 16 digits, many times faster; for comparing rows, not for hiding values.
    Xxh3,
}

impl Spec for Hash {
    const NAME: &'static str = "hash";
    const SUMMARY: &'static str = "adds a column with the hash of others";

    fn problems(&self) -> Vec<Problem> {
        twice(&self.columns)
    }

    fn describe(&self) -> String {
        format!("hash {} into {}", self.columns.join(", "), self.into)
    }

    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        if input.index_of(&self.into).is_ok() || self.into == OPERATION_COLUMN {
            let message = format!("hash adds a column that is there already: {}", self.into);
            return Err(Fault::new(code::SCHEMA, message)
                .with("column", &self.into)
                .advise("choose another name, or exclude the other one before"));
        }
        let mut from = Vec::new();
        for name in &self.columns {
            let index = find(Self::NAME, name, input)?;
            let data_type = input.field(index).data_type();
            if !Values::can_be(data_type) {
                let message = format!("hash can't take {} of column {name}", type_name(data_type));
                return Err(Fault::new(code::SCHEMA, message)
                    .with("column", name)
                    .advise("flatten or cast it before"));
            }
            from.push(index);
        }
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        fields.push(Arc::new(Field::new(&self.into, DataType::Utf8, false)));
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let algorithm = self.algorithm;
        let lineage = Lineage::adding(input.fields().len(), [from.clone()]);
        Ok(batch_wise(Arc::clone(&schema), lineage, cx, move |batch| {
            let mut columns = batch.columns().to_vec();
            columns.push(hashed(batch, &from, algorithm)?);
            rows(&schema, columns)
        }))
    }
}

fn hashed(batch: &RecordBatch, from: &[usize], algorithm: Algorithm) -> Result<ArrayRef> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let columns = from.iter().map(|index| Values::of(batch.column(*index)));
    let columns: Vec<Values> = columns.collect::<Result<_>>()?;
    let mut made = StringBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 64);
    let (mut bytes, mut digits) = (Vec::new(), String::new());
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    for row in 0..batch.num_rows() {
        bytes.clear();
        digits.clear();
        for column in &columns {
            column.write(row, &mut bytes);
        }
        let mut show = |hash: &[u8]| {
            for byte in hash {
                digits.push(digit(byte >> 4));
                digits.push(digit(byte & 15));
            }
        };
        match algorithm {
            Algorithm::Sha256 => show(&Sha256::digest(&bytes)),
            Algorithm::Xxh3 => show(&xxh3_64(&bytes).to_be_bytes()),
        }
        made.append_value(&digits);
    }
    Ok(Arc::new(made.finish()))
}
