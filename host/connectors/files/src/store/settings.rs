//! `store:` of the file types.

use std::path::{Path, PathBuf};

use hygge_core::{
    BuildContext, Capabilities, OneOrMany, Place, Problem, Result, Settings, StorePlan, not_a_path,
};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::destination::Shape;
use crate::config::{Bytes, CsvOptions, Format, character};
use crate::local::other_file;
use crate::parquet::PARQUET;

/// Rows after which a row group closes.
pub(crate) const ROW_GROUP_ROWS: usize = 122_880;
/// Bytes of Arrow after which a row group closes: 2,000 columns don't need 2 GB.
pub(crate) const ROW_GROUP_BYTES: u64 = 64 << 20;
/// Bytes after which a file closes.
pub(crate) const FILE_SIZE: u64 = 512 << 20;
/// Partitions open at once.
pub(crate) const MAX_OPEN_PARTITIONS: usize = 64;

/// `store:` of `type: files` and of the short types named after a format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// A folder that will hold nothing but data files, or a single file such as
    /// `out/flights.parquet`. Relative paths start at the project's root.
    pub path: String,

    /// The files' format; without it the ending of `path` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,

    /// Takes over a destination that holds files no run of this entity wrote: a full run
    /// replaces them, an append leaves them and counts them as its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopt: bool,

    /// Keeps the set of files that a run replaced for a minute at least, until a later run, for
    /// readers that were listing the folder. True unless set; `false` saves the disk it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_replaced: Option<bool>,

    /// How data is compressed: a name, or `{codec: zstd, level: 9}`. Parquet: zstd, snappy, lz4,
    /// gzip, brotli or none; unless set, the source's codec when it is Parquet, else zstd.
    /// CSV and NDJSON: gzip, zstd or none. Arrow: lz4, zstd or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<CompressionSetting>,

    /// A file closes when it has about that many bytes. 512 MiB unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<Bytes>,

    /// A column or columns that become folders, `column=value/`; they stay in the files, too.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "OneOrMany::read"
    )]
    #[schemars(with = "OneOrMany")]
    pub partition_by: Vec<String>,

    /// How many partitions are written at once; over it, the one that got no rows for longest
    /// is closed. 64 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_open_partitions: Option<usize>,

    /// Parquet: a row group closes at that many rows. 122,880 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub row_group_rows: Option<usize>,

    /// Parquet: a row group closes at that many bytes of Arrow. 64 MiB unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_group_bytes: Option<Bytes>,

    /// Parquet: always decodes and encodes, also where the stored form could be copied.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rewrite: bool,

    /// Parquet: decodes what is copied, to be sure that it can be read.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verify: bool,

    /// CSV: what stands between two values; one character, or `tab`. A comma unless set, a tab
    /// in a `.tsv` file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,

    /// CSV: what stands around a value that holds delimiters or line ends; one character, or
    /// `none`, which refuses such values. A double quote unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,

    /// CSV: whether the first line names the columns. True unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,

    /// CSV: what is written for NULL. Nothing unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_value: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// `compression:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CompressionSetting {
    /// A codec at its usual level.
    Name(Codec),
    /// A codec and a level.
    Level(LeveledCodec),
}

/// `compression: {codec: …, level: …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeveledCodec {
    /// The codec.
    pub codec: Codec,
    /// How hard it tries: zstd 1 to 22, gzip 0 to 9, brotli 0 to 11; the others have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
}

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Zstandard.
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4; in Parquet the raw block form.
    Lz4,
    /// Gzip.
    Gzip,
    /// Brotli.
    Brotli,
    /// As it is.
    None,
}

impl Codec {
    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::None => "none",
        }
    }

    /// The codecs a format knows.
    fn of(format: Format) -> &'static [Self] {
        match format {
            Format::Parquet => &[
                Self::Zstd,
                Self::Snappy,
                Self::Lz4,
                Self::Gzip,
                Self::Brotli,
                Self::None,
            ],
            Format::Csv | Format::Ndjson => &[Self::Gzip, Self::Zstd, Self::None],
            Format::Arrow => &[Self::Lz4, Self::Zstd, Self::None],
        }
    }
}

/// The settings, checked and with every default in place.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) path: PathBuf,
    /// The path as it was written, for people.
    pub(crate) shown: String,
    pub(crate) shape: Shape,
    pub(crate) format: Format,
    pub(crate) codec: Option<(Codec, Option<i32>)>,
    pub(crate) adopt: bool,
    pub(crate) keep_replaced: bool,
    pub(crate) row_group_rows: usize,
    pub(crate) row_group_bytes: usize,
    pub(crate) file_size: u64,
    pub(crate) partition_by: Vec<String>,
    pub(crate) max_open_partitions: usize,
    pub(crate) rewrite: bool,
    pub(crate) verify: bool,
    pub(crate) csv: CsvOptions,
}

