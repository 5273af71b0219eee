//! Rewrites a Parquet file, or a folder of them, as one file: `recode SRC DST [THREADS]`.
//!
//! For measuring the encoder alone, without the engine around it.
#![expect(clippy::unwrap_used, reason = "a measuring tool: stops where it fails")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use hygge_files::parquet::{EncodeOptions, Encoder, Input, Part, Recoder, SourceFile};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

fn files(source: &Path) -> Vec<PathBuf> {
    if source.is_file() {
        return vec![source.to_owned()];
    }
    let mut files: Vec<_> = source
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "parquet"));
    files.sort();
    files
}

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [source, destination, threads @ ..] = arguments.as_slice() else {
        panic!("recode SRC DST [THREADS]")
    };
    let threads = threads
        .first()
        .map_or(2, |n| n.to_str().unwrap().parse().unwrap());
    let mut encoder: Option<Arc<Encoder>> = None;
    let mut jobs: Vec<(Recoder<Input>, Part)> = Vec::new();
    for path in files(Path::new(source)) {
        let file = SourceFile::open(&path).unwrap();
        let metadata = file.metadata();
        let encoder = encoder.get_or_insert_with(|| {
            let options = ArrowReaderOptions::new();
            let read = ArrowReaderMetadata::try_new(Arc::clone(metadata), options).unwrap();
            let schema = Arc::clone(read.schema());
            let options = EncodeOptions::default();
            Arc::new(Encoder::like(schema, &file.schema(), options).unwrap())
        });
        let groups = 0..metadata.num_row_groups();
        let recoder = Recoder::new(Arc::clone(encoder), file.input().clone(), metadata).unwrap();
        jobs.extend(
            recoder
                .parts(groups)
                .into_iter()
                .map(|part| (recoder.clone(), part)),
        );
    }
    let sink = BufWriter::with_capacity(1 << 20, File::create(destination).unwrap());
    let mut file = encoder.unwrap().file_writer(sink, Vec::new()).unwrap();
    let next = AtomicUsize::new(0);
    // Workers may be this far ahead of the file: it bounds what waits for its turn.
    let (ahead, permits) = mpsc::sync_channel::<()>(2 * threads);
    let (finished, groups) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (finished, ahead, next, jobs) = (finished.clone(), ahead.clone(), &next, &jobs);
            scope.spawn(move || {
                loop {
                    ahead.send(()).unwrap();
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((recoder, part)) = jobs.get(at) else {
                        break;
                    };
                    finished.send((at, recoder.encode(part).unwrap())).unwrap();
                }
            });
        }
        drop(finished);
        let (mut waiting, mut at) = (BTreeMap::new(), 0);
        for (index, group) in groups {
            waiting.insert(index, group);
            while let Some(group) = waiting.remove(&at) {
                group.append(&mut file).unwrap();
                permits.recv().unwrap();
                at += 1;
            }
        }
    });
    file.close().unwrap();
}
