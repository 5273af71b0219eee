#![doc = include_str!("../README.md")]

mod columns;
mod pages;

use std::collections::BTreeMap;

use hygge_sdk::{
    Config, Entity, Fault, Finding, Home, Result, Split, SplitPlan, SplitRequest, code,
};
use serde::{Deserialize, Serialize};

use columns::Column;
use pages::Pages;

/// Reads pages of JSON over HTTP.
#[derive(Debug, Clone, Deserialize, Config)]
#[serde(deny_unknown_fields)]
pub struct HttpJson {
    /// Where the first page is.
    url: String,
    /// JSON pointer to the list of records in a page, as `/data/items`; empty when the page is
    /// the list.
    #[serde(default)]
    records: String,
    /// How one comes from a page to the next; without it there is one page.
    pages: Option<Paging>,
    /// The columns; without them they are those of the first page's records.
    columns: Option<Vec<Column>>,
    /// Headers of every request.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The name of a granted secret that is sent as `authorization: Bearer …`.
    bearer: Option<String>,
    /// The parameter that takes the watermark of an incremental run, as `updated_since`.
    since: Option<String>,
}

/// How one comes from a page to the next.
#[derive(Debug, Clone, Deserialize, Config)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum Paging {
    /// By the `Link` header with `rel="next"`.
    Link {},
    /// By a value in the page that the next request sends back.
    Cursor {
        /// JSON pointer to it; null, missing or empty on the last page.
        pointer: String,
        /// The parameter it is sent as.
        parameter: String,
    },
    /// By counting, until a page has no records.
    Number {
        /// The parameter of the number.
        parameter: String,
        /// The first number: 1 unless it is said otherwise.
        #[serde(default = "one")]
        first: u64,
    },
}

fn one() -> u64 {
    1
}

/// What a split says: everything that was decided when it was planned.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Spec {
    url: String,
    columns: Vec<Column>,
}

impl Home for HttpJson {
    type Reader = Pages;

    const LOCATION: Option<&'static str> = Some("url");
    const ABILITIES: &'static [&'static str] = &["watermarks"];

    fn check(&self) -> Result<Vec<Finding>> {
        let page = self.page(&self.first(&self.url))?;
        let records = self.records(&page.body)?.len();
        Ok(vec![Finding::good(format!(
            "the first page has {records} records"
        ))])
    }

    fn splits(&self, _: &Entity, request: &SplitRequest) -> Result<SplitPlan> {
        let mut url = self.url.clone();
        if let (Some(since), Some(bounds)) = (&self.since, &request.bounds) {
            url = hygge_sdk::http::get(url).query(since, &bounds.low).url;
        }
        let columns = match &self.columns {
            Some(columns) => columns.clone(),
            None => columns::infer(self.records(&self.page(&self.first(&url))?.body)?),
        };
        if columns.is_empty() {
            return Err(Fault::new(
                code::SOURCE_INVALID,
                "the first page has no records to tell the columns from",
            )
            .advise("name them: `columns: [{name: id, type: integer}]`"));
        }
        if let Some(wanted) = &request.watermark
            && !columns.iter().any(|column| column.name == *wanted)
        {
            return Err(Fault::column(
                wanted,
                format!("there is no column {wanted:?} to go by"),
            ));
        }
        let schema = columns::schema(&columns);
        let split = Split::new("pages").with(&Spec { url, columns })?;
        Ok(SplitPlan::new(schema, vec![split]))
    }

    fn open(&self, _: &Entity, split: &Split, resume: Option<&str>) -> Result<Pages> {
        let spec: Spec = split.read()?;
        Pages::open(self.clone(), spec, resume)
    }
}

hygge_sdk::export! {
    name: "http-json",
    summary: "Reads pages of JSON over HTTP",
    home: HttpJson,
}

#[cfg(test)]
mod tests;
