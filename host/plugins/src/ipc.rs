//! Batches and schemas as they cross: Arrow IPC streams, believed in nothing.
//!
//! What a guest gives is looked at twice: first the framing here (one schema, one batch, no
//! dictionaries, no compression, buffers inside the body, lengths that can be), then arrow's own
//! reader, whose validation of offsets, texts and null counts stays on.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::reader::{StreamDecoder, StreamReader};
use arrow_ipc::writer::StreamWriter;
use arrow_ipc::{Message, MessageHeader, root_as_message};
use arrow_schema::{Schema, SchemaRef};
use hygge_core::{Fault, Result};

use crate::columns;
use crate::limits::SCHEMA;

/// A batch for a guest, in a schema that may cross.
pub(crate) fn write_batch(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(batch.get_array_memory_size() + 4_096);
    stream(&mut bytes, &batch.schema(), Some(batch))?;
    Ok(bytes)
}

/// A schema for a guest.
pub(crate) fn write_schema(schema: &Schema) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream(&mut bytes, schema, None)?;
    Ok(bytes)
}

fn stream(bytes: &mut Vec<u8>, schema: &Schema, batch: Option<&RecordBatch>) -> Result<()> {
    let written = StreamWriter::try_new(bytes, schema).and_then(|mut writer| {
        if let Some(batch) = batch {
            writer.write(batch)?;
        }
        writer.finish()
    });
    written.map_err(|error| Fault::internal(format!("a batch for a plugin: {error}")))
}

/// A schema from a guest, or what is wrong with it.
pub(crate) fn read_schema(bytes: &[u8]) -> Result<SchemaRef, String> {
    if bytes.len() > SCHEMA {
        return Err("a schema larger than 1 MiB".to_owned());
    }
    let messages = frame(bytes)?;
    if messages.len() != 1 {
        return Err("a schema with something after it".to_owned());
    }
    let schema = quiet(|| {
        StreamReader::try_new(Cursor::new(bytes), None)
            .map(|reader| reader.schema())
            .map_err(|error| broken(&error))
    })?;
    columns::check(&schema).map_err(|why| format!("a schema with {why}"))?;
    Ok(schema)
}

/// A batch from a guest in the schema it announced, or what is wrong with it.
pub(crate) fn read_batch(
    bytes: Vec<u8>,
    announced: &SchemaRef,
    most_rows: usize,
    most_bytes: usize,
) -> Result<RecordBatch, String> {
    if bytes.len() > most_bytes {
        return Err(format!(
            "a batch of {} bytes, {most_bytes} are allowed",
            bytes.len()
        ));
    }
    let messages = frame(&bytes)?;
    let [_, message] = &messages[..] else {
        return Err("a batch that isn't one schema and one record batch".to_owned());
    };
    let rows = record_batch(message, most_rows)?;
    let batch = quiet(|| decode(bytes))?;
    if batch.num_rows() != rows {
        return Err(format!("{} rows, {rows} were said", batch.num_rows()));
    }
    columns::same(announced, &batch.schema()).map_err(|why| format!("a batch with {why}"))?;
    let rows = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(announced), batch.columns().to_vec(), &rows)
        .map_err(|error| broken(&error))
}

fn decode(bytes: Vec<u8>) -> Result<RecordBatch, String> {
    let mut buffer = Buffer::from_vec(bytes);
    let mut decoder = StreamDecoder::new();
    let batch = decoder
        .decode(&mut buffer)
        .map_err(|error| broken(&error))?;
    batch.ok_or_else(|| "a batch that ends too early".to_owned())
}

fn broken(error: &arrow_schema::ArrowError) -> String {
    format!(
        "Arrow data that isn't valid: {}",
        crate::fault::clean(&error.to_string(), 300)
    )
}

/// A panic of a decoder is damage in what it was given.
fn quiet<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("Arrow data that isn't valid".to_owned()))
}

/// A message's header, and the bytes that belong to it.
struct Framed<'a> {
    message: Message<'a>,
    body: usize,
}

