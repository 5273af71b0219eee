//! CSV, row by row into columns.

mod infer;
mod tokens;
pub(crate) mod values;

use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hygge_core::{Fault, Result, code, type_name};

pub(crate) use self::infer::Candidates;
use self::tokens::{Cutter, Tokens};
use self::values::Column;
use super::input::Text;
use super::{Chunk, Rows, Source, Task, at_line, over_memory, too_long};
use crate::config::CsvOptions;
use crate::home::spec::Part;

/// Bytes handed to the cutter at a time.
const CHUNK: usize = 128 << 10;

/// The rows of one file, cut.
struct Cut {
    name: String,
    text: Text,
    cutter: Cutter,
    buffer: Vec<u8>,
    /// What of the buffer is still to be cut.
    from: usize,
    to: usize,
    ended: bool,
    memory: usize,
}

impl Cut {
    /// A row must be decoded in `memory`.
    fn new(file: File, name: &str, options: &CsvOptions, memory: usize) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            text: Text::new(file, name)?,
            cutter: Cutter::new(options),
            buffer: vec![0; CHUNK],
            from: 0,
            to: 0,
            ended: false,
            memory,
        })
    }

    /// Adds rows until there are `rows` of them, or about `bytes` bytes. Always whole rows.
    fn fill(&mut self, tokens: &mut Tokens, rows: usize, bytes: usize) -> Result<()> {
        loop {
            let full = tokens.rows() >= rows || tokens.bytes() >= bytes;
            if self.ended || (full && self.cutter.between_rows()) {
                return Ok(());
            }
            if self.from == self.to {
                self.from = 0;
                self.to = self.text.read(&mut self.buffer)?;
                if self.to == 0 {
                    self.ended = true;
                    return self.cutter.finish(tokens, &self.name);
                }
            }
            // A row that was begun is ended, and no other begun.
            let most = if full { tokens.rows() + 1 } else { rows };
            let text = &self.buffer[self.from..self.to];
            let text = match full {
                true => text,
                false => &text[..text.len().min(bytes.saturating_sub(tokens.bytes()))],
            };
            self.from += self.cutter.cut(text, tokens, most, &self.name)?;
            if too_long(tokens.data.len(), 0, self.memory) {
                let line = self.cutter.began();
                let fault = over_memory(&self.name, line, "row", self.memory);
                return Err(fault.advise(
                    "check `quote` and `delimiter`; if the row is as it should be, raise \
                     `options.memory`",
                ));
            }
        }
    }

    /// The columns' names: from the header, from the settings, or counted.
    fn names(&mut self, header: bool, given: Option<&[String]>) -> Result<Option<Names>> {
        let mut tokens = Tokens::default();
        self.fill(&mut tokens, 1, usize::MAX)?;
        if tokens.rows() == 0 {
            return Ok(None);
        }
        let width = tokens.ends.len();
        let text = utf8(&tokens, &self.name)?;
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(at_line(
                &self.name,
                tokens.lines[0],
                "a zero byte, which no CSV text holds",
            )
            .advise("is this a CSV file? If it is one in UTF-16, convert it to UTF-8"));
        }
        if !header {
            let names = match given {
                Some(names) if names.len() == width => names.to_vec(),
                Some(names) => {
                    return Err(at_line(
                        &self.name,
                        tokens.lines[0],
                        &format!(
                            "the row has {width} values, but `columns` names {}",
                            names.len()
                        ),
                    ));
                }
                None => (1..=width).map(|n| format!("column_{n}")).collect(),
            };
            return Ok(Some(Names {
                names,
                first: Some(tokens),
            }));
        }
        let mut names: Vec<String> = Vec::with_capacity(width);
        for index in 0..width {
            let name = text.get(tokens.range(index)).unwrap_or_default().trim();
            let wrong = |what: String| {
                at_line(&self.name, tokens.lines[0], &what)
                    .advise("mend the header, or set `header: false` and name the `columns`")
            };
            if name.is_empty() {
                return Err(wrong(format!("column {} has no name", index + 1)));
            }
            if let Some(other) = names.iter().position(|n| n == name) {
                return Err(wrong(format!(
                    "columns {} and {} are both named {name:?}",
                    other + 1,
                    index + 1
                )));
            }
            names.push(name.to_owned());
        }
        Ok(Some(Names { names, first: None }))
    }
}

struct Names {
    names: Vec<String>,
    /// The first row, when it isn't a header.
    first: Option<Tokens>,
}

fn utf8<'a>(tokens: &'a Tokens, name: &str) -> Result<&'a str> {
    std::str::from_utf8(&tokens.data).map_err(|error| {
        let at = tokens
            .ends
            .partition_point(|end| *end <= error.valid_up_to());
        let width = (tokens.ends.len() / tokens.rows().max(1)).max(1);
        let line = tokens.lines.get(at / width).copied().unwrap_or(1);
        at_line(name, line, "the text isn't valid UTF-8")
            .advise("convert the file, for example with `iconv -f WINDOWS-1252 -t UTF-8`")
    })
}

/// What to say when a file's only column is named as if it were several.
pub(crate) fn other_delimiter(column: &str, path: &str) -> Option<String> {
    let (_, name) = [(';', ";"), ('\t', "tab"), ('|', "|"), (',', ",")]
        .into_iter()
        .find(|(delimiter, _)| column.contains(*delimiter))?;
    Some(format!(
        "{path} has one column, named {column:?}: if it has more, set `delimiter: \"{name}\"`"
    ))
}

/// What the start of one file shows: columns in order, and which types their values have.
pub(crate) struct Sample {
    pub columns: Vec<(String, Candidates)>,
}

