//! How long the parts of an Arrow IPC file say they are, held against the file.
//!
//! arrow's reader makes room for what a block or a compressed buffer claims before it looks
//! whether that is there, and room that can't be had ends the process. So each message is looked
//! at before arrow comes to it. What else may be wrong with a message is for arrow to say.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::vec;

use arrow_ipc::{Block, MessageHeader, RecordBatch, root_as_footer, root_as_message};
use arrow_schema::ArrowError;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// The messages of a file that arrow hasn't come to yet.
pub(super) struct Claims {
    file: File,
    size: u64,
    next: Next,
}

enum Next {
    /// Of the file form, where its footer says they are.
    Blocks(vec::IntoIter<Block>),
    /// Of the stream form, one behind the other from here on.
    At(u64),
}

/// A message, and the bytes that belong to it.
struct Message {
    header: Vec<u8>,
    body: u64,
}

impl Claims {
    /// Looks at a file's footer, and at what is read together with it.
    pub(super) fn of_file(file: &File) -> Result<Self> {
        const END: u64 = 10;
        let mut claims = Self::of(file)?;
        let mut length = [0; 4];
        let Some(at) = claims.size.checked_sub(END) else {
            return Ok(claims);
        };
        claims.file.read_exact_at(&mut length, at)?;
        let Ok(length) = u32::try_from(i32::from_le_bytes(length)) else {
            return Ok(claims);
        };
        let Some(at) = at.checked_sub(length.into()) else {
            return Err(claims.beyond("its footer", length.into()));
        };
        let footer = claims.bytes(at, length.into())?;
        let Ok(footer) = root_as_footer(&footer) else {
            return Ok(claims);
        };
        for block in footer.dictionaries().iter().flatten() {
            claims.block(block)?;
        }
        let batches: Vec<Block> = footer.recordBatches().iter().flatten().copied().collect();
        claims.next = Next::Blocks(batches.into_iter());
        Ok(claims)
    }

    /// Looks at a stream's schema.
    pub(super) fn of_stream(file: &File) -> Result<Self> {
        let mut claims = Self::of(file)?;
        claims.next = Next::At(0);
        claims.step()?;
        Ok(claims)
    }

    fn of(file: &File) -> Result<Self> {
        Ok(Self {
            size: file.metadata()?.len(),
            file: file.try_clone()?,
            next: Next::Blocks(Vec::new().into_iter()),
        })
    }

    /// Looks at what arrow reads next: a batch, and the dictionaries before it.
    pub(super) fn step(&mut self) -> Result<()> {
        match &mut self.next {
            Next::Blocks(blocks) => match blocks.next() {
                Some(block) => self.block(&block),
                None => Ok(()),
            },
            Next::At(at) => {
                let mut from = *at;
                while let Some(message) = self.message(from)? {
                    let Some((end, dictionary)) = self.fits(&message, message.body)? else {
                        break;
                    };
                    from = end;
                    if !dictionary {
                        break;
                    }
                }
                self.next = Next::At(from);
                Ok(())
            }
        }
    }

    fn block(&self, block: &Block) -> Result<()> {
        let lengths = (
            u64::try_from(block.offset()),
            u64::try_from(block.metaDataLength()),
            u64::try_from(block.bodyLength()),
        );
        let (Ok(at), Ok(header), Ok(body)) = lengths else {
            return Err(ArrowError::IpcError("a block of less than no bytes".into()));
        };
        let length = header.saturating_add(body);
        if at.saturating_add(length) > self.size {
            return Err(self.beyond("a block", length));
        }
        if let Some(message) = self.message(at)? {
            self.fits(&message, at + header)?;
        }
        Ok(())
    }

    /// The message that stands there, unless nothing does.
    fn message(&self, at: u64) -> Result<Option<Message>> {
        let Some(mut length) = self.number(at)? else {
            return Ok(None);
        };
        let mut start = at + 4;
        // Before Arrow 0.15 nothing stood before the length.
        if length == u32::MAX {
            let Some(after) = self.number(start)? else {
                return Ok(None);
            };
            (length, start) = (after, start + 4);
        }
        if length == 0 {
            return Ok(None);
        }
        let header = self.bytes(start, length.into())?;
        Ok(Some(Message {
            header,
            body: start + u64::from(length),
        }))
    }

    /// Whether what the message holds can be; gives where it ends, and if it is a dictionary.
    fn fits(&self, message: &Message, body: u64) -> Result<Option<(u64, bool)>> {
        let Ok(header) = root_as_message(&message.header) else {
            return Ok(None);
        };
        let Ok(length) = u64::try_from(header.bodyLength()) else {
            return Ok(None);
        };
        let end = body.saturating_add(length);
        if end > self.size {
            return Err(self.beyond("a message", length));
        }
        let dictionary = header.header_type() == MessageHeader::DictionaryBatch;
        let batch = match dictionary {
            true => header.header_as_dictionary_batch().and_then(|d| d.data()),
            false => header.header_as_record_batch(),
        };
        if let Some(batch) = batch {
            self.compressed(&batch, body)?;
        }
        Ok(Some((end, dictionary)))
    }

