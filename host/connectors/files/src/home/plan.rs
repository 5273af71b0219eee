//! Takes an entity apart: which files, which schema, which splits.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::sync::Arc;

use arrow_array::Array as _;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use futures::StreamExt as _;
use futures::stream;
use hygge_core::{Context, Fault, Level, Result, SplitPlan, SplitRequest, code};
use xxhash_rust::xxh3::Xxh3;

use super::known::{Known, News};
use super::list::{Listed, Listing};
use super::read::bounds::Low;
use super::read::csv::Candidates;
use super::read::footers::read_footer;
use super::read::prune::Outline;
use super::read::{csv, ipc, ndjson, open_file};
use super::reconcile::Merged;
use super::spec::{self, Part, Piece, Spec};
use super::{INFER_ROWS, Inner, SPLIT_SIZE, mixed, partition};
use crate::config::Format;

/// Takes the entity apart.
pub(crate) async fn splits(
    inner: &Arc<Inner>,
    request: &SplitRequest,
    cx: &Context,
) -> Result<SplitPlan> {
    inner.footers.clear();
    let listing = {
        let inner = Arc::clone(inner);
        cx.io(move || inner.list()).await?
    };
    if listing.ignored > 0 {
        let example = listing.ignored_example.as_deref().unwrap_or_default();
        let path = &inner.settings.path;
        let passed_over = match listing.ignored {
            1 => format!("another file in {path} is passed over: {example}"),
            more => format!("{more} other files in {path} are passed over, such as {example}"),
        };
        cx.notes.note(Level::Info, &passed_over);
    }
    let format = listing.format;
    for name in inner.settings.specific() {
        if !super::HomeSettings::applies(name, format) {
            return Err(Fault::new(
                code::CONFIG,
                format!("{name} doesn't apply to {format} files"),
            )
            .advise("leave it out"));
        }
    }
    let fingerprint = fingerprint(inner, &listing);
    let mut warnings = Vec::new();
    let mut memory = None;
    let mut position = None;
    let all_files = listing.files.len();
    let mut files = listing.files;
    // With a watermark the state already says how far an earlier run came.
    if request.only_new || request.watermark.is_none() {
        let mut known = match &request.memory {
            Some(memory) if request.only_new => Known::read(memory)?,
            _ => Known::default(),
        };
        let newest = files.iter().max_by_key(|f| f.modified).cloned();
        if request.only_new {
            let gone = known.gone(&files);
            files.retain(|file| match known.news(file) {
                News::Old => false,
                News::New => {
                    if let Some(old) = gone.get(&(file.size, file.modified)) {
                        warnings.push(format!(
                            "{} has the size and time of {old}, which is gone; if it was only \
                             renamed, its rows are read twice",
                            file.name
                        ));
                    }
                    true
                }
                News::Changed => {
                    warnings.push(format!(
                        "{} changed since it was read; all its rows are read again",
                        file.name
                    ));
                    true
                }
            });
        }
        for file in &files {
            known.add(file);
        }
        memory = Some(known.memory()?);
        position = Some(known.position());
        if files.is_empty()
            && let Some(newest) = newest
        {
            // The schema is known even when no row is new.
            let look = Look {
                format,
                rows: sample_rows(inner, 1),
                column: None,
                keep: false,
                memory: cx.share.whole(),
            };
            let facts = look_at(inner, vec![newest], look, cx).await?;
            return Ok(SplitPlan {
                schema: schema_of(inner, format, &facts)?.0,
                splits: Vec::new(),
                fingerprint,
                high: None,
                position,
                key: Vec::new(),
                memory,
                warnings,
                without_watermark: 0,
            });
        }
    }
    cx.notes.note(
        Level::Info,
        &format!("{} of {all_files} files are read", files.len()),
    );
    let look = Look {
        format,
        rows: sample_rows(inner, files.len()),
        column: request.bounds.as_ref().map(|b| b.column.clone()),
        keep: true,
        memory: cx.share.whole(),
    };
    let facts = look_at(inner, files, look, cx).await?;
    let (schema, partitions) = schema_of(inner, format, &facts)?;
    if format == Format::Csv && schema.fields().len() == partitions.len() + 1 {
        warnings.extend(csv::other_delimiter(
            schema.field(0).name(),
            &inner.settings.path,
        ));
    }
    let low = request
        .bounds
        .as_ref()
        .map(|bounds| Low::new(bounds, &schema))
        .transpose()?;
    let (facts, left_out) = match &low {
        Some(low) if partitions.iter().any(|name| name == low.column()) => {
            in_folders(inner, facts, &schema, low)?
        }
        _ => (facts, 0),
    };
    let ruled_out = facts.iter().map(|each| match &each.inside {
        Inside::Parquet(outline) => outline.nulls_ruled_out(low.as_ref()),
        _ => 0,
    });
    let without_watermark = left_out + ruled_out.sum::<u64>();
    let size = inner.settings.split_size.map_or(SPLIT_SIZE, |s| s.0);
    let pieces = pieces(facts, low.as_ref(), size);
    let splits = spec::splits(
        format,
        (&schema, &partitions),
        pieces,
        size,
        request.max_splits,
    )?;
    if format == Format::Parquet {
        let specs = splits.iter().map(Spec::read).collect::<Result<Vec<_>>>()?;
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for part in specs.iter().flat_map(|spec| &spec.parts) {
            *uses.entry(part.path.as_str()).or_default() += 1;
        }
        inner.footers.expect(&uses);
    }
    Ok(SplitPlan {
        schema,
        splits,
        fingerprint,
        high: None,
        position,
        key: Vec::new(),
        memory,
        warnings,
        without_watermark,
    })
}

