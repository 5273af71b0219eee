//! Reads a file as a flow does, whatever stands in it.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use futures::executor::block_on;
use hygge_core::{Batch, BuildContext, Context, Home as _, Position, Result, SplitRequest, Want};
use hygge_files::config::Format;
use hygge_files::home::{FilesHome, HomeSettings};
use serde::Deserialize as _;
use serde_json::json;

/// All rows of `bytes` as a file of this format, or what is wrong with it. Rows don't depend on how
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
    };
    let home = FilesHome::new(settings, &cx).expect("a home");
    match (rows(&home, 64), rows(&home, 1 << 20)) {
        (Ok(few), Ok(many)) => assert_eq!(few, many, "batches of other sizes, other rows"),
        (Err(_), Err(_)) => {}
        // How much of a damaged page is looked at depends on how much of it is asked for at once.
        (Ok(_), Err(_)) | (Err(_), Ok(_)) if format == Format::Parquet => {}
        (few, many) => panic!("batches of other sizes, another outcome: {few:?} and {many:?}"),
    }
}

fn rows(home: &FilesHome, batch_bytes: usize) -> Result<RecordBatch> {
    let cx = Context::inline();
    let want = Want {
        batch_bytes,
        encoded: None,
        bounds: None,
    };
    block_on(async {
        let plan = home.splits(&SplitRequest::default(), &cx).await?;
        let mut batches = Vec::new();
        for split in &plan.splits {
            let mut reader = home.open(split, &Position::start(), &want, &cx).await?;
            while let Some(step) = reader.next().await? {
                match step.batch {
                    Batch::Rows(rows) => batches.push(rows),
                    Batch::Encoded(_) => panic!("encoded rows weren't asked for"),
                }
            }
        }
        Ok(concat_batches(&plan.schema, &batches).expect("batches of one schema"))
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
