//! Checks that judge each row by itself.

use std::fmt;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use hygge_core::{
    About, BoundCheck, Context, Fault, Looking, Result, Texts, Verdict, count_rows, zone,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Says of each row of a batch whether it fails; null doesn't.
type Failing = Arc<dyn Fn(&RecordBatch) -> Result<BooleanArray> + Send + Sync>;

/// One thing that a check asks of each row, with words for its failing.
#[derive(Clone)]
pub struct Part {
    /// What is said of it, before how many rows: `"id" is NULL in`.
    pub said: String,
    /// The column whose values are shown for example.
    pub shown: Option<usize>,
    /// Which rows fail.
    pub failing: Failing,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// A check of several such things.
#[derive(Debug)]
pub struct RowWise(Arc<[Part]>);

/// A check that judges each row by itself.
pub fn row_wise(parts: Vec<Part>) -> Arc<dyn BoundCheck> {
    Arc::new(RowWise(parts.into()))
}

/// How many values are shown for example, and how much of each.
const EXAMPLES: usize = 3;
const SHOWN: usize = 40;

/// What was seen of a part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Seen {
    failed: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    examples: Vec<String>,
}

impl Seen {
    fn show(&mut self, text: String) {
        if self.examples.len() < EXAMPLES && !self.examples.contains(&text) {
            self.examples.push(text);
        }
    }
}

impl BoundCheck for RowWise {
    fn look(&self, _: &Context) -> Box<dyn Looking> {
        Box::new(Rows {
            parts: Arc::clone(&self.0),
            seen: vec![Seen::default(); self.0.len()],
            any: 0,
        })
    }

    fn judge(&self, seen: &[Value], _: &About) -> Result<Verdict> {
        let mut sum = vec![Seen::default(); self.0.len()];
        let mut any = 0;
        for split in seen {
            let (rows, parts): (u64, Vec<Seen>) =
                serde_json::from_value(split.clone()).map_err(|error| {
                    Fault::internal(format!("what a check saw can't be read: {error}"))
                })?;
            any += rows;
            for (sum, seen) in sum.iter_mut().zip(parts) {
                sum.failed += seen.failed;
                for example in seen.examples {
                    sum.show(example);
                }
            }
        }
        let failed = self.0.iter().zip(&sum).filter(|(_, seen)| seen.failed > 0);
        let said: Vec<String> = failed.map(|(part, seen)| said(part, seen)).collect();
        Ok(match said.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed {
                why: said.join("; "),
                rows: Some(any),
            },
        })
    }
}

fn said(part: &Part, seen: &Seen) -> String {
    let mut said = format!("{} {}", part.said, count_rows(seen.failed));
    if !seen.examples.is_empty() {
        // In an order that doesn't depend on that of the splits.
        let mut examples = seen.examples.clone();
        examples.sort();
        said.push_str(", such as ");
        said.push_str(&examples.join(", "));
    }
    said
}

struct Rows {
    parts: Arc<[Part]>,
    seen: Vec<Seen>,
    /// Rows that fail any of them.
    any: u64,
}

impl Looking for Rows {
    fn take(&mut self, batch: &RecordBatch) -> Result<Option<BooleanArray>> {
        let mut all: Option<BooleanArray> = None;
        for (part, seen) in self.parts.iter().zip(&mut self.seen) {
            let failing = plain((part.failing)(batch)?);
            let failed = failing.true_count();
            if failed == 0 {
                continue;
            }
            seen.failed += failed as u64;
            if let Some(column) = part.shown.filter(|_| seen.examples.len() < EXAMPLES) {
                show(batch.column(column), &failing, seen)?;
            }
            all = Some(match all {
                None => failing,
                Some(all) => BooleanArray::new(all.values() | failing.values(), None),
            });
        }
        if let Some(all) = &all {
            self.any += all.true_count() as u64;
        }
        Ok(all)
    }

    fn finish(self: Box<Self>) -> Result<Value> {
        serde_json::to_value((self.any, &self.seen))
            .map_err(|error| Fault::internal(format!("what a check saw can't be kept: {error}")))
    }
}

/// Without nulls, which don't fail.
fn plain(failing: BooleanArray) -> BooleanArray {
    match failing.nulls() {
        None => failing,
        Some(nulls) => BooleanArray::new(failing.values() & nulls.inner(), None),
    }
}

fn show(column: &ArrayRef, failing: &BooleanArray, seen: &mut Seen) -> Result<()> {
    let unshown = |error| Fault::internal(format!("a value can't be shown: {error}"));
    let column = zone::column(column).map_err(unshown)?;
    let texts = Texts::of(&column).map_err(unshown)?;
    for row in failing.values().set_indices() {
        if seen.examples.len() == EXAMPLES {
            break;
        }
        let text = texts.show(row);
        seen.show(match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{:?}…", &text[..end]),
            None if column.data_type().is_numeric() => text,
            None => format!("{text:?}"),
        });
    }
    Ok(())
}
