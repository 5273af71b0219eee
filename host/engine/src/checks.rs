//! The checks of an entity: bound before rows move, fed by every split, judged before the commit.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use hygge_core::{
    About, BoundCheck, BuildContext, Context, Fault, Looking, Operation, Registry, Result,
    Severity, Verdict, code,
};
use hygge_project::PlannedEntity;
use hygge_state::Checked;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rejects;

/// Rows of a check that are kept for looking at.
const REJECTS: usize = 1_000;

/// Bytes of them that one split keeps.
const REJECT_BYTES: usize = 1 << 20;

/// And that all splits together keep.
const ALL_BYTES: usize = 16 << 20;

/// The checks of an entity, bound to what reaches its Store.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<One>);

#[derive(Debug)]
struct One {
    describe: String,
    severity: Severity,
    rejects: Option<Rejects>,
    room: Arc<Room>,
    /// Whether it can tell of single rows that they fail.
    of_rows: bool,
    bound: Arc<dyn BoundCheck>,
}

/// The file that failing rows go to.
#[derive(Debug, Clone)]
struct Rejects {
    file: PathBuf,
    /// From the project's root, where it stands in it.
    shown: String,
}

impl Checks {
    pub(crate) fn bind(
        registry: &Registry,
        planned: &PlannedEntity,
        place: &BuildContext,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let place = place.of(&planned.id);
        let mut all = Vec::with_capacity(planned.checks.len());
        for (at, item) in planned.checks.iter().enumerate() {
            let kind = registry
                .check(&item.kind)
                .ok_or_else(|| Fault::internal(format!("no check of type {:?}", item.kind)))?;
            let built = kind.build(&item.settings, &place)?;
            let nth = format!("{} ({})", at + 1, item.kind);
            let kept = match built.rejects {
                Some(_) => rejects::possible(schema),
                None => Ok(()),
            };
            let bound = kept.and_then(|()| built.check.bind(schema, &place));
            let file = |folder: String| {
                let (id, nth) = (&planned.id, at + 1);
                let name = format!("{}.{}.{nth}-{}.ndjson", id.flow, id.entity, item.kind);
                let file = place.root.join(folder).join(name.replace('/', "_"));
                let within = file.strip_prefix(&place.root).unwrap_or(&file);
                let shown = within.display().to_string();
                Rejects { file, shown }
            };
            all.push(One {
                describe: item.describe.clone(),
                severity: built.severity,
                rejects: built.rejects.map(file),
                room: Arc::default(),
                of_rows: kind.schema()["properties"]["rejects"].is_object(),
                bound: bound.map_err(|fault| fault.with("check", nth))?,
            });
        }
        Ok(Self(all))
    }

