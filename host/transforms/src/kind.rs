//! What all built-in transforms share: from settings to rows.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use hygge_core::{
    Bound, BuildContext, Context, Fault, Lineage, OPERATION_COLUMN, Origin, Problem, Result,
    Settings, Transform, TransformKind, async_trait, code, columns_instead, made_bytes,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// The settings of a transform, and what they do to rows.
pub trait Spec: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static {
    /// What `type:` names.
    const NAME: &'static str;
    /// One line for lists.
    const SUMMARY: &'static str;
    /// Whether all rows of an entity must meet.
    const WHOLE: bool = false;

    /// What is wrong with settings that have the right form.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// What it will do, in a few words.
    fn describe(&self) -> String;

    /// Hears where it runs.
    fn placed(&mut self, _place: &BuildContext) {}

    /// Binds to the schema of the rows that will come.
    fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>>;
}

/// What makes one batch of another.
type Work = Arc<dyn Fn(&RecordBatch) -> Result<RecordBatch> + Send + Sync>;

/// A transform that looks at one batch at a time, on a CPU thread; batches without rows go no
/// further.
pub fn batch_wise(
    schema: SchemaRef,
    lineage: Lineage,
    cx: &Context,
    work: impl Fn(&RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
) -> Box<dyn Bound> {
    Box::new(BatchWise {
        schema,
        lineage,
        work: Arc::new(work),
        width: 0,
        next: FIRST,
        held: None,
        cx: cx.clone(),
    })
}

/// A transform that is told column by column: one that comes out after the other.
pub(crate) fn column_wise(
    transform: &str,
    columns: Vec<Column>,
    input: &SchemaRef,
    cx: &Context,
) -> Result<Box<dyn Bound>> {
    let lineage = Lineage {
        columns: columns.iter().map(|each| each.from.origin()).collect(),
        several: false,
    };
    let (fields, from): (Vec<FieldRef>, Vec<Values>) = columns
        .into_iter()
        .map(|each| (each.field, each.from))
        .unzip();
    if fields.is_empty() {
        let message = format!("{transform} leaves no column");
        return Err(Fault::new(code::SCHEMA, message).advise("keep at least one"));
    }
    let schema = Schema::new_with_metadata(fields, input.metadata().clone());
    let schema = Arc::new(schema);
    let out = Arc::clone(&schema);
    Ok(batch_wise(schema, lineage, cx, move |batch| {
        let columns = from.iter().map(|from| match from {
            Values::Same(index) => Ok(Arc::clone(batch.column(*index))),
            Values::Made(index, _, make) => make(batch.column(*index)),
            Values::Filled(fill) => Ok(fill(batch.num_rows())),
        });
        rows(&out, columns.collect::<Result<_>>()?)
    }))
}

/// A batch of the schema that was announced.
pub fn rows(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| {
        Fault::internal(format!("a transform gave columns that don't fit: {error}"))
    })
}

/// A column that comes out.
pub(crate) struct Column {
    pub(crate) field: FieldRef,
    pub(crate) from: Values,
}

/// Makes a column of rows from the one that came in.
type Make = Arc<dyn Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync>;
/// Makes a column of that many rows.
type Fill = Arc<dyn Fn(usize) -> ArrayRef + Send + Sync>;

/// Where its values come from.
#[derive(Clone)]
pub(crate) enum Values {
    /// A column that came in, as it is.
    Same(usize),
    /// A column that came in, changed.
    Made(usize, Kept, Make),
    /// Nothing that came in.
    Filled(Fill),
}

/// What stays of the values of a column that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// What they are, in a type that holds all of them.
    Values,
    /// That each of them has its own.
    Apart,
    /// Nothing that holds of all values.
    Nothing,
}

impl Values {
    fn origin(&self) -> Origin {
        match self {
            Self::Same(index) | Self::Made(index, Kept::Values, _) => Origin::Same(*index),
            Self::Made(index, Kept::Apart, _) => Origin::Apart(*index),
            Self::Made(index, Kept::Nothing, _) => Origin::Made(vec![*index]),
            Self::Filled(_) => Origin::Made(Vec::new()),
        }
    }
}

impl Column {
    /// A column that passes as it is, with all that is said of it.
    pub(crate) fn same(index: usize, input: &Schema) -> Self {
        Self {
            field: Arc::clone(&input.fields()[index]),
            from: Values::Same(index),
        }
    }

    /// The same values under another name.
    pub(crate) fn named(index: usize, name: &str, input: &Schema) -> Self {
        Self {
            field: Arc::new(Field::clone(&input.fields()[index]).with_name(name)),
            from: Values::Same(index),
        }
    }
}

