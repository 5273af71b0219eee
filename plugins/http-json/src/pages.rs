use hygge_sdk::http::{self, Response};
use hygge_sdk::{Fault, Reader, RecordBatch, Result, SchemaRef, Step, Want, code, control, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{HttpJson, Paging, Spec, columns};

/// A page, and where it came from.
pub(crate) struct Page {
    pub(crate) body: Value,
    answer: Response,
}

/// Where reading goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// The URL of a page; none after the last.
    page: Option<String>,
    /// Its number, when pages are counted.
    number: u64,
    /// Rows of it that were read.
    rows: usize,
}

/// Reads one page after the other.
pub struct Pages {
    home: HttpJson,
    spec: Spec,
    schema: SchemaRef,
    /// Where the next rows are.
    at: Position,
    /// The page at `at`, and where reading goes on after it.
    page: Option<(RecordBatch, Position)>,
}

impl Pages {
    pub(crate) fn open(home: HttpJson, spec: Spec, resume: Option<&str>) -> Result<Self> {
        let at = match resume {
            None => Position {
                page: Some(home.first(&spec.url)),
                number: home.first_number(),
                rows: 0,
            },
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Fault::new(
                    code::PLUGIN,
                    format!("can't go on from the position {text:?}: {error}"),
                )
            })?,
        };
        Ok(Self {
            schema: columns::schema(&spec.columns),
            home,
            spec,
            at,
            page: None,
        })
    }

    /// Fetches the page at `at`.
    fn fetch(&self, url: &str) -> Result<(RecordBatch, Position)> {
        let page = self.home.page(url)?;
        let records = self.home.records(&page.body)?;
        log::debug!("a page of {} records", records.len());
        let next = self
            .home
            .next(&self.spec.url, &page, records.len(), self.at.number)?;
        if next.as_deref() == Some(url) {
            return Err(Fault::new(
                code::SOURCE_INVALID,
                "a page says that it is its own next page",
            ));
        }
        let batch = columns::rows(&self.spec.columns, &self.schema, records)?;
        Ok((
            batch,
            Position {
                page: next,
                number: self.at.number + 1,
                rows: 0,
            },
        ))
    }
}

impl Reader for Pages {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next(&mut self, want: Want) -> Result<Option<Step>> {
        control::go_on()?;
        let (batch, after) = match self.page.take() {
            Some(page) => page,
            None => match self.at.page.clone() {
                Some(url) => self.fetch(&url)?,
                None => return Ok(None),
            },
        };
        let from = self.at.rows.min(batch.num_rows());
        let rows = (batch.num_rows() - from).min(want.rows.max(1));
        let slice = batch.slice(from, rows);
        if from + rows < batch.num_rows() {
            self.at.rows = from + rows;
            self.page = Some((batch, after));
        } else {
            self.at = after;
        }
        let position = serde_json::to_string(&self.at).map_err(|error| {
            Fault::new(code::PLUGIN, format!("can't write the position: {error}"))
        })?;
        Ok(Some(Step {
            batch: Some(slice),
            position: Some(position),
        }))
    }
}

impl HttpJson {
    /// One request.
    pub(crate) fn page(&self, url: &str) -> Result<Page> {
        let mut request = http::get(url).header("accept", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(secret) = &self.bearer {
            request = request.bearer(secret)?;
        }
        let answer = request.send()?;
        let body = answer.json()?;
        Ok(Page { body, answer })
    }

    /// The records of a page.
    pub(crate) fn records<'a>(&self, body: &'a Value) -> Result<&'a [Value]> {
        let wrong = |what: String| {
            Fault::new(code::SOURCE_INVALID, what)
                .advise("`records` is a JSON pointer to the list, as `/data/items`")
        };
        let at = &self.records;
        match body.pointer(at) {
            Some(Value::Array(records)) => Ok(records),
            Some(_) => Err(wrong(format!(
                "what stands at {at:?} in the page is not a list"
            ))),
            None => Err(wrong(format!("there is nothing at {at:?} in the page"))),
        }
    }

    fn first_number(&self) -> u64 {
        match &self.pages {
            Some(Paging::Number { first, .. }) => *first,
            _ => 0,
        }
    }

    /// The URL of the first page.
    pub(crate) fn first(&self, url: &str) -> String {
        match &self.pages {
            Some(Paging::Number { parameter, first }) => http::get(url).query(parameter, first).url,
            _ => url.to_owned(),
        }
    }

    /// The URL of the page after one.
    fn next(&self, url: &str, page: &Page, records: usize, number: u64) -> Result<Option<String>> {
        Ok(match &self.pages {
            None => None,
            Some(Paging::Link {}) => page.answer.link("next")?,
            Some(Paging::Number { .. }) if records == 0 => None,
            Some(Paging::Number { parameter, .. }) => {
                Some(http::get(url).query(parameter, number + 1).url)
            }
            Some(Paging::Cursor { pointer, parameter }) => {
                let cursor = match page.body.pointer(pointer) {
                    None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
                    Some(Value::String(text)) if text.is_empty() => return Ok(None),
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    Some(_) => {
                        let message =
                            format!("what stands at {pointer:?} in the page is no cursor");
                        return Err(Fault::new(code::SOURCE_INVALID, message));
                    }
                };
                Some(http::get(url).query(parameter, cursor).url)
            }
        })
    }
}