    /// Those that can fail for want of rows, where nothing is known of columns.
    pub(crate) fn of_nothing(
        registry: &Registry,
        planned: &PlannedEntity,
        place: &BuildContext,
    ) -> Result<Self> {
        let mut counting = planned.clone();
        let counts = |item: &hygge_project::PlannedItem| {
            let alone = PlannedEntity {
                checks: vec![item.clone()],
                ..planned.clone()
            };
            let bound = Self::bind(registry, &alone, place, &Arc::new(Schema::empty()));
            bound.is_ok_and(|bound| !bound.looks())
        };
        counting.checks.retain(counts);
        Self::bind(registry, &counting, place, &Arc::new(Schema::empty()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether rows must be decoded for it.
    pub(crate) fn looks(&self) -> bool {
        self.0.iter().any(|one| one.bound.looks())
    }

    /// Looks at the rows of one attempt at a split.
    pub(crate) fn look(&self, cx: &Context) -> SplitChecks {
        let each = self.0.iter();
        SplitChecks(
            each.map(|one| Looked {
                looking: one.bound.looks().then(|| one.bound.look(cx)),
                most: match one.rejects {
                    Some(_) => one.room.rows(),
                    None => 0,
                },
                lines: Vec::new(),
                bytes: 0,
                room: Arc::clone(&one.room),
            })
            .collect(),
        )
    }

    /// What each came to, by what was seen of every split.
    pub(crate) async fn judge(
        &self,
        splits: Vec<Value>,
        about: &About,
        cx: &Context,
    ) -> Result<Vec<Checked>> {
        let mut seen: Vec<Vec<Value>> = vec![Vec::new(); self.0.len()];
        let mut lines: Vec<Vec<String>> = vec![Vec::new(); self.0.len()];
        for split in splits {
            let split: Vec<Kept> = serde_json::from_value(split)
                .map_err(|error| Fault::internal(format!("what checks saw is damaged: {error}")))?;
            for (at, kept) in split.into_iter().enumerate().take(self.0.len()) {
                seen[at].push(kept.seen);
                let room = REJECTS - lines[at].len();
                lines[at].extend(kept.lines.into_iter().take(room));
            }
        }
        let mut checked = Vec::with_capacity(self.0.len());
        for ((one, seen), lines) in self.0.iter().zip(seen).zip(lines) {
            let (bound, about) = (Arc::clone(&one.bound), about.clone());
            let verdict = cx.cpu(move || bound.judge(&seen, &about)).await?;
            let rejects = match &one.rejects {
                Some(rejects) => keep(rejects.clone(), lines, cx).await?,
                None => None,
            };
            let (rows, why) = match verdict {
                Verdict::Passed => (None, None),
                Verdict::Failed { why, rows } => (rows, Some(why)),
            };
            checked.push(Checked {
                check: one.describe.clone(),
                severity: one.severity,
                passed: why.is_none(),
                rows,
                why,
                rejects,
            });
        }
        Ok(checked)
    }
}

impl Checks {
    /// Why nothing is committed, if one says so.
    pub(crate) fn refusal(&self, checked: &[Checked]) -> Option<Fault> {
        let failed = |each: &Checked| !each.passed && each.severity == Severity::Fail;
        let mut each = self.0.iter().zip(checked);
        let of_rows = each.any(|(one, checked)| one.of_rows && failed(checked));
        let failed: Vec<&Checked> = checked.iter().filter(|each| failed(each)).collect();
        refusal(&failed, of_rows)
    }

    /// Takes away files of rows that failed in earlier runs, given their paths, where no check writes
    /// them any more.
    pub(crate) async fn forget(
        &self,
        earlier: Vec<String>,
        place: &BuildContext,
        cx: &Context,
    ) -> Result<()> {
        let kept = |path: &String| {
            let mut files = self.0.iter().filter_map(|one| one.rejects.as_ref());
            files.any(|rejects| rejects.shown == *path)
        };
        let gone = earlier.into_iter().filter(|path| !kept(path));
        for shown in gone {
            let file = place.root.join(&shown);
            keep(Rejects { file, shown }, Vec::new(), cx).await?;
        }
        Ok(())
    }
}

fn refusal(failed: &[&Checked], of_rows: bool) -> Option<Fault> {
    let why: Vec<&str> = failed
        .iter()
        .filter_map(|each| each.why.as_deref())
        .collect();
    let count = match why.len() {
        0 => return None,
        1 => "a check failed".to_owned(),
        many => format!("{many} checks failed"),
    };
    let files: Vec<&str> = failed
        .iter()
        .filter_map(|each| each.rejects.as_deref())
        .collect();
    let advice = match files.is_empty() {
        true if of_rows => {
            "nothing was committed; `rejects: FOLDER` in the check keeps rows that fail, \
             `severity: warn` commits them all the same"
                .to_owned()
        }
        true => {
            "nothing was committed; with `severity: warn` it is told and committed all the same"
                .to_owned()
        }
        false => format!("nothing was committed; see {}", files.join(", ")),
    };
    let message = format!("{count}: {}", why.join("; "));
    Some(Fault::new(code::CHECK, message).advise(advice))
}

/// Writes the rows that failed, or takes away those of an earlier run.
async fn keep(rejects: Rejects, lines: Vec<String>, cx: &Context) -> Result<Option<String>> {
    let Rejects { file, shown } = rejects;
    let kept = !lines.is_empty();
    let path = shown.clone();
    cx.io(move || {
        let written = match lines.is_empty() {
            true => match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            false => put(&file, &lines.concat()),
        };
        written.map_err(|error| {
            let message = format!("rows that failed a check can't be kept in {path}: {error}");
            Fault::new(code::DESTINATION_IO, message)
                .with("file", &path)
                .advise(
                    "nothing was committed; make room for it, or name another folder in `rejects`",
                )
        })
    })
    .await?;
    Ok(kept.then_some(shown))
}

/// Whole, or as it was.
fn put(file: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = file.with_extension("ndjson.new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, file)
}

/// What is stored of a check and a split.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    seen: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
}

/// The checks of one attempt at a split.
pub(crate) struct SplitChecks(Vec<Looked>);

struct Looked {
    /// None for what looks at no row.
    looking: Option<Box<dyn Looking>>,
    most: usize,
    lines: Vec<String>,
    bytes: usize,
    room: Arc<Room>,
}

/// What splits that are staged may still keep of rows that failed a check: they stay in memory until
/// all are.
#[derive(Debug)]
struct Room(Mutex<(usize, usize)>);

impl Default for Room {
    fn default() -> Self {
        Self(Mutex::new((REJECTS, ALL_BYTES)))
    }
}

impl Room {
    fn rows(&self) -> usize {
        let (rows, bytes) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes == 0 { 0 } else { rows }
    }

    /// As many of a split's lines as there is room for.
    fn of(&self, mut lines: Vec<String>) -> Vec<String> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, bytes) = &mut *left;
        let fit = lines.iter().take_while(|line| {
            let fits = *rows > 0 && *bytes > 0;
            if fits {
                *rows -= 1;
                *bytes = bytes.saturating_sub(line.len());
            }
            fits
        });
        let fit = fit.count();
        lines.truncate(fit);
        lines.shrink_to_fit();
        lines
    }
}

impl SplitChecks {
    /// On a CPU thread.
    pub(crate) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let standing = standing(batch)?;
        let batch = standing.as_ref().unwrap_or(batch);
        for looked in &mut self.0 {
            let Some(looking) = &mut looked.looking else {
                continue;
            };
            let failed = looking.take(batch)?;
            let room = match looked.bytes < REJECT_BYTES {
                true => looked.most - looked.lines.len(),
                false => 0,
            };
            if let (Some(failed), 1..) = (failed, room) {
                for line in rejects::lines(batch, &failed, room)? {
                    looked.bytes += line.len();
                    looked.lines.push(line);
                    if looked.bytes >= REJECT_BYTES {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Once the split is staged.
    pub(crate) fn finish(self) -> Result<Value> {
        let mut kept = Vec::with_capacity(self.0.len());
        for looked in self.0 {
            kept.push(Kept {
                seen: match looked.looking {
                    Some(looking) => looking.finish()?,
                    None => Value::Null,
                },
                lines: looked.room.of(looked.lines),
            });
        }
        serde_json::to_value(kept)
            .map_err(|error| Fault::internal(format!("what checks saw can't be kept: {error}")))
    }
}

/// The rows without those that are deleted, of which only the key is known; none when all stay.
fn standing(batch: &RecordBatch) -> Result<Option<RecordBatch>> {
    let Some(operations) = Operation::column(batch) else {
        return Ok(None);
    };
    let deleted = Operation::Delete.as_str();
    let stands: BooleanArray = operations
        .iter()
        .map(|operation| Some(operation != Some(deleted)))
        .collect();
    filter_record_batch(batch, &stands)
        .map(Some)
        .map_err(|error| Fault::internal(format!("rows can't be told apart: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many splits there are, and rows in them that fail.
    #[test]
    fn all_splits_keep_no_more_than_is_written() {
        let kept = |lines: &[&str], splits: usize| {
            let room = Arc::new(Room::default());
            let each = (0..splits).map(|_| {
                let looked = Looked {
                    looking: None,
                    most: room.rows(),
                    lines: lines.iter().map(ToString::to_string).collect(),
                    bytes: 0,
                    room: Arc::clone(&room),
                };
                let kept = SplitChecks(vec![looked]).finish().unwrap();
                let kept: Vec<Kept> = serde_json::from_value(kept).unwrap();
                kept.into_iter().map(|kept| kept.lines.len()).sum::<usize>()
            });
            (each.sum::<usize>(), room.rows())
        };
        assert_eq!(kept(&["a\n"; 300], 3), (900, 100));
        assert_eq!(kept(&["a\n"; 300], 50), (REJECTS, 0));
        let long = "a".repeat(1 << 20);
        assert_eq!(kept(&[&*long; 3], 50), (16, 0));
    }
}