/// Looks at the first rows of a file; `None` when it is empty.
pub(crate) fn sample(
    file: File,
    name: &str,
    options: &CsvOptions,
    columns: Option<&[String]>,
    rows: usize,
    memory: usize,
) -> Result<Option<Sample>> {
    let mut cut = Cut::new(file, name, options, memory)?;
    let Some(names) = cut.names(options.header, columns)? else {
        return Ok(None);
    };
    let width = names.names.len();
    let mut found = vec![Candidates::default(); width];
    let mut tokens = names.first.unwrap_or_default();
    let mut seen = 0;
    loop {
        cut.fill(&mut tokens, (rows - seen).min(4096), 1 << 20)?;
        if tokens.rows() == 0 {
            break;
        }
        let text = utf8(&tokens, name)?;
        for at in 0..tokens.ends.len() {
            let value = text.get(tokens.range(at)).unwrap_or_default();
            let null = !tokens.quoted[at] && options.null_values.iter().any(|n| n == value);
            if !null {
                found[at % width].see(value);
            }
        }
        seen += tokens.rows();
        tokens.clear();
        if seen >= rows {
            break;
        }
    }
    Ok(Some(Sample {
        columns: names.names.into_iter().zip(found).collect(),
    }))
}

/// A single value as an array of one row; `None` when it isn't of that type.
pub(crate) fn one_value(text: &str, data_type: &DataType) -> Option<ArrayRef> {
    let tokens = Tokens {
        data: text.as_bytes().to_vec(),
        ends: vec![text.len()],
        quoted: vec![true],
        lines: vec![1],
    };
    let column = Column {
        tokens: &tokens,
        text,
        index: 0,
        width: 1,
        nulls: &[],
        inferred: false,
    };
    column.array(data_type).ok()
}

/// Reads one CSV file.
pub(crate) struct CsvSource {
    cut: Cut,
    tokens: Tokens,
    schema: SchemaRef,
    nulls: Vec<String>,
    /// Which columns' types were inferred.
    inferred: Vec<bool>,
    done: u64,
}

impl CsvSource {
    pub(crate) fn open(
        file: File,
        part: &Part,
        task: &Task,
        done: u64,
        memory: usize,
    ) -> Result<Self> {
        let name = &part.path;
        let csv = task.home.csv_for(name);
        let mut cut = Cut::new(file, name, &csv, memory)?;
        let names = cut.names(csv.header, task.home.settings.columns.as_deref())?;
        let (names, first) =
            names.map_or_else(|| (Vec::new(), None), |names| (names.names, names.first));
        let fields = names
            .iter()
            .map(|column| {
                let field = task.schema.field_with_name(column).map_err(|_| {
                    Fault::new(
                        code::SOURCE_CHANGED,
                        format!("{name} has a column {column:?} that it didn't have before"),
                    )
                    .with("file", name)
                })?;
                Ok(Field::new(column, field.data_type().clone(), true))
            })
            .collect::<Result<Vec<Field>>>()?;
        let mut source = Self {
            tokens: first.unwrap_or_default(),
            cut,
            schema: Arc::new(Schema::new(fields)),
            nulls: csv.null_values,
            inferred: names
                .iter()
                .map(|column| !task.home.declared.contains_key(column))
                .collect(),
            done: 0,
        };
        source.skip(done)?;
        Ok(source)
    }

    /// Passes over rows that an earlier reader took.
    fn skip(&mut self, rows: u64) -> Result<()> {
        while self.done < rows {
            let most = usize::try_from(rows - self.done).unwrap_or(usize::MAX);
            self.cut.fill(&mut self.tokens, most, 4 << 20)?;
            if self.tokens.rows() == 0 {
                break;
            }
            self.done += self.tokens.rows() as u64;
            self.tokens.clear();
        }
        Ok(())
    }

    fn batch(&self) -> Result<RecordBatch> {
        let (tokens, name) = (&self.tokens, &self.cut.name);
        let text = utf8(tokens, name)?;
        let columns = self
            .schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let column = Column {
                    tokens,
                    text,
                    index,
                    width: self.schema.fields().len(),
                    nulls: &self.nulls,
                    inferred: self.inferred[index],
                };
                column.array(field.data_type()).map_err(|misfit| {
                    let shown: String = misfit.value.chars().take(60).collect();
                    let dots = if shown.len() < misfit.value.len() {
                        "…"
                    } else {
                        ""
                    };
                    at_line(
                        name,
                        tokens.lines[misfit.row],
                        &format!(
                            "\"{shown}{dots}\" in column {:?} is not of type {}",
                            field.name(),
                            type_name(field.data_type())
                        ),
                    )
                    .with("column", field.name())
                    .advise(advice(field.name(), &misfit.value))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(tokens.rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| Fault::internal(format!("{name}: columns make no batch: {e}")))
    }
}

fn advice(column: &str, value: &str) -> String {
    if value.is_empty() {
        return "if an empty value means NULL, add \"\" to `null_values`".into();
    }
    format!(
        "declare the column, for example `schema: {{{column}: string}}`, or add the value to \
         `null_values` if it means NULL"
    )
}

impl Source for CsvSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn bytes_read(&self) -> Option<u64> {
        Some(self.cut.text.taken())
    }

    fn next(&mut self, batch_bytes: usize) -> Result<Option<Chunk>> {
        self.cut.fill(&mut self.tokens, usize::MAX, batch_bytes)?;
        if self.tokens.rows() == 0 {
            return Ok(None);
        }
        let batch = self.batch()?;
        self.done += self.tokens.rows() as u64;
        self.tokens.clear();
        Ok(Some(Chunk {
            rows: Rows::Decoded(batch),
            group: 0,
            done: self.done,
        }))
    }
}
