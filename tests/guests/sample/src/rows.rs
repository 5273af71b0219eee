//! Arrow IPC, as the contract has it.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;

pub(crate) fn encode(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        StreamWriter::try_new(&mut bytes, &batch.schema()).expect("memory can be written");
    writer.write(batch).expect("memory can be written");
    writer.finish().expect("memory can be written");
    drop(writer);
    bytes
}

pub(crate) fn schema(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        StreamWriter::try_new(&mut bytes, &batch.schema()).expect("memory can be written");
    writer.finish().expect("memory can be written");
    drop(writer);
    bytes
}

pub(crate) fn schema_of(bytes: &[u8]) -> Result<SchemaRef, String> {
    let reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(|e| e.to_string())?;
    Ok(reader.schema())
}

pub(crate) fn decode(bytes: &[u8]) -> Result<RecordBatch, String> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None).map_err(|e| e.to_string())?;
    let batch = reader.next().ok_or("no rows")?;
    batch.map_err(|e| e.to_string())
}