impl Layout {
    /// Reads settings for a type whose name fixes the format, or leaves it open.
    pub(crate) fn read(
        settings: &Settings,
        fixed: Option<Format>,
        cx: &BuildContext,
    ) -> Result<Self, Vec<Problem>> {
        let settings: StoreSettings = settings.parse().map_err(|fault| {
            let at = fault.attribute("setting").unwrap_or_default();
            vec![problem(at, &fault.message)]
        })?;
        let mut problems = Vec::new();
        let layout = settings.layout(fixed, cx, &mut problems);
        match layout {
            Some(layout) if problems.is_empty() => Ok(layout),
            _ => Err(problems),
        }
    }

    /// What is known before anything is opened.
    pub(crate) fn plan(&self) -> StorePlan {
        let folder = self.shape == Shape::Folder;
        let parquet = self.format == Format::Parquet;
        StorePlan {
            place: Some(Place::files(&self.path)),
            describe: match self.shape {
                Shape::Folder => format!("{} files in {}", self.format, self.shown),
                Shape::File => format!("{} file {}", self.format, self.shown),
            },
            capabilities: Capabilities {
                append: folder,
                replace: true,
                upsert: folder && parquet,
                operations: false,
                single: !folder,
                encoded: (parquet && self.partition_by.is_empty()).then_some(PARQUET),
            },
            max_open: None,
            writers: None,
        }
    }

    /// The Parquet codec and level that was asked for.
    pub(crate) fn parquet_codec(&self) -> Option<Compression> {
        let (codec, level) = self.codec?;
        parquet_codec(codec, level).ok()
    }

    /// The ending of file names.
    pub(crate) fn extension(&self) -> String {
        let plain = match self.format {
            Format::Csv if self.csv.delimiter == b'\t' => "tsv",
            format => format.extensions()[0],
        };
        match self.codec {
            Some((Codec::Gzip, _)) if self.format.is_text() => format!("{plain}.gz"),
            Some((Codec::Zstd, _)) if self.format.is_text() => format!("{plain}.zst"),
            _ => plain.to_owned(),
        }
    }
}

/// What Parquet gets when nothing was asked for.
pub(crate) fn zstd_3() -> Compression {
    ZstdLevel::try_new(3).map_or(Compression::UNCOMPRESSED, Compression::ZSTD)
}

fn parquet_codec(codec: Codec, level: Option<i32>) -> Result<Compression, String> {
    let unsigned = |level: i32| u32::try_from(level).map_err(|_| "not a level".to_owned());
    let wrong = |error: parquet::errors::ParquetError| error.to_string();
    Ok(match (codec, level) {
        (Codec::Zstd, None) => zstd_3(),
        (Codec::Zstd, Some(level)) => Compression::ZSTD(ZstdLevel::try_new(level).map_err(wrong)?),
        (Codec::Gzip, None) => Compression::GZIP(GzipLevel::default()),
        (Codec::Gzip, Some(level)) => {
            Compression::GZIP(GzipLevel::try_new(unsigned(level)?).map_err(wrong)?)
        }
        (Codec::Brotli, None) => Compression::BROTLI(BrotliLevel::default()),
        (Codec::Brotli, Some(level)) => {
            Compression::BROTLI(BrotliLevel::try_new(unsigned(level)?).map_err(wrong)?)
        }
        (Codec::Snappy, _) => Compression::SNAPPY,
        (Codec::Lz4, _) => Compression::LZ4_RAW,
        (Codec::None, _) => Compression::UNCOMPRESSED,
    })
}

fn problem(pointer: &str, message: impl Into<String>) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        message: message.into(),
        advice: None,
    }
}

fn advise(pointer: &str, message: impl Into<String>, advice: impl Into<String>) -> Problem {
    Problem {
        advice: Some(advice.into()),
        ..problem(pointer, message)
    }
}

