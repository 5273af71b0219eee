use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use hygge_sdk::{Fault, RecordBatch, Result, Staged, Writer, code};

use crate::folder::failed;
use crate::{Part, json, zones};

/// Stages lines in a file.
pub struct Lines {
    path: PathBuf,
    name: String,
    nulls: bool,
    out: Counted,
    rows: usize,
}

/// Counts what goes through it.
struct Counted {
    file: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Lines {
    pub(crate) fn create(folder: &Path, name: String, nulls: bool) -> Result<Self> {
        let path = folder.join(&name);
        let file = File::create(&path).map_err(|error| failed("can't create", &path, &error))?;
        let out = Counted {
            file: BufWriter::with_capacity(256 * 1024, file),
            bytes: 0,
        };
        Ok(Self {
            path,
            name,
            nulls,
            out,
            rows: 0,
        })
    }
}

impl Writer for Lines {
    fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        let batch = zones::in_utc(batch)?;
        // One a batch: the writer keeps nothing from one to the next, and its schema isn't known
        // before the first.
        let builder = WriterBuilder::new().with_explicit_nulls(self.nulls);
        let mut writer = builder.build::<_, LineDelimited>(&mut self.out);
        let written = writer.write(&batch).and_then(|()| writer.finish());
        written.map_err(|error| {
            Fault::new(
                code::DESTINATION_IO,
                format!("can't write {}: {error}", self.path.display()),
            )
            .with("file", self.path.display())
        })
    }

    fn finish(mut self) -> Result<Staged> {
        let synced = self
            .out
            .flush()
            .and_then(|()| self.out.file.get_ref().sync_all());
        synced.map_err(|error| failed("can't write", &self.path, &error))?;
        if self.rows == 0 {
            fs::remove_file(&self.path)
                .map_err(|error| failed("can't remove", &self.path, &error))?;
        }
        let file = (self.rows > 0).then_some(self.name);
        Ok(Staged {
            bytes: self.out.bytes,
            data: json(&Part { file })?,
        })
    }
}
