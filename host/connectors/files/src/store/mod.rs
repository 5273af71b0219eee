//! Files as a Store: a folder that holds nothing but data files, or a single file.
//!
//! The trade-off settled here: whoever lists the destination must see the old set of files or
//! the new one, and plain folders have no transactions. So everything is staged elsewhere on
//! the same file system, and becomes visible by one rename: of the whole folder when rows are
//! replaced, of each file when rows are appended. The price is that the folder must be hygge's
//! alone, and that the file system must be able to swap two folders; both are checked before
//! the first row is read.

mod append;
#[cfg(test)]
mod append_tests;
mod commit;
#[cfg(test)]
mod copy_tests;
mod csv;
mod destination;
#[cfg(test)]
#[cfg(feature = "failpoints")]
mod failpoint_tests;
mod finite;
#[cfg(test)]
mod foreign_tests;
mod keys;
mod kind;
mod lock;
mod look;
#[cfg(test)]
mod lost_tests;
mod mark;
mod memory;
#[cfg(test)]
mod memory_tests;
mod merge;
#[cfg(test)]
mod merge_tests;
mod name;
mod origin;
mod own;
mod parquet;
mod partition;
#[cfg(test)]
mod read_tests;
mod record;
mod replaced;
mod rows;
mod seal;
mod settings;
#[cfg(test)]
mod settings_tests;
mod simple;
mod staged;
#[cfg(test)]
mod swap_tests;
mod sync;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_tests;
mod track;
mod writer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use hygge_core::{
    Action, BuildContext, Coming, CommitRecord, Context, EntityId, Fault, Finding, Home, HomeKind,
    Level, Receipt, Result, RunId, Settings, Settled, SplitId, Standing, Store, Target, Writer,
    async_trait, code, type_name,
};
use serde_json::json;

use self::commit::{Commit, How};
use self::destination::{Destination, STAGING_LEVELS};
use self::lock::Lock;
use self::look::{changed, edited, foreign, gone, look, lost_state};
use self::own::Found;
use self::partition::Partitioner;
use self::record::{Begun, Staged};
use self::seal::Written;
use self::settings::Layout;
use self::writer::{Desk, FileWriter};
use crate::config::Format;
use crate::home::{FilesHomeKind, Fit};
use crate::parquet::declared;

pub use self::csv::csv_text;
pub use self::kind::FileStoreKind;
pub use self::settings::{Codec, CompressionSetting, LeveledCodec, StoreSettings};
pub use self::sync::fsyncs;

/// Writes the files of one entity.
#[derive(Debug)]
pub struct FileStore {
    layout: Arc<Layout>,
    destination: Destination,
    place: BuildContext,
    lock: Lock,
}

impl FileStore {
    fn new(layout: Layout, cx: &BuildContext) -> Self {
        Self {
            destination: Destination {
                path: layout.path.clone(),
                shape: layout.shape,
                work: cx.work.clone(),
            },
            layout: Arc::new(layout),
            place: cx.clone(),
            lock: Lock::default(),
        }
    }

    fn desk(
        &self,
        target: &Target,
        begun: Begun,
        split: &SplitId,
        attempt: u32,
        cx: &Context,
    ) -> Desk {
        let joined = begun.columns.as_deref().and_then(memory::columns);
        let columns = match joined {
            Some(joined) if target.action != Action::Replace => {
                append::columns(&joined, &target.schema, self.layout.format)
            }
            _ => Arc::clone(&target.schema),
        };
        let fit = Fit::new(&target.schema, &columns);
        Desk {
            layout: Arc::clone(&self.layout),
            run: target.run.clone(),
            split: split.clone(),
            attempt,
            staging: begun.staging,
            destination: begun.destination,
            schema: columns,
            fit: (!fit.is_same()).then(|| Arc::new(fit)),
            mark: mark::of(&target.entity, &target.run),
            cx: cx.clone(),
        }
    }

    /// Writes an empty file with the schema, so that readers find a data set without rows and
    /// not nothing.
    async fn write_empty(&self, target: &Target, cx: &Context) -> Result<Receipt> {
        let begun = Begun::read(&target.begun, &self.place.root)?;
        let desk = self.desk(target, begun, &SplitId("empty".into()), 1, cx);
        FileWriter::open(desk).await?.finish_empty().await
    }
}