/// Takes a stream apart into its messages; the first is a schema.
fn frame(bytes: &[u8]) -> Result<Vec<Framed<'_>>, String> {
    const CONTINUATION: [u8; 4] = [0xff; 4];
    let short = || "a stream that ends too early".to_owned();
    let mut messages: Vec<Framed<'_>> = Vec::new();
    let mut rest = bytes;
    loop {
        let (mark, after) = rest.split_at_checked(4).ok_or_else(short)?;
        if mark != CONTINUATION {
            return Err("bytes that are no Arrow IPC stream".to_owned());
        }
        let (length, after) = after.split_at_checked(4).ok_or_else(short)?;
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        if length == 0 {
            if !after.is_empty() {
                return Err("a stream with something after its end".to_owned());
            }
            break;
        }
        let (header, after) = after.split_at_checked(length as usize).ok_or_else(short)?;
        let message =
            root_as_message(header).map_err(|_| "a message header that isn't valid".to_owned())?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| short())?;
        let (_, after) = after.split_at_checked(body).ok_or_else(short)?;
        let expected = match messages.len() {
            0 => MessageHeader::Schema,
            _ => MessageHeader::RecordBatch,
        };
        if message.header_type() == MessageHeader::DictionaryBatch {
            return Err("a dictionary, which may not cross".to_owned());
        }
        if message.header_type() != expected || messages.len() == 2 {
            return Err("a stream that isn't one schema and at most one record batch".to_owned());
        }
        messages.push(Framed { message, body });
        rest = after;
    }
    match messages.first() {
        Some(schema) if schema.body == 0 => Ok(messages),
        Some(_) => Err("a schema with a body".to_owned()),
        None => Err("a stream without a schema".to_owned()),
    }
}