/// The place of a column in what comes in.
pub fn find(transform: &str, name: &str, input: &Schema) -> Result<usize> {
    if name == OPERATION_COLUMN {
        let message = format!("{transform} can't touch {name}: it says what becomes of each row");
        return Err(Fault::new(code::CONFIG, message).with("column", name));
    }
    input.index_of(name).map_err(|_| {
        let message = format!("{transform} names a column that isn't there: {name}");
        Fault::new(code::SCHEMA, message)
            .with("column", name)
            .advise(columns_instead(name, input))
    })
}

/// A problem at a place in the settings.
pub fn problem(key: &str, message: impl Into<String>, advice: Option<String>) -> Problem {
    Problem {
        pointer: format!("/{key}"),
        message: message.into(),
        advice,
    }
}

/// A map of columns in which a `~` took away the last.
pub(crate) fn none_named(transform: &str, none: bool) -> Vec<Problem> {
    let named = || {
        let message = format!("{transform} names no column: `~` takes one out of the list");
        problem("columns", message, None)
    };
    none.then(named).into_iter().collect()
}

/// The pointer to a column's setting (RFC 6901).
pub fn at(key: &str, column: &str) -> String {
    format!("{key}/{}", column.replace('~', "~0").replace('/', "~1"))
}

/// A type of transform, told by its settings.
#[derive(Debug)]
pub struct Kind<S>(PhantomData<fn() -> S>);

impl<S> Default for Kind<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S: Spec> TransformKind for Kind<S> {
    fn name(&self) -> &str {
        S::NAME
    }

    fn summary(&self) -> &str {
        S::SUMMARY
    }

    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(S).to_value()
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<String, Vec<Problem>> {
        let spec: S = settings.parse().map_err(|fault| {
            vec![Problem {
                pointer: fault.attribute("setting").unwrap_or_default().to_owned(),
                message: fault.message.clone(),
                advice: None,
            }]
        })?;
        let mut problems = spec.problems();
        for problem in &mut problems {
            // Another of its kind may stand in the same list, and the place alone names neither.
            if !problem.message.starts_with(S::NAME) {
                problem.message = format!("{}: {}", S::NAME, problem.message);
            }
        }
        match problems.is_empty() {
            true => Ok(spec.describe()),
            false => Err(problems),
        }
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Transform>> {
        self.plan(settings, cx).map_err(|problems| {
            let message = problems.first().map(|each| each.message.clone());
            Fault::new(code::CONFIG, message.unwrap_or_default())
        })?;
        let mut spec: S = settings.parse()?;
        spec.placed(cx);
        Ok(Arc::new(Native(spec)))
    }
}

#[derive(Debug)]
struct Native<S>(S);

#[async_trait]
impl<S: Spec> Transform for Native<S> {
    async fn bind(&self, input: &SchemaRef, cx: &Context) -> Result<Box<dyn Bound>> {
        self.0.bind(input, cx)
    }

    fn whole(&self) -> bool {
        S::WHOLE
    }
}

/// Bytes that are made at once: a batch of numbers may get a long text beside each.
const PIECE: usize = 8 << 20;
/// Rows of which it is learnt how much is made of each.
const FIRST: usize = 64;
/// How many times as many come next, and how many at most: a column may be empty in the first rows.
const GROWTH: usize = 8;
const MOST: usize = 1 << 16;

struct BatchWise {
    schema: SchemaRef,
    lineage: Lineage,
    work: Work,
    /// Bytes that were made of a row, by the last that came.
    width: usize,
    /// As many rows as may come next.
    next: usize,
    /// Rows that are yet to be worked on.
    held: Option<RecordBatch>,
    cx: Context,
}

#[async_trait]
impl Bound for BatchWise {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn lineage(&self) -> Option<Lineage> {
        Some(self.lineage.clone())
    }

    async fn apply(&mut self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        self.held = Some(batch);
        Ok(self.more().await?.unwrap_or_default())
    }

    async fn more(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(batch) = self.held.take() else {
            return Ok(None);
        };
        let rows = batch.num_rows();
        let fit = (PIECE / self.width.max(1)).max(1);
        let taken = rows.min(fit).min(self.next);
        let piece = batch.slice(0, taken);
        self.held = (taken < rows).then(|| batch.slice(taken, rows - taken));
        let work = Arc::clone(&self.work);
        let piece = move || {
            let made = work(&piece)?;
            let width = made_bytes(&made, &piece).div_ceil(piece.num_rows().max(1));
            Ok((made, width))
        };
        let (made, width) = self.cx.cpu(piece).await?;
        if taken > 0 {
            // Rows that are narrow for once may not stay so.
            self.width = width.max(self.width / 2);
            self.next = self.next.max(taken * GROWTH).min(MOST);
        }
        Ok(Some(match made.num_rows() {
            0 => Vec::new(),
            _ => vec![made],
        }))
    }
}
