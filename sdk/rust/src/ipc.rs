//! Batches and schemas as the contract carries them: self-contained, uncompressed Arrow IPC
//! streams. A plugin needs this only when it stores rows in that form itself.

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema, SchemaRef};

use crate::{Fault, Result, code};

/// Writes one batch.
pub fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    // What a batch takes is known but for the schema, so nothing is moved while it grows.
    let room = batch.get_array_memory_size() + 1_024 + 256 * batch.num_columns();
    let mut writer =
        StreamWriter::try_new(Vec::with_capacity(room), batch.schema_ref()).map_err(broken)?;
    writer.write(batch).map_err(broken)?;
    writer.into_inner().map_err(broken)
}

/// Reads one batch; the columns share the bytes that are given.
pub fn decode(bytes: Vec<u8>) -> Result<RecordBatch> {
    let mut rest = Buffer::from_vec(bytes);
    let mut decoder = StreamDecoder::new();
    let Some(batch) = decoder.decode(&mut rest).map_err(broken)? else {
        return Err(Fault::new(code::PLUGIN, "an Arrow stream without a batch"));
    };
    if decoder.decode(&mut rest).map_err(broken)?.is_some() {
        return Err(Fault::new(
            code::PLUGIN,
            "an Arrow stream with more than one batch",
        ));
    }
    decoder.finish().map_err(broken)?;
    Ok(batch)
}

/// Writes a schema.
pub fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let writer = StreamWriter::try_new(Vec::new(), schema).map_err(broken)?;
    writer.into_inner().map_err(broken)
}

/// Reads a schema.
pub fn decode_schema(bytes: Vec<u8>) -> Result<SchemaRef> {
    let mut rest = Buffer::from_vec(bytes);
    let mut decoder = StreamDecoder::new();
    let batch = decoder.decode(&mut rest).map_err(broken)?;
    match (decoder.schema(), batch) {
        (Some(schema), None) => Ok(schema),
        (_, Some(_)) => Err(Fault::new(code::PLUGIN, "a schema with rows")),
        (None, None) => Err(Fault::new(code::PLUGIN, "an Arrow stream without a schema")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn broken(error: ArrowError) -> Fault {
    Fault::new(code::PLUGIN, format!("arrow stream: {error}"))
}