/// Looks at the numbers in a record batch's header; gives its rows.
fn record_batch(framed: &Framed<'_>, most_rows: usize) -> Result<usize, String> {
    let batch = framed
        .message
        .header_as_record_batch()
        .ok_or("a record batch without a header")?;
    if batch.compression().is_some() {
        return Err("compressed buffers, which may not cross".to_owned());
    }
    let rows = usize::try_from(batch.length()).map_err(|_| "less than no rows".to_owned())?;
    if rows > most_rows {
        return Err(format!(
            "a batch of {rows} rows, {most_rows} were asked for"
        ));
    }
    let body = i64::try_from(framed.body).unwrap_or(i64::MAX);
    // A value takes a bit at least, except nulls: without this, a list of a few bytes could
    // claim billions of them, and whoever stores it would spell them out.
    let most = body.saturating_mul(8).max(batch.length());
    for node in batch.nodes().iter().flatten() {
        let (length, nulls) = (node.length(), node.null_count());
        if length < 0 || length > i64::from(i32::MAX) || nulls < 0 || nulls > length {
            return Err("lengths that can't be".to_owned());
        }
        if length > most {
            return Err(format!("{length} values in {body} bytes"));
        }
    }
    // Buffers that lie over each other would take more memory apart than they do together.
    let mut together: i64 = 0;
    for buffer in batch.buffers().iter().flatten() {
        let end = buffer.offset().checked_add(buffer.length());
        if buffer.offset() < 0 || buffer.length() < 0 || end.is_none_or(|end| end > body) {
            return Err("a buffer that lies outside the batch".to_owned());
        }
        together = together.saturating_add(buffer.length());
    }
    match together > body {
        true => Err("buffers that lie over each other".to_owned()),
        false => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::IpcWriteOptions;
    use proptest::prelude::*;

    fn batch() -> RecordBatch {
        let n: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let s: ArrayRef = Arc::new(StringArray::from(vec!["ä", "", "text"]));
        RecordBatch::try_from_iter_with_nullable([("n", n, true), ("s", s, false)]).unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<RecordBatch, String> {
        read_batch(bytes, &batch().schema(), 1_000, 1 << 20)
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(read(write_batch(&batch()).unwrap()).unwrap(), batch());
        let schema = read_schema(&write_schema(&batch().schema()).unwrap()).unwrap();
        assert_eq!(schema, batch().schema());
        let empty = batch().slice(0, 0);
        assert_eq!(read(write_batch(&empty).unwrap()).unwrap().num_rows(), 0);
    }

    #[test]
    fn more_than_was_asked_for_is_refused() {
        let bytes = write_batch(&batch()).unwrap();
        let schema = batch().schema();
        assert!(read_batch(bytes.clone(), &schema, 2, 1 << 20).is_err());
        assert!(read_batch(bytes, &schema, 3, 100).is_err());
    }

    #[test]
    fn another_schema_is_refused() {
        let other = batch().project(&[1, 0]).unwrap();
        let why = read(write_batch(&other).unwrap()).unwrap_err();
        assert!(why.contains("was announced"), "{why}");
    }

    #[test]
    fn compression_and_dictionaries_are_refused() {
        let mut bytes = Vec::new();
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .unwrap();
        let long: ArrayRef = Arc::new(Int64Array::from(vec![7; 10_000]));
        let long = RecordBatch::try_from_iter([("n", long)]).unwrap();
        let mut writer =
            StreamWriter::try_new_with_options(&mut bytes, &long.schema(), options).unwrap();
        writer.write(&long).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let why = read_batch(bytes, &long.schema(), 100_000, 1 << 20).unwrap_err();
        assert!(why.contains("compressed"), "{why}");
    }

    #[test]
    fn a_stream_is_one_schema_and_one_batch() {
        let whole = write_batch(&batch()).unwrap();
        let mut twice = whole.clone();
        twice.extend_from_slice(&whole);
        assert!(read(twice).is_err());
        assert!(read(write_schema(&batch().schema()).unwrap()).is_err());
        assert!(read(Vec::new()).is_err());
        assert!(read_schema(&whole).is_err());
    }

    /// All columns of a batch lie in one allocation, and must not be counted once each.
    #[test]
    fn a_wide_batch_is_as_large_as_its_bytes() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7; 5_000]));
        let wide = (0..400).map(|n| (format!("c{n}"), Arc::clone(&column)));
        let wide = RecordBatch::try_from_iter(wide).unwrap();
        let bytes = write_batch(&wide).unwrap();
        let read = read_batch(bytes, &wide.schema(), 10_000, 32 << 20).unwrap();
        assert_eq!(read, wide);
    }

    #[test]
    fn billions_of_nulls_in_a_few_bytes_are_refused() {
        use arrow_array::{FixedSizeListArray, NullArray};
        use arrow_schema::{DataType, Field};
        let item = Arc::new(Field::new("item", DataType::Null, true));
        let many = Arc::new(NullArray::new(1_000_000_000));
        let list: ArrayRef = Arc::new(FixedSizeListArray::new(item, 100_000_000, many, None));
        let bomb = RecordBatch::try_from_iter([("n", list)]).unwrap();
        let bytes = write_batch(&bomb).unwrap();
        let why = read_batch(bytes, &bomb.schema(), 1_000, 1 << 20).unwrap_err();
        assert!(why.contains("values in"), "{why}");
    }

    #[test]
    fn invalid_utf8_is_refused() {
        let mut bytes = write_batch(&batch()).unwrap();
        let at = bytes.windows(4).position(|w| w == b"text").unwrap();
        bytes[at] = 0xff;
        assert!(read(bytes).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Whatever is done to the bytes, reading them ends in rows or in an error.
        #[test]
        fn damage_never_panics(at in 0_usize..2_000, value in any::<u8>(), cut in 0_usize..3_000) {
            let mut bytes = write_batch(&batch()).unwrap();
            let length = bytes.len();
            bytes[at % length] = value;
            bytes.truncate(cut.max(8));
            drop(read(bytes.clone()));
            drop(read_schema(&bytes));
        }
    }
}