/// The columns as a reader of the files will see them.
fn seen(format: Format, schema: &SchemaRef) -> SchemaRef {
    match format {
        Format::Parquet => declared(schema),
        _ => Arc::clone(schema),
    }
}

fn within(path: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(relative)
    }
}

#[async_trait]
impl Store for FileStore {
    async fn check(&self, cx: &Context) -> Result<Vec<Finding>> {
        let destination = self.destination.clone();
        let shown = self.layout.shown.clone();
        cx.io(move || {
            let resolved = destination.resolved()?;
            let entity = EntityId::new("", format!("check-{}", std::process::id()));
            let Some(run) = RunId::parse("check") else {
                return Err(Fault::internal("no run to check with"));
            };
            let work_is_new = !destination.work.exists();
            let tried = destination
                .refuse(&resolved)
                .and_then(|()| destination.stage(&entity, &run))
                .and_then(|staging| {
                    let room = destination::has_room(&staging);
                    destination::remove_empty(&staging, STAGING_LEVELS);
                    if work_is_new {
                        destination::remove_empty(&destination.work, 1);
                    }
                    room
                });
            Ok(vec![match tried {
                Ok(()) => Finding::good(format!("{shown} can be written")),
                Err(fault) => Finding::bad(fault.message, fault.advice.unwrap_or_default()),
            }])
        })
        .await
    }

    async fn inspect(
        &self,
        entity: &EntityId,
        memory: Option<&[u8]>,
        cx: &Context,
    ) -> Result<Standing> {
        let destination = self.destination.clone();
        let (format, adopted) = (self.layout.format, self.layout.adopt);
        let entity = entity.clone();
        let memory = memory.map(<[u8]>::to_owned);
        cx.io(move || {
            let resolved = destination.resolved()?;
            destination.refuse(&resolved)?;
            let look = look(&destination, &resolved, format, &entity, memory.as_deref())?;
            Ok(match (look.marked, look.foreign.first()) {
                (Some(run), _) => Standing::Marked { run },
                (None, Some(file)) => Standing::Foreign {
                    example: within(&destination.path, &file.path).display().to_string(),
                    adopted,
                },
                (None, None) if look.ours.0.is_empty() => Standing::Vacant,
                (None, None) => Standing::Ours,
            })
        })
        .await
    }

    fn fits(&self, schema: &SchemaRef) -> Result<()> {
        if self.layout.format == Format::Csv
            && let Some(field) = csv::unfit(schema)
        {
            return Err(Fault::new(
                code::DESTINATION_UNSUPPORTED,
                format!(
                    "column {:?} is {}, which CSV has no form for",
                    field.name(),
                    type_name(field.data_type())
                ),
            )
            .with("column", field.name())
            .advise("use parquet, ndjson or arrow, or leave the column out"));
        }
        if self.layout.partition_by.is_empty() {
            return Ok(());
        }
        Partitioner::new(schema, &self.layout.partition_by).map(drop)
    }

    async fn suits(&self, coming: &Coming<'_>, cx: &Context) -> Result<Option<Vec<String>>> {
        if coming.action == Action::Replace {
            return Ok(None);
        }
        let (destination, layout) = (self.destination.clone(), Arc::clone(&self.layout));
        let (entity, schema) = (coming.entity.clone(), Arc::clone(coming.schema));
        let memory = coming.memory.map(<[u8]>::to_owned);
        cx.io(move || {
            let resolved = destination.resolved()?;
            let look = look(
                &destination,
                &resolved,
                layout.format,
                &entity,
                memory.as_deref(),
            )?;
            // What is taken over is looked at as it begins.
            if look.ours.0.is_empty() || !look.foreign.is_empty() {
                return Ok(None);
            }
            let standing = match look.memory.schema() {
                Some(remembered) => Some(remembered),
                None => memory::ask(&resolved, &look.ours, layout.format)?,
            };
            if let Some(standing) = standing {
                let coming = seen(layout.format, &schema);
                memory::join(&standing, &layout.shown, &coming, layout.format)?;
            }
            Ok(None)
        })
        .await
    }

