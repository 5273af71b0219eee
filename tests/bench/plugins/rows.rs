//! Rows to measure with, in batches of about 1 MiB.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Up to that many batches of ROWS whose IPC stream has about 1 MiB.
pub(crate) fn batches(rows: &Path, most: usize) -> Vec<RecordBatch> {
    const BYTES: usize = 1 << 20;
    let file = || File::open(rows).unwrap();
    let sample = ParquetRecordBatchReaderBuilder::try_new(file()).unwrap();
    let mut sample = sample.with_batch_size(8_192).build().unwrap();
    let sample = sample.next().unwrap().unwrap();
    let size = 8_192 * BYTES / stream(&sample).len();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file()).unwrap();
    let reader = reader.with_batch_size(size).build().unwrap();
    let plain = |batch: RecordBatch| {
        let fields = batch.schema().fields().clone();
        let schema = Arc::new(arrow_schema::Schema::new(fields));
        RecordBatch::try_new(schema, batch.columns().to_vec()).unwrap()
    };
    reader
        .take(most)
        .map(|batch| plain(batch.unwrap()))
        .collect()
}

/// The batch as it crosses.
pub(crate) fn stream(batch: &RecordBatch) -> Vec<u8> {
    written(batch, &[batch])
}

/// Its schema as it crosses.
pub(crate) fn schema(batch: &RecordBatch) -> Vec<u8> {
    written(batch, &[])
}

fn written(like: &RecordBatch, batches: &[&RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &like.schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}
