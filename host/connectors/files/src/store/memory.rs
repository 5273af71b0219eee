//! What the Store remembers from one run to the next: which files are its own, where they are,
//! and which columns they have.
//!
//! The columns are those that all files fit into, as a reader of the folder would see them. They
//! are remembered, since asking thousands of footers before each append would cost more than
//! many an append; a memory without them is mended by asking once.

use std::fs::File;
use std::path::Path;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hygge_core::{Fault, Result, code};
use serde::{Deserialize, Serialize};

use super::own::Own;
use super::seal::Written;
use crate::config::Format;
use crate::home::{Merged, read_footer, read_schema};

/// The whole of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Memory {
    pub(crate) own: Own,
    /// The destination, as the project names it.
    pub(crate) at: Option<String>,
    /// As [`encode`] wrote them.
    pub(crate) columns: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    hygge_files: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<String>,
}

/// The form of what is remembered.
const VERSION: u32 = 2;

impl Memory {
    /// A header, then one `["path",[size,modified,hash]]` a line; before, `["path",size]`.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let broken = |error: serde_json::Error| Fault::internal(format!("own files: {error}"));
        let mut out = serde_json::to_vec(&Header {
            hygge_files: VERSION,
            at: self.at.clone(),
            columns: self.columns.clone(),
        })
        .map_err(broken)?;
        for entry in &self.own.0 {
            out.push(b'\n');
            serde_json::to_writer(&mut out, &entry).map_err(broken)?;
        }
        Ok(out)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let broken = |what: &str| {
            Fault::new(
                code::STATE,
                format!("the list of files written by earlier runs can't be read: {what}"),
            )
            .advise("`hygge state recover` rebuilds it from the destination")
        };
        let mut lines = bytes.split(|b| *b == b'\n');
        let header: Header = serde_json::from_slice(lines.next().unwrap_or_default())
            .map_err(|error| broken(&error.to_string()))?;
        if !(1..=VERSION).contains(&header.hygge_files) {
            return Err(broken(&format!(
                "form {} is newer than this hygge",
                header.hygge_files
            )));
        }
        let files: Result<_, _> = lines
            .map(serde_json::from_slice::<(String, Written)>)
            .collect();
        Ok(Self {
            own: Own(files.map_err(|error| broken(&error.to_string()))?),
            at: header.at,
            columns: header.columns,
        })
    }

    /// The remembered columns; none when nothing that can be read is remembered.
    pub(crate) fn schema(&self) -> Option<SchemaRef> {
        columns(self.columns.as_ref()?)
    }
}

/// What [`encode`] wrote; none when it can't be read.
pub(crate) fn columns(encoded: &str) -> Option<SchemaRef> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let reader = StreamReader::try_new(bytes.as_slice(), None).ok()?;
    Some(reader.schema())
}

/// Columns as text, for records and memories.
pub(crate) fn encode(schema: &Schema) -> Result<String> {
    let broken = |error: ArrowError| Fault::internal(format!("a schema: {error}"));
    // What is said about a whole table (of pandas, of Spark) may be long, and isn't asked for.
    let bare = Schema::new(schema.fields().clone());
    let writer = StreamWriter::try_new(Vec::new(), &bare).map_err(broken)?;
    Ok(STANDARD.encode(writer.into_inner().map_err(broken)?))
}

/// What all files fit into, asked of the files themselves; those that say nothing are passed
/// over.
pub(crate) fn ask(folder: &Path, own: &Own, format: Format) -> Result<Option<SchemaRef>> {
    let mut merged = Merged::default();
    let mut any = false;
    for name in own.0.keys() {
        let path = super::within(folder, name.as_ref());
        let Ok(file) = File::open(&path) else {
            continue;
        };
        let shown = path.display().to_string();
        let schema = match format {
            Format::Parquet => read_footer(&file, &shown).map(|footer| footer.schema().clone()),
            Format::Arrow => read_schema(file, &shown),
            Format::Csv | Format::Ndjson => return Ok(None),
        };
        if let Ok(schema) = schema {
            merged.add(&shown, &schema)?;
            any = true;
        }
    }
    Ok(any.then(|| merged.finish()))
}