impl StoreSettings {
    /// Checks everything and collects what is wrong.
    fn layout(
        &self,
        fixed: Option<Format>,
        cx: &BuildContext,
        problems: &mut Vec<Problem>,
    ) -> Option<Layout> {
        if let Some((why, way_out)) = not_a_path(&self.path) {
            problems.push(advise("/path", why, way_out));
            return None;
        }
        let choice = self.path.contains('{') && self.path.contains('}');
        if choice || self.path.contains(['*', '?']) {
            problems.push(advise(
                "/path",
                format!("a store can't write to the pattern {:?}", self.path),
                "give it a folder, such as `data/out/`",
            ));
        }
        let path = Path::new(&self.path);
        let ending = if self.path.ends_with('/') {
            None
        } else {
            Format::of(path)
        };
        if ending.is_none() && other_file(&self.path) {
            problems.push(advise(
                "/path",
                format!(
                    "{} is named like a file, and would be a folder of that name",
                    self.path
                ),
                format!(
                    "end it with `/` if it is a folder, or in one of the endings of files that can \
                     be written: {}",
                    Format::ALL
                        .map(|format| format!(".{}", format.extensions()[0]))
                        .join(", ")
                ),
            ));
        }
        let format = self.choose_format(fixed, ending, problems)?;
        let shape = match ending {
            Some(_) => Shape::File,
            None => Shape::Folder,
        };
        let codec = self.codec(format, ending.is_some(), problems);
        for (name, set) in self.specific() {
            if set && !Self::applies(name, format) {
                problems.push(advise(
                    &format!("/{name}"),
                    format!("{name} doesn't apply to {format} files"),
                    format!("remove {name}"),
                ));
            }
        }
        for (name, set) in [
            ("partition_by", !self.partition_by.is_empty()),
            ("file_size", self.file_size.is_some()),
            ("keep_replaced", self.keep_replaced.is_some()),
        ] {
            if set && shape == Shape::File {
                problems.push(advise(
                    &format!("/{name}"),
                    format!("{name} needs a folder, and {} is a file", self.path),
                    format!("end the path with `/`, or remove {name}"),
                ));
            }
        }
        if self.max_open_partitions.is_some() && self.partition_by.is_empty() {
            problems.push(advise(
                "/max_open_partitions",
                "max_open_partitions needs partition_by",
                "add `partition_by: [column]`, or remove it",
            ));
        }
        let mut names = self.partition_by.clone();
        names.sort_unstable();
        names.dedup();
        if names.len() < self.partition_by.len() {
            problems.push(problem(
                "/partition_by",
                "partition_by names a column twice",
            ));
        }
        for (name, zero) in [
            ("row_group_rows", self.row_group_rows == Some(0)),
            ("row_group_bytes", self.row_group_bytes == Some(Bytes(0))),
            ("file_size", self.file_size == Some(Bytes(0))),
            ("max_open_partitions", self.max_open_partitions == Some(0)),
        ] {
            if zero {
                problems.push(problem(&format!("/{name}"), format!("{name} is 0")));
            }
        }
        let csv = self.csv(problems);
        Some(Layout {
            // Without the `/` at the end, which a rename of the folder would stumble over.
            path: cx.root.join(path).components().collect(),
            shown: self.path.clone(),
            shape,
            format,
            codec,
            adopt: self.adopt,
            keep_replaced: self.keep_replaced.unwrap_or(true),
            row_group_rows: self.row_group_rows.unwrap_or(ROW_GROUP_ROWS),
            row_group_bytes: usize::try_from(
                self.row_group_bytes
                    .map_or(ROW_GROUP_BYTES, |bytes| bytes.0),
            )
            .unwrap_or(usize::MAX),
            file_size: match shape {
                Shape::Folder => self.file_size.map_or(FILE_SIZE, |bytes| bytes.0),
                Shape::File => u64::MAX,
            },
            partition_by: self.partition_by.clone(),
            max_open_partitions: self.max_open_partitions.unwrap_or(MAX_OPEN_PARTITIONS),
            rewrite: self.rewrite,
            verify: self.verify,
            csv,
        })
    }

    fn choose_format(
        &self,
        fixed: Option<Format>,
        ending: Option<Format>,
        problems: &mut Vec<Problem>,
    ) -> Option<Format> {
        if let (Some(fixed), Some(said)) = (fixed, self.format)
            && fixed != said
        {
            problems.push(advise(
                "/format",
                format!("type {fixed} with format {said}"),
                "remove format, or use `type: files`",
            ));
        }
        let Some(format) = fixed.or(self.format).or(ending) else {
            problems.push(advise(
                "/path",
                format!("the path {:?} doesn't say the format", self.path),
                "add `format: parquet` (or csv, ndjson, arrow)",
            ));
            return None;
        };
        if let Some(ending) = ending
            && ending != format
        {
            problems.push(advise(
                "/path",
                format!(
                    "{} would hold {format}, but is named like {ending}",
                    self.path
                ),
                "rename the file, or end the path with `/` to write into a folder",
            ));
        }
        Some(format)
    }

