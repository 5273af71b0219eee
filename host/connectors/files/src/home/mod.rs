//! Files as a Home.

mod kind;
mod known;
mod list;
mod mixed;
mod partition;
mod plan;
mod read;
mod reconcile;
mod settings;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::DataType;
use hygge_core::{
    BuildContext, Context, Discovered, Fault, Finding, Home, Position, Reader, Result, Split,
    SplitPlan, SplitRequest, TYPE_NAMES, Want, async_trait, code, parse_type,
};

pub use self::kind::FilesHomeKind;
use self::list::Listing;
pub(crate) use self::list::modified;
use self::read::footers::Footers;
pub(crate) use self::read::footers::read_footer;
pub(crate) use self::read::guarded;
pub(crate) use self::read::ipc::read_schema;
pub(crate) use self::read::parquet::ParquetSource;
use self::read::{FilesReader, Task};
pub(crate) use self::read::{Rows, Source};
pub(crate) use self::reconcile::{Fit, Merged, cast};
pub use self::settings::{HomeSettings, INFER_ROWS, SPLIT_SIZE};
use self::spec::{Place, Spec};
use crate::config::CsvOptions;
use crate::size::shown;

/// Files as a Home.
#[derive(Debug)]
pub struct FilesHome {
    inner: Arc<Inner>,
}

/// What jobs on other threads share.
#[derive(Debug)]
pub(crate) struct Inner {
    root: PathBuf,
    /// Where what isn't data may lie for a while.
    work: PathBuf,
    settings: HomeSettings,
    csv: CsvOptions,
    /// Types that the settings declare.
    declared: BTreeMap<String, DataType>,
    footers: Arc<Footers>,
}

impl FilesHome {
    /// A Home with those settings.
    pub fn new(settings: HomeSettings, cx: &BuildContext) -> Result<Self> {
        let csv = settings
            .csv()
            .map_err(|(name, why)| Fault::new(code::CONFIG, why).with("setting", name))?;
        let declared = settings
            .schema
            .iter()
            .flatten()
            .map(|(column, name)| {
                let data_type = parse_type(name).ok_or_else(|| {
                    Fault::new(
                        code::CONFIG,
                        format!("the type {name:?} of column {column:?} is unknown"),
                    )
                    .advise(format!("use {TYPE_NAMES}"))
                })?;
                Ok((column.clone(), data_type))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            inner: Arc::new(Inner {
                root: cx.root.clone(),
                work: cx.work.clone(),
                settings,
                csv,
                declared,
                footers: Arc::default(),
            }),
        })
    }
}

impl Inner {
    fn list(&self) -> Result<Listing> {
        list::list(&self.root, &self.settings.path, self.settings.format)
    }

    /// The CSV layout of files of one name; `.tsv` files have tabs unless the settings say
    /// something else.
    fn csv_for(&self, name: &str) -> CsvOptions {
        let mut csv = self.csv.clone();
        let name = name.to_ascii_lowercase();
        if self.settings.delimiter.is_none()
            && [".tsv", ".tsv.gz", ".tsv.zst"]
                .iter()
                .any(|e| name.ends_with(e))
        {
            csv.delimiter = b'\t';
        }
        csv
    }

    /// Whether other JSON values become text where text was declared.
    fn coerce(&self) -> bool {
        self.declared.values().any(|t| *t == DataType::Utf8)
    }
}

#[async_trait]
impl Home for FilesHome {
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>> {
        let inner = Arc::clone(&self.inner);
        let memory = cx.share.whole();
        cx.io(move || Ok(check(&inner, memory))).await
    }

    async fn discover(&self, cx: &Context) -> Result<Vec<Discovered>> {
        let inner = Arc::clone(&self.inner);
        cx.io(move || discover(&inner)).await
    }

    async fn splits(&self, request: &SplitRequest, cx: &Context) -> Result<SplitPlan> {
        plan::splits(&self.inner, request, cx).await
    }

    async fn open(
        &self,
        split: &Split,
        resume: &Position,
        want: &Want,
        cx: &Context,
    ) -> Result<Box<dyn Reader>> {
        let spec = Spec::read(split)?;
        let schema = spec::decode_schema(&spec.schema)?;
        let task = Task {
            root: self.inner.root.clone(),
            format: spec.format,
            home: Arc::clone(&self.inner),
            schema,
            partitions: spec.partitions,
            bounds: want.bounds.clone(),
            batch_bytes: want.batch_bytes.max(1),
            encoded: want.encoded == Some(crate::parquet::PARQUET) && want.bounds.is_none(),
        };
        let reader = FilesReader::new(task, spec.parts, Place::read(resume)?, cx)?;
        Ok(Box::new(reader))
    }
}

fn check(inner: &Inner, memory: usize) -> Vec<Finding> {
    let bad = |fault: Fault| {
        let advice = fault
            .advice
            .unwrap_or_else(|| "look whether this machine's user may read it".into());
        Finding::bad(fault.message, advice)
    };
    let listing = match inner.list() {
        Ok(listing) => listing,
        Err(fault) => return vec![bad(fault)],
    };
    let bytes: u64 = listing.files.iter().map(|f| f.size).sum();
    let count = listing.files.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut findings = vec![Finding::good(format!(
        "{}: {count} {} file{plural}, {}",
        inner.settings.path,
        listing.format,
        shown(bytes)
    ))];
    if let Some(first) = listing.files.first() {
        findings.extend(match plan::look(inner, listing.format, first, memory) {
            // Whether that is well isn't known here, and is told by who knows.
            Ok(0) => None,
            Ok(1) => Some(Finding::good(format!("{}: 1 column", first.name))),
            Ok(columns) => Some(Finding::good(format!("{}: {columns} columns", first.name))),
            Err(fault) => Some(bad(fault)),
        });
    }
    findings
}

fn discover(inner: &Inner) -> Result<Vec<Discovered>> {
    let listing = inner.list()?;
    Ok(listing
        .files
        .iter()
        .map(|file| Discovered {
            name: file.name.clone(),
            rows: plan::rows(listing.format, file),
            bytes: Some(file.size),
            entity: None,
        })
        .collect())
}