    fn compressed(&self, batch: &RecordBatch<'_>, body: u64) -> Result<()> {
        if batch.compression().is_none() {
            return Ok(());
        }
        for buffer in batch.buffers().iter().flatten() {
            let mut said = [0; 8];
            let Ok(offset) = u64::try_from(buffer.offset()) else {
                continue;
            };
            let at = body.saturating_add(offset);
            if buffer.length() < 8 || at.saturating_add(8) > self.size {
                continue;
            }
            self.file.read_exact_at(&mut said, at)?;
            let Ok(said) = usize::try_from(i64::from_le_bytes(said)) else {
                continue;
            };
            // Room that nothing is written to costs nothing.
            if Vec::<u8>::new().try_reserve_exact(said).is_err() {
                let length = buffer.length();
                let what = format!("{length} compressed bytes say they are {said}");
                return Err(ArrowError::IpcError(what));
            }
        }
        Ok(())
    }

    fn number(&self, at: u64) -> io::Result<Option<u32>> {
        if at.saturating_add(4) > self.size {
            return Ok(None);
        }
        let mut number = [0; 4];
        self.file.read_exact_at(&mut number, at)?;
        Ok(Some(u32::from_le_bytes(number)))
    }

    fn bytes(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        let room = usize::try_from(length).ok();
        let Some(room) = room.filter(|_| at.saturating_add(length) <= self.size) else {
            return Err(self.beyond("a message", length));
        };
        let mut bytes = vec![0; room];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn beyond(&self, what: &str, length: u64) -> ArrowError {
        let size = self.size;
        ArrowError::IpcError(format!(
            "{what} says it has {length} bytes, the file {size}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Int64Array, RecordBatch};
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

    use super::*;

    fn batch() -> RecordBatch {
        let words: DictionaryArray<Int32Type> =
            ["a", "b"].into_iter().cycle().take(5_000).collect();
        let numbers = Int64Array::from_iter_values(0..5_000);
        RecordBatch::try_from_iter([("n", Arc::new(numbers) as _), ("w", Arc::new(words) as _)])
            .unwrap()
    }

    fn options() -> IpcWriteOptions {
        IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::LZ4_FRAME))
            .unwrap()
    }

    fn file_form() -> Vec<u8> {
        let mut bytes = Vec::new();
        let schema = batch().schema();
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options()).unwrap();
        writer.write(&batch()).unwrap();
        writer.write(&batch()).unwrap();
        writer.finish().unwrap();
        drop(writer);
        bytes
    }

    fn stream_form() -> Vec<u8> {
        let mut bytes = Vec::new();
        let schema = batch().schema();
        let mut writer =
            StreamWriter::try_new_with_options(&mut bytes, &schema, options()).unwrap();
        writer.write(&batch()).unwrap();
        writer.write(&batch()).unwrap();
        writer.finish().unwrap();
        drop(writer);
        bytes
    }

    /// Looks at all there is in a file of these bytes.
    fn look(bytes: &[u8]) -> Result<()> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut claims = match bytes.starts_with(b"ARROW1") {
            true => Claims::of_file(&file)?,
            false => Claims::of_stream(&file)?,
        };
        for _ in 0..3 {
            claims.step()?;
        }
        Ok(())
    }

    fn places(bytes: &[u8], number: u64) -> Vec<usize> {
        let number = number.to_le_bytes();
        let all = bytes.windows(8).enumerate();
        all.filter(|(_, window)| *window == number)
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn what_arrow_writes_is_true() {
        for bytes in [file_form(), stream_form()] {
            look(&bytes).unwrap();
        }
    }

    #[test]
    fn compressed_bytes_that_claim_all_memory_are_refused() {
        // The numbers of each batch, before they were compressed.
        for whole in [file_form(), stream_form()] {
            let found = places(&whole, 40_000);
            assert_eq!(found.len(), 2);
            for at in found {
                for said in [i64::MAX, 1 << 60] {
                    let mut bytes = whole.clone();
                    bytes[at..at + 8].copy_from_slice(&said.to_le_bytes());
                    let why = look(&bytes).unwrap_err().to_string();
                    assert!(why.contains(&format!("say they are {said}")), "{why}");
                }
            }
        }
    }

    #[test]
    fn blocks_beyond_the_end_are_refused() {
        let whole = file_form();
        let end = whole.len() - 10;
        let length = i32::from_le_bytes(whole[end..end + 4].try_into().unwrap());
        let footer = end - usize::try_from(length).unwrap();
        let footer_bytes = whole[footer..end].to_vec();
        let blocks = root_as_footer(&footer_bytes).unwrap();
        let [dictionaries, batches] = [blocks.dictionaries(), blocks.recordBatches()];
        let lengths = dictionaries.into_iter().chain(batches).flatten();
        let mut looked = 0;
        for block in lengths {
            let length = u64::try_from(block.bodyLength()).unwrap();
            for at in places(&whole[footer..end], length) {
                let mut bytes = whole.clone();
                bytes[footer + at..footer + at + 8].copy_from_slice(&(1_i64 << 31).to_le_bytes());
                let why = look(&bytes).unwrap_err().to_string();
                assert!(why.contains("a block says it has"), "{why}");
                looked += 1;
            }
        }
        assert!(looked >= 3, "{looked}");

        let mut bytes = whole.clone();
        bytes[end..end + 4].copy_from_slice(&i32::MAX.to_le_bytes());
        let why = look(&bytes).unwrap_err().to_string();
        assert!(why.contains("its footer says it has 2147483647"), "{why}");
    }

    #[test]
    fn a_stream_that_was_cut_says_more_than_it_has() {
        let whole = stream_form();
        let why = look(&whole[..whole.len() / 2]).unwrap_err().to_string();
        assert!(why.contains("a message says it has"), "{why}");
    }
}
