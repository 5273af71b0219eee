//! The rows of a split, one step after the other, from as many readers as it takes.
//!
//! A reader that fails in a way that may pass is opened anew where it was, if it said where that
//! is. Everything that it gave before went on to the transforms and the writer, in order, and
//! stays there: so they go on as if nothing had happened, and what was staged isn't staged again.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use hygge_core::{Context, Fault, Home, Level, Position, Reader, Result, Split, Step, Want};

use crate::retry::Retries;

pub(crate) struct Steps<'a> {
    home: &'a Arc<dyn Home>,
    split: &'a Split,
    want: &'a Want,
    retries: &'a Retries<'a>,
    cx: &'a Context,
    /// None once it failed.
    reader: Option<Box<dyn Reader>>,
    schema: SchemaRef,
    /// After the last step that was handed on; the start when that didn't say.
    position: Position,
    left_out: LeftOut,
}

/// Rows left out for want of a watermark, as far as steps were handed on.
#[derive(Default)]
struct LeftOut {
    before: u64,
    now: u64,
}

impl<'a> Steps<'a> {
    /// Opens the split from its start.
    pub(crate) async fn open(
        home: &'a Arc<dyn Home>,
        split: &'a Split,
        want: &'a Want,
        retries: &'a Retries<'a>,
        cx: &'a Context,
    ) -> Result<Self> {
        let position = Position::start();
        let reader = home.open(split, &position, want, cx).await?;
        Ok(Self {
            home,
            split,
            want,
            retries,
            cx,
            schema: reader.schema(),
            reader: Some(reader),
            position,
            left_out: LeftOut::default(),
        })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The next rows, or none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Step>> {
        loop {
            let Some(reader) = &mut self.reader else {
                return Err(Fault::internal("a split was read on after it had failed"));
            };
            let fault = match reader.next().await {
                Ok(step) => {
                    if let Some(step) = &step {
                        self.position.clone_from(&step.position);
                    }
                    self.left_out.now = reader.without_watermark();
                    return Ok(step);
                }
                Err(fault) => fault,
            };
            // From the start, what was handed on would be again: that is for the whole split.
            if self.position.is_start() || !fault.retryable {
                return Err(fault);
            }
            self.go_on(fault).await?;
        }
    }

    /// Opens another reader where the last step ended, when it is time to.
    async fn go_on(&mut self, fault: Fault) -> Result<()> {
        // What this reader holds open may be in the way of the next.
        self.reader = None;
        self.left_out.before += std::mem::take(&mut self.left_out.now);
        let mut last = fault.clone();
        loop {
            self.retries.again(last).await?;
            let opened = self
                .home
                .open(self.split, &self.position, self.want, self.cx);
            match opened.await {
                Ok(reader) if reader.schema().fields() == self.schema.fields() => {
                    self.reader = Some(reader);
                    return Ok(());
                }
                Ok(_) => {
                    return Err(Fault::internal(
                        "a reader has another schema than the one that it goes on for",
                    ));
                }
                Err(other) if other.retryable => last = other,
                Err(other) => {
                    // A position that is of no use any more; the start may be.
                    let why = format!("{} can't go on where it was: {other}", self.split.id);
                    self.cx.notes.note(Level::Info, &why);
                    return Err(fault);
                }
            }
        }
    }

    /// Bytes of the split read so far, if its reader counts them.
    pub(crate) fn bytes_read(&self) -> Option<u64> {
        self.reader.as_ref()?.bytes_read()
    }

    /// Rows that were left out because they have no value in the watermark column.
    pub(crate) fn without_watermark(&self) -> u64 {
        self.left_out.before + self.left_out.now
    }
}
