//! Reads a file as a flow does, whatever stands in it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use futures::executor::block_on;
use hygge_core::{
    Batch, BuildContext, Context, Home as _, Memory, Position, Result, SplitRequest, Want,
};
use hygge_files::config::Format;
use hygge_files::home::{FilesHome, HomeSettings};
use serde::Deserialize as _;
use serde_json::json;

/// Bytes of rows that are compared. A few bytes may stand for any number of rows, and what a flow
/// passes on batch by batch must not be held here.
const HELD: usize = 32 << 20;

/// Reads `bytes` as a file of this format, or hears what is wrong with it. Rows don't depend on how
/// many of them a batch holds: that is asserted.
pub(crate) fn read(bytes: &[u8], format: Format) {
    let path = folder().join("input");
    fs::write(&path, bytes).expect("the file system takes the input");
    let settings = json!({"path": "input", "format": format.name()});
    let settings = HomeSettings::deserialize(settings).expect("settings");
    let cx = BuildContext {
        root: folder(),
        work: folder(),
        entity: None,
        run: None,
    };
    let home = FilesHome::new(settings, &cx).expect("a home");
    match (rows(&home, 64), rows(&home, 1 << 20)) {
        // What levels that can't be mean, and how much of a damaged page is looked at, depends on
        // how much of it is asked for at once.
        _ if format == Format::Parquet => {}
        (Ok(None), _) | (_, Ok(None)) | (Err(_), Err(_)) => {}
        (Ok(few), Ok(many)) => assert_eq!(few, many, "batches of other sizes, other rows"),
        (few, many) => panic!("batches of other sizes, another outcome: {few:?} and {many:?}"),
    }
}

/// All rows, if they are few enough to be held.
fn rows(home: &FilesHome, batch_bytes: usize) -> Result<Option<RecordBatch>> {
    // A sixteenth of the default, so that what takes more than it may is far out of bounds.
    let cx = Context {
        share: Arc::new(Memory::new(16 << 20).join()),
        ..Context::inline()
    };
    let want = Want {
        batch_bytes,
        encoded: None,
        bounds: None,
    };
    block_on(async {
        let plan = home.splits(&SplitRequest::default(), &cx).await?;
        let (mut batches, mut held) = (Vec::new(), 0);
        for split in &plan.splits {
            let mut reader = home.open(split, &Position::start(), &want, &cx).await?;
            while let Some(step) = reader.next().await? {
                let Batch::Rows(rows) = step.batch else {
                    panic!("encoded rows weren't asked for");
                };
                held += rows.get_array_memory_size();
                if held > HELD {
                    return Ok(None);
                }
                batches.push(rows);
            }
        }
        Ok(Some(
            concat_batches(&plan.schema, &batches).expect("batches of one schema"),
        ))
    })
}

/// In memory where the machine has such a file system; each worker has its own.
fn folder() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let shared = PathBuf::from("/dev/shm");
            match shared.is_dir() {
                true => tempfile::tempdir_in(shared),
                false => tempfile::tempdir(),
            }
            .expect("a folder for the input")
        })
        .path()
        .to_path_buf()
}