/// Changes whenever the same splits could give other rows.
fn fingerprint(inner: &Inner, listing: &Listing) -> String {
    let mut hash = Xxh3::new();
    // Lengths in front keep neighbours apart.
    let mut text = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    text(&serde_json::to_string(&inner.settings).unwrap_or_default());
    for file in &listing.files {
        text(&file.name);
        text(&format!("{} {}", file.size, file.modified));
    }
    format!("{:032x}", hash.digest128())
}

/// What is known of a file once its start, or its footer, was read.
pub(crate) struct Facts {
    file: Listed,
    inside: Inside,
}

enum Inside {
    Parquet(Outline),
    /// `None` for an empty file.
    Csv(Option<csv::Sample>),
    Ndjson(ndjson::Sample),
    Arrow(SchemaRef),
}

/// How files are looked into.
struct Look {
    format: Format,
    /// Text: rows to infer types from.
    rows: usize,
    /// Parquet: the column whose bounds will rule row groups out.
    column: Option<String>,
    /// Parquet: whether the footer will be needed again soon.
    keep: bool,
    /// Text: what a row may take to be decoded.
    memory: usize,
}

/// Reads the starts or footers of all files, some at a time.
async fn look_at(
    inner: &Arc<Inner>,
    files: Vec<Listed>,
    look: Look,
    cx: &Context,
) -> Result<Vec<Facts>> {
    let at_once = cx.workers.cores() * 2;
    let look = Arc::new(look);
    let jobs = files.into_iter().map(|file| {
        let (inner, look) = (Arc::clone(inner), Arc::clone(&look));
        async move {
            cx.stop.check()?;
            cx.io(move || look_into(&inner, file, &look)).await
        }
    });
    let mut jobs = stream::iter(jobs).buffered(at_once);
    let mut all = Vec::new();
    while let Some(facts) = jobs.next().await {
        all.push(facts?);
    }
    Ok(all)
}

/// Rows of each file that are looked at: all together about `infer_rows`, but some of each.
fn sample_rows(inner: &Inner, files: usize) -> usize {
    let rows = inner.settings.infer_rows.unwrap_or(INFER_ROWS);
    (rows / files.max(1)).max(rows.min(100))
}

fn look_into(inner: &Inner, file: Listed, look: &Look) -> Result<Facts> {
    let opened: File = open_file(&file.path, &file.name)?;
    let name = &file.name;
    let inside = match look.format {
        Format::Parquet => {
            let footer = read_footer(&opened, name)?;
            let outline = Outline::new(&footer, look.column.as_deref());
            if look.keep {
                inner.footers.keep(name, footer);
            }
            Inside::Parquet(outline)
        }
        Format::Csv => Inside::Csv(csv::sample(
            opened,
            name,
            &inner.csv_for(name),
            inner.settings.columns.as_deref(),
            look.rows,
            look.memory,
        )?),
        Format::Ndjson => Inside::Ndjson(ndjson::sample(opened, name, look.rows, look.memory)?),
        Format::Arrow => Inside::Arrow(super::read::guarded(name, || {
            ipc::read_schema(opened, name)
        })?),
    };
    Ok(Facts { file, inside })
}