    async fn begin(&self, target: &Target, cx: &Context) -> Result<serde_json::Value> {
        self.fits(&target.schema)?;
        let destination = self.destination.clone();
        let layout = Arc::clone(&self.layout);
        let target = target.clone();
        let root = self.place.root.clone();
        let (notes, lock) = (Arc::clone(&cx.notes), self.lock.clone());
        cx.io(move || {
            let resolved = destination.resolved()?;
            destination.refuse(&resolved)?;
            lock.hold(&resolved)?;
            let look = look(
                &destination,
                &resolved,
                layout.format,
                &target.entity,
                target.memory.as_deref(),
            )?;
            let mut own = look.ours;
            let moved = look.memory.at.as_ref().filter(|at| **at != layout.shown);
            match moved {
                // The files are where they were; only those of new rows will be here.
                Some(at) if own.0.is_empty() && target.action != Action::Replace => notes.note(
                    Level::Info,
                    &format!("rows of earlier runs stay in {at}; only new ones come here"),
                ),
                Some(_) if own.0.is_empty() => {}
                _ => {
                    if let Some(gone) = gone(&destination.path, &look.gone) {
                        notes.note(Level::Warning, &gone);
                    }
                }
            }
            let replaces = target.action == Action::Replace;
            // What is remembered of the columns isn't true of files that are taken over.
            let remembered = look.memory.schema().filter(|_| look.foreign.is_empty());
            for file in look.foreign {
                let path = within(&destination.path, &file.path);
                match look.marked {
                    _ if layout.adopt => {}
                    // With nothing remembered at all, whoever began the run knows of it.
                    Some(_) if replaces || target.memory.is_none() => {}
                    Some(ref run) => return Err(lost_state(&destination.path, run.as_ref())),
                    None if changed(&file, &look.memory) => return Err(edited(&path)),
                    None => {
                        let perhaps_own = target.memory.is_none() && layout.format.is_text();
                        return Err(foreign(&path, &target.entity, perhaps_own));
                    }
                }
                match file.key() {
                    Some(key) if file.plain => {
                        let (size, modified) = (file.size, file.modified);
                        let path = within(&resolved, &file.path);
                        let written = Written::at(&path, layout.format, size, modified)?;
                        own.0.insert(key.to_owned(), written);
                    }
                    // Replaced with the rest, whatever it is.
                    _ if replaces => {}
                    _ => {
                        return Err(Fault::new(
                            code::DESTINATION_FOREIGN,
                            format!("{} can't be adopted as a data file", path.display()),
                        )
                        .with("file", path.display())
                        .advise("move it away, or run with `--full` to replace everything"));
                    }
                }
            }
            let coming = seen(layout.format, &target.schema);
            let columns = if replaces {
                Arc::clone(&coming)
            } else {
                let standing = match remembered.filter(|_| !own.0.is_empty()) {
                    Some(remembered) => Some(remembered),
                    None => memory::ask(&resolved, &own, layout.format)?,
                };
                match standing {
                    Some(standing) => {
                        let (joined, warning) =
                            memory::join(&standing, &layout.shown, &coming, layout.format)?;
                        let seen = append::warning(&standing, &joined, &layout.shown);
                        if let Some(warning) = warning.or(seen) {
                            notes.note(Level::Warning, &warning);
                        }
                        let gone = append::missing(&standing, &coming);
                        if let Some(gone) = gone {
                            notes.note(Level::Info, &gone);
                        }
                        joined
                    }
                    None => Arc::clone(&coming),
                }
            };
            let staging = destination.stage(&target.entity, &target.run)?;
            // No commit was decided on, so what one built is of an intent that was given up.
            commit::unbuild(&staging)?;
            let begun = Begun {
                destination: resolved,
                shape: destination.shape,
                staging,
                own,
                at: Some(layout.shown.clone()),
                columns: Some(memory::encode(&columns)?),
            };
            begun.write(&root)
        })
        .await
    }

    async fn open_writer(
        &self,
        target: &Target,
        split: &SplitId,
        attempt: u32,
        cx: &Context,
    ) -> Result<Box<dyn Writer>> {
        let begun = Begun::read(&target.begun, &self.place.root)?;
        let desk = self.desk(target, begun, split, attempt, cx);
        Ok(Box::new(FileWriter::open(desk).await?))
    }

    async fn still_staged(
        &self,
        target: &Target,
        receipts: Vec<Receipt>,
        cx: &Context,
    ) -> Result<Vec<Receipt>> {
        let staging = Begun::read(&target.begun, &self.place.root)?.staging;
        cx.io(move || staged::there(&staging, receipts)).await
    }

