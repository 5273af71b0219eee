//! Copies Parquet files into one without decoding: `parquet_copy [--verify] OUTPUT SOURCE...`.
//! What the copy is measured with.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use hygge_files::parquet::{
    FileSink, Layout, ParquetWriter, SourceFile, Verify, Want, can_copy, check_row_group,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let verify = match arguments.iter().position(|argument| argument == "--verify") {
        Some(at) => {
            arguments.remove(at);
            Verify::Decode
        }
        None => Verify::Pages,
    };
    let [output, sources @ ..] = arguments.as_slice() else {
        return Err("parquet_copy [--verify] OUTPUT SOURCE...".into());
    };
    let sources: Vec<SourceFile> = sources
        .iter()
        .map(|path| SourceFile::open(Path::new(path)))
        .collect::<Result<_, _>>()?;
    let first = sources.first().ok_or("no source")?;
    let mut writer = ParquetWriter::create(
        FileSink::new(File::create(output)?),
        Layout::of_source(first),
        Vec::new(),
    )?;
    for source in &sources {
        can_copy(source, 0..usize::MAX, &Want::default()).map_err(|why| why.to_string())?;
        for row_group in 0..source.metadata().num_row_groups() {
            writer.append_checked(check_row_group(source, row_group, verify)?)?;
        }
    }
    writer.finish()?;
    Ok(())
}