/// How many columns a file has; for `check`.
pub(crate) fn look(inner: &Inner, format: Format, file: &Listed, memory: usize) -> Result<usize> {
    let look = Look {
        format,
        rows: sample_rows(inner, 1),
        column: None,
        keep: false,
        memory,
    };
    let facts = look_into(inner, file.clone(), &look)?;
    Ok(schema_of(inner, format, &[facts])?.0.fields().len())
}

/// How many rows a file has, when that is written in it.
pub(crate) fn rows(format: Format, file: &Listed) -> Option<u64> {
    if format != Format::Parquet {
        return None;
    }
    let opened = File::open(&file.path).ok()?;
    let footer = read_footer(&opened, &file.name).ok()?;
    u64::try_from(footer.metadata().file_metadata().num_rows()).ok()
}

/// The schema all files are brought to: what they hold, and then what only folder names say;
/// and the names of the latter.
fn schema_of(inner: &Inner, format: Format, facts: &[Facts]) -> Result<(SchemaRef, Vec<String>)> {
    let base = partition::base(&inner.root, &inner.settings.path);
    let mut seen = partition::Seen::default();
    for each in facts {
        seen.add(partition::columns(&each.file.path, &base));
    }
    let partitions: Vec<(String, DataType)> = seen.types().collect();
    let names: Vec<&str> = partitions.iter().map(|(name, _)| name.as_str()).collect();
    let inside = schema_inside(inner, format, facts, &names)?;
    let mut fields: Vec<FieldRef> = inside.fields().to_vec();
    let mut added = Vec::new();
    for (name, data_type) in partitions {
        // Files without any column have no rows either.
        if fields.is_empty() {
            break;
        }
        if inside.field_with_name(&name).is_err() {
            let declared = inner.declared.get(&name).cloned();
            added.push(Arc::new(Field::new(
                name,
                declared.unwrap_or(data_type),
                true,
            )));
        }
    }
    let names = added.iter().map(|f| f.name().clone()).collect();
    if added.is_empty() {
        return Ok((inside, names));
    }
    fields.extend(added);
    let metadata = inside.metadata().clone();
    Ok((Arc::new(Schema::new_with_metadata(fields, metadata)), names))
}

fn schema_inside(
    inner: &Inner,
    format: Format,
    facts: &[Facts],
    partitions: &[&str],
) -> Result<SchemaRef> {
    match format {
        Format::Parquet | Format::Arrow => {
            let mut merged = Merged::default();
            for each in facts {
                let schema = match &each.inside {
                    Inside::Parquet(outline) => &outline.schema,
                    Inside::Arrow(schema) => schema,
                    _ => continue,
                };
                merged.add(&each.file.name, schema)?;
            }
            Ok(merged.finish())
        }
        Format::Csv => {
            let mut columns: Vec<(String, Candidates)> = Vec::new();
            let mut by_name: HashMap<String, usize> = HashMap::new();
            for each in facts {
                let Inside::Csv(Some(sample)) = &each.inside else {
                    continue;
                };
                for (name, candidates) in &sample.columns {
                    match by_name.get(name) {
                        Some(index) => columns[*index].1.join(*candidates),
                        None => {
                            by_name.insert(name.clone(), columns.len());
                            columns.push((name.clone(), *candidates));
                        }
                    }
                }
            }
            let found: Vec<&str> = columns
                .iter()
                .map(|(name, _)| name.as_str())
                .chain(partitions.iter().copied())
                .collect();
            declared_exist(inner, &found)?;
            let fields: Vec<Field> = columns
                .iter()
                .map(|(name, candidates)| {
                    let declared = inner.declared.get(name).cloned();
                    Field::new(
                        name,
                        declared.unwrap_or_else(|| candidates.data_type()),
                        true,
                    )
                })
                .collect();
            Ok(Arc::new(Schema::new(fields)))
        }
        Format::Ndjson => {
            let mut keys = ndjson::Keys::default();
            let mut files = Vec::new();
            for each in facts {
                if let Inside::Ndjson(own) = &each.inside {
                    keys.join(own.keys.clone());
                    files.push((each.file.name.as_str(), &own.keys));
                }
            }
            json_schema(inner, &keys, &files, partitions)
        }
    }
}