    async fn prepare(
        &self,
        target: &Target,
        mut receipts: Vec<Receipt>,
        cx: &Context,
    ) -> Result<Vec<Receipt>> {
        let begun = Begun::read(&target.begun, &self.place.root)?;
        let all = receipts.clone();
        cx.io(move || staged::all(&begun.staging, &all)).await?;
        if target.action == Action::Upsert || !target.key.is_empty() {
            receipts = self.merge(target, receipts, None, cx).await?;
        }
        let mut staged = Vec::new();
        for receipt in &receipts {
            staged.extend(Staged::read(receipt)?.files);
        }
        if !self.layout.partition_by.is_empty()
            && let Some(warning) = partition::tiny(&staged)
        {
            cx.notes.note(Level::Warning, &warning);
        }
        if staged.is_empty() && target.action == Action::Replace {
            let empty = self.write_empty(target, cx).await?;
            staged.extend(Staged::read(&empty)?.files);
            receipts.push(empty);
        }
        let staging = Begun::read(&target.begun, &self.place.root)?.staging;
        let folders: BTreeSet<PathBuf> = staged
            .iter()
            .filter_map(|file| Some(staging.join(&file.staged).parent()?.to_owned()))
            .collect();
        let attempts = folders.into_iter().collect();
        sync::folders(attempts, staging, cx).await?;
        Ok(receipts)
    }

    async fn commit(&self, record: &CommitRecord, cx: &Context) -> Result<Settled> {
        let how = How {
            adopt: self.layout.adopt,
            keep_replaced: self.layout.keep_replaced,
            format: self.layout.format,
            lock: self.lock.clone(),
        };
        let commit = Commit::read(record, &self.place.root, how)?;
        let location = self.layout.shown.clone();
        let destination = self.destination.clone();
        let notes = Arc::clone(&cx.notes);
        cx.io(move || {
            commit.goes_to(&destination.resolved()?)?;
            let committed = commit.run()?;
            if let Some(left) = committed.left {
                notes.note(Level::Warning, &left.message);
            }
            Ok(Settled {
                location,
                parts: committed.parts,
                memory: Some(committed.memory.encode()?),
            })
        })
        .await
    }

    async fn cleanup(&self, entity: &EntityId, live: Option<&RunId>, cx: &Context) -> Result<()> {
        let destination = self.destination.clone();
        let entity = entity.clone();
        let live = live.cloned();
        let notes = Arc::clone(&cx.notes);
        cx.io(move || {
            for base in destination.stagings(&entity)? {
                if let Some((old, error)) = base.parent().and_then(replaced::sweep)
                    && let Some(complaint) = replaced::complaint(&old, &error)
                {
                    notes.note(Level::Warning, &complaint);
                }
                destination::clear(&base, live.as_ref())?;
            }
            for beside in destination.stagings_beside()? {
                // Whoever may not remove it is not whose it is.
                let _ = replaced::sweep(&beside);
                destination::remove_empty_old(&beside.join(name::entity(&entity)));
            }
            Ok(())
        })
        .await
    }

    async fn columns(
        &self,
        entity: &EntityId,
        memory: Option<&[u8]>,
        cx: &Context,
    ) -> Result<Option<SchemaRef>> {
        let destination = self.destination.clone();
        let format = self.layout.format;
        let entity = entity.clone();
        let memory = memory.map(<[u8]>::to_owned);
        cx.io(move || {
            let resolved = destination.resolved()?;
            let look = look(&destination, &resolved, format, &entity, memory.as_deref())?;
            if let Some(remembered) = look.memory.schema() {
                return Ok(Some(remembered));
            }
            let mut own = look.ours;
            if look.marked.is_some() {
                let keys = look.foreign.iter().filter_map(Found::key);
                own.0
                    .extend(keys.map(|key| (key.to_owned(), Written::sized(0))));
            }
            memory::ask(&resolved, &own, format)
        })
        .await
    }

    fn read_back(&self) -> Option<Arc<dyn Home>> {
        let mut settings = json!({
            "path": self.layout.path.to_str()?,
            "format": self.layout.format.name(),
        });
        if self.layout.format == Format::Csv {
            let csv = &self.layout.csv;
            settings["delimiter"] = char::from(csv.delimiter).to_string().into();
            settings["quote"] = csv
                .quote
                .map_or_else(|| "none".to_owned(), |quote| char::from(quote).into())
                .into();
            settings["header"] = csv.header.into();
            settings["null_values"] = csv.null_values.clone().into();
        }
        let settings = Settings::new(settings, []);
        let kind = FilesHomeKind::new(None);
        kind.build(&settings, &self.place).ok()
    }
}