    fn codec(
        &self,
        format: Format,
        single: bool,
        problems: &mut Vec<Problem>,
    ) -> Option<(Codec, Option<i32>)> {
        let by_name = match self.path.to_ascii_lowercase() {
            path if !single || !format.is_text() => {
                drop(path);
                None
            }
            path if path.ends_with(".gz") => Some(Codec::Gzip),
            path if path.ends_with(".zst") => Some(Codec::Zstd),
            _ => Some(Codec::None),
        };
        let (codec, level, pointer) = match &self.compression {
            None => return by_name.map(|codec| (codec, None)),
            Some(CompressionSetting::Name(codec)) => (*codec, None, "/compression"),
            Some(CompressionSetting::Level(leveled)) => {
                (leveled.codec, leveled.level, "/compression/codec")
            }
        };
        let known = Codec::of(format);
        if !known.contains(&codec) {
            let names: Vec<&str> = known.iter().map(|codec| codec.name()).collect();
            problems.push(advise(
                pointer,
                format!("{format} files can't be compressed with {}", codec.name()),
                format!("use one of {}", names.join(", ")),
            ));
        }
        if by_name.is_some_and(|by_name| by_name != codec) {
            problems.push(advise(
                pointer,
                format!("{} is named as if it had another compression", self.path),
                "let the name end in `.gz` for gzip and in `.zst` for zstd",
            ));
        }
        let most = match codec {
            Codec::Zstd if format == Format::Arrow => None,
            Codec::Zstd => Some(1..=22),
            Codec::Gzip => Some(0..=9),
            Codec::Brotli => Some(0..=11),
            Codec::Snappy | Codec::Lz4 | Codec::None => None,
        };
        if let Some(level) = level {
            let fits = most.as_ref().is_some_and(|most| most.contains(&level));
            if !fits {
                problems.push(problem(
                    "/compression/level",
                    match most {
                        Some(most) => format!(
                            "{} has levels {} to {}, not {level}",
                            codec.name(),
                            most.start(),
                            most.end()
                        ),
                        None => format!("{} has no levels here", codec.name()),
                    },
                ));
            }
        }
        Some((codec, level))
    }

    /// Whether a setting makes sense for a format.
    pub(crate) fn applies(name: &str, format: Format) -> bool {
        match name {
            "row_group_rows" | "row_group_bytes" | "rewrite" | "verify" => {
                format == Format::Parquet
            }
            "delimiter" | "quote" | "header" | "null_value" => format == Format::Csv,
            _ => true,
        }
    }

    /// Those of the settings that not every format has, and whether they are set.
    fn specific(&self) -> [(&'static str, bool); 8] {
        [
            ("row_group_rows", self.row_group_rows.is_some()),
            ("row_group_bytes", self.row_group_bytes.is_some()),
            ("rewrite", self.rewrite),
            ("verify", self.verify),
            ("delimiter", self.delimiter.is_some()),
            ("quote", self.quote.is_some()),
            ("header", self.header.is_some()),
            ("null_value", self.null_value.is_some()),
        ]
    }

    fn csv(&self, problems: &mut Vec<Problem>) -> CsvOptions {
        let mut options = CsvOptions::default();
        let path = self.path.to_ascii_lowercase();
        if [".tsv", ".tsv.gz", ".tsv.zst"]
            .iter()
            .any(|ending| path.ends_with(ending))
        {
            options.delimiter = b'\t';
        }
        for (name, text) in [("delimiter", &self.delimiter), ("quote", &self.quote)] {
            let Some(text) = text else { continue };
            if name == "quote" && text == "none" {
                options.quote = None;
                continue;
            }
            match character(text) {
                Ok(byte) if name == "delimiter" => options.delimiter = byte,
                Ok(byte) => options.quote = Some(byte),
                Err(why) => problems.push(problem(&format!("/{name}"), why)),
            }
        }
        if options.quote == Some(options.delimiter) {
            problems.push(problem(
                "/delimiter",
                "delimiter and quote are the same character",
            ));
        }
        options.header = self.header.unwrap_or(true);
        let null = self.null_value.clone().unwrap_or_default();
        let breaks = |c: char| {
            c.is_control()
                || u8::try_from(c).is_ok_and(|b| b == options.delimiter || Some(b) == options.quote)
        };
        if null.contains(breaks) {
            problems.push(problem(
                "/null_value",
                "null_value holds a delimiter, a quote or a line end",
            ));
        }
        options.null_values = vec![null];
        options
    }
}