/// What stands and what comes as one, or why a reader could not read them as one. Text has no
/// types but those a reader sees in it, so there only what it can't see as one is refused; the
/// line to warn with says what it will see.
pub(crate) fn join(
    standing: &SchemaRef,
    at: &str,
    coming: &SchemaRef,
    format: Format,
) -> Result<(SchemaRef, Option<String>)> {
    let mut merged = Merged::default();
    merged.add(at, standing)?;
    let Err(fault) = merged.add("the source", coming) else {
        return Ok((merged.finish(), None));
    };
    let fault = fault.advise(
        "`--full` writes everything anew with the source's type; or bring the old type back, in \
         the source or with `schema` in the home, or give the store another `path`",
    );
    let seen_as_one = match format {
        Format::Parquet | Format::Arrow => false,
        Format::Csv => true,
        Format::Ndjson => coming.fields().iter().all(|field| {
            standing
                .field_with_name(field.name())
                .map_or(true, |old| json(old.data_type()) == json(field.data_type()))
        }),
    };
    if !seen_as_one {
        return Err(fault);
    }
    // What stands comes first: CSV without a header has nothing but the order.
    let new = coming.fields().iter();
    let new = new.filter(|field| standing.field_with_name(field.name()).is_err());
    let known = standing
        .fields()
        .iter()
        .map(|field| match coming.column_with_name(field.name()) {
            Some((at, _)) => &coming.fields()[at],
            None => field,
        });
    let fields: Vec<_> = known.chain(new).cloned().collect();
    let warning =
        (format == Format::Csv).then(|| format!("{}, and is text to readers", fault.message));
    Ok((SchemaRef::new(Schema::new(fields)), warning))
}

/// What a value is in JSON.
#[derive(Debug, PartialEq, Eq)]
enum Json {
    Null,
    Bool,
    Number,
    Text,
    List,
    Object,
}

fn json(data_type: &DataType) -> Json {
    match data_type {
        DataType::Null => Json::Null,
        DataType::Boolean => Json::Bool,
        DataType::Dictionary(_, values) => json(values),
        DataType::Struct(_) | DataType::Map(..) => Json::Object,
        nested if nested.is_nested() => Json::List,
        number if number.is_numeric() => Json::Number,
        _ => Json::Text,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{Field, TimeUnit};
    use proptest::prelude::*;

    use super::super::seal::Seal;
    use super::*;

    proptest! {
        #[test]
        fn memory_reads_back(
            files in proptest::collection::btree_map(
                ".*",
                (any::<u64>(), proptest::option::of(any::<(i64, u64)>())),
                0..20,
            ),
            at in proptest::option::of(".*"),
        ) {
            let written = |(size, seal): (u64, Option<(i64, u64)>)| Written {
                size,
                seal: seal.map(|(modified, hash)| Seal { modified, hash }),
            };
            let files = files.into_iter().map(|(path, file)| (path, written(file)));
            let memory = Memory { own: Own(files.collect()), at, columns: None };
            prop_assert_eq!(Memory::decode(&memory.encode().unwrap()).unwrap(), memory);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Memory::decode(&bytes);
        }
    }

    fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
        let fields = columns
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    #[test]
    fn columns_read_back() {
        let zone = DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Oslo".into()));
        let list = DataType::List(Arc::new(Field::new("item", zone, false)));
        let kind = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let columns = schema(&[("a b", list), ("ü", kind)]);
        let memory = Memory {
            columns: Some(encode(&columns).unwrap()),
            ..Memory::default()
        };
        assert_eq!(memory.schema(), Some(columns));
        let old = Memory::decode(b"{\"hygge_files\":1}\n[\"x\",1]").unwrap();
        assert_eq!((old.own.0.len(), old.schema()), (1, None));
    }

    #[test]
    fn only_what_a_reader_can_read_as_one_joins() {
        let old = schema(&[("id", DataType::Int32), ("gone", DataType::Utf8)]);
        let wide = schema(&[("id", DataType::Int64), ("new", DataType::Date32)]);
        for format in Format::ALL {
            let (joined, warning) = join(&old, "lake/", &wide, format).unwrap();
            let names: Vec<&str> = joined.fields().iter().map(|f| f.name().as_str()).collect();
            assert_eq!((names, warning), (vec!["id", "gone", "new"], None));
            assert_eq!(joined.field(0).data_type(), &DataType::Int64);
        }
        let text = schema(&[("id", DataType::Utf8)]);
        for format in [Format::Parquet, Format::Arrow, Format::Ndjson] {
            let refused = join(&old, "lake/", &text, format).unwrap_err();
            assert_eq!(
                refused.message,
                "column \"id\" is int32 in lake/, but string in the source"
            );
        }
        let (joined, warning) = join(&old, "lake/", &text, Format::Csv).unwrap();
        assert_eq!(
            joined,
            schema(&[("id", DataType::Utf8), ("gone", DataType::Utf8)])
        );
        assert!(
            warning
                .unwrap()
                .ends_with("in the source, and is text to readers")
        );
        // Both are numbers in JSON.
        let float = schema(&[("id", DataType::Float64)]);
        let long = schema(&[("id", DataType::Int64)]);
        assert!(join(&long, "lake/", &float, Format::Ndjson).is_ok());
        assert!(join(&long, "lake/", &float, Format::Parquet).is_err());
    }
}