/// Every declared column must be in some file, or its name is a mistake.
fn declared_exist(inner: &Inner, found: &[&str]) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let Some(missing) = inner.declared.keys().find(|c| !found.contains(&c.as_str())) else {
        return Ok(());
    };
    let mut list = found
        .iter()
        .take(12)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if found.len() > 12 {
        let _ = write!(list, " and {} more", found.len() - 12);
    }
    Err(Fault::new(
        code::SCHEMA,
        format!("`schema` names column {missing:?}, which no file has"),
    )
    .with("column", missing)
    .advise(format!("the columns are {list}")))
}

fn json_schema(
    inner: &Inner,
    keys: &ndjson::Keys,
    files: &[(&str, &ndjson::Keys)],
    partitions: &[&str],
) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = Vec::with_capacity(keys.shapes.len());
    for (name, shape) in &keys.shapes {
        let data_type: DataType = match inner.declared.get(name) {
            Some(declared) => declared.clone(),
            None => shape
                .data_type(name)
                .map_err(|why| mixed::fault(name, shape, &why, files))?,
        };
        fields.push(Field::new(name, data_type, true));
    }
    // What is declared may be too rare to be seen.
    for (name, data_type) in &inner.declared {
        if !fields.iter().any(|f| f.name() == name) && !partitions.contains(&name.as_str()) {
            fields.push(Field::new(name, data_type.clone(), true));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The files whose folders don't say that their rows are below the bound, and the rows of the
/// others that aren't either: a folder without a value has NULL, and NULLs are left out.
fn in_folders(
    inner: &Inner,
    facts: Vec<Facts>,
    schema: &SchemaRef,
    low: &Low,
) -> Result<(Vec<Facts>, u64)> {
    let base = partition::base(&inner.root, &inner.settings.path);
    let mut kept = Vec::with_capacity(facts.len());
    let mut left_out = 0;
    for each in facts {
        let Listed { path, name, .. } = &each.file;
        let constants = partition::constants(path, &base, name, &Schema::empty(), schema)?;
        let value = constants.get(low.column());
        match (value.filter(|value| value.is_valid(0)), &each.inside) {
            (Some(value), _) => {
                if low.admits(value)? {
                    kept.push(each);
                }
            }
            (None, Inside::Parquet(outline)) => left_out += outline.rows(),
            // How many rows there are is seen by reading them.
            (None, _) => kept.push(each),
        }
    }
    Ok((kept, left_out))
}

/// Pieces that a split's worth of lines is cut into: fewer are more uneven.
const LINE_PIECES: u64 = 16;

/// What there is to read, in order: row groups that the bound doesn't rule out, lines in ranges
/// of bytes, or whole files.
fn pieces(facts: Vec<Facts>, low: Option<&Low>, split_size: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for each in facts {
        let part = Part {
            path: each.file.name,
            size: each.file.size,
            modified: each.file.modified,
            groups: None,
            range: None,
        };
        match each.inside {
            Inside::Parquet(outline) => {
                for index in outline.candidates(low) {
                    let (rows, bytes) = outline.groups[index];
                    pieces.push(Piece {
                        part: Part {
                            groups: Some([index, index + 1]),
                            ..part.clone()
                        },
                        rows: low.is_none().then_some(rows),
                        bytes,
                    });
                }
            }
            Inside::Csv(None) => {}
            Inside::Ndjson(sample) if sample.keys.shapes.is_empty() => {}
            Inside::Ndjson(sample) if sample.plain && part.size > split_size => {
                // The first line may begin behind a byte order mark of three bytes.
                let step = (split_size / LINE_PIECES).max(4);
                let mut from = 0;
                while from < part.size {
                    let to = from.saturating_add(step).min(part.size);
                    pieces.push(Piece {
                        part: Part {
                            range: Some([from, to]),
                            ..part.clone()
                        },
                        rows: None,
                        bytes: to - from,
                    });
                    from = to;
                }
            }
            _ => pieces.push(Piece {
                bytes: part.size,
                part,
                rows: None,
            }),
        }
    }
    pieces
}
