//! Bytes of a Parquet file, read by position so that threads can share one descriptor.
//!
//! The parquet crate reads a `File` by seeking a clone of it, and clones share their place in the
//! file: two splits of one file would disturb each other.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// An open Parquet file, or its bytes in memory. Cheap to clone; safe to share.
#[derive(Debug, Clone)]
pub struct Input {
    bytes: Held,
    length: u64,
    /// What the operating system last refused. The decoders in between make text of errors, so
    /// that a failing disk would look like a damaged file.
    refused: Arc<Mutex<Option<Refused>>>,
}

/// An [`io::Error`], which can't be cloned.
#[derive(Debug, Clone, Copy)]
struct Refused {
    kind: io::ErrorKind,
    number: Option<i32>,
}

#[derive(Debug, Clone)]
enum Held {
    File(Arc<File>),
    Memory(Bytes),
    /// Bytes on a disk that fails from a place on.
    #[cfg(test)]
    Failing(Bytes, u64),
}

impl Input {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::from_file(File::open(path)?)
    }

    /// Takes an open file; its length is read once.
    pub fn from_file(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            bytes: Held::File(Arc::new(file)),
            length,
            refused: Arc::default(),
        })
    }

    /// Takes bytes in memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self {
            length: bytes.len() as u64,
            bytes: Held::Memory(bytes),
            refused: Arc::default(),
        }
    }

    /// The same bytes on a disk that gives an I/O error for what lies at `from` or after.
    #[cfg(test)]
    pub(crate) fn failing_from(mut self, from: u64) -> Self {
        let bytes = match self.bytes {
            Held::Memory(bytes) | Held::Failing(bytes, _) => bytes,
            Held::File(file) => {
                let mut bytes = vec![0; usize::try_from(self.length).unwrap()];
                let mut done = 0;
                while done < bytes.len() {
                    done += read_file_at(&file, &mut bytes[done..], done as u64).unwrap();
                }
                bytes.into()
            }
        };
        self.bytes = Held::Failing(bytes, from);
        self
    }

    /// What the operating system refused while this was read, by any of its clones.
    pub(crate) fn refused(&self) -> Option<io::Error> {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.map(|refused| match refused.number {
            Some(number) => io::Error::from_raw_os_error(number),
            None => refused.kind.into(),
        })
    }

    /// Length in bytes when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The descriptor, if a file is behind it: what lets the kernel copy a range by itself.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.bytes {
            Held::File(file) => Some(file),
            Held::Memory(_) => None,
            #[cfg(test)]
            Held::Failing(..) => None,
        }
    }

    /// Reads at most `into.len()` bytes at `offset`; 0 only at the end.
    pub(crate) fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = match &self.bytes {
            Held::File(file) => read_file_at(file, into, offset),
            Held::Memory(bytes) => Ok(read_bytes_at(bytes, into, offset)),
            #[cfg(test)]
            Held::Failing(bytes, from) if offset + into.len() as u64 <= *from => {
                Ok(read_bytes_at(bytes, into, offset))
            }
            #[cfg(test)]
            // EIO.
            Held::Failing(..) => Err(io::Error::from_raw_os_error(5)),
        };
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Refused {
                kind: error.kind(),
                number: error.raw_os_error(),
            });
        }
        read
    }

    /// Fills `into` from `offset` on.
    pub(crate) fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < into.len() {
            match self.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `length` bytes at `offset`, after checking that the file has them: a length from a broken
    /// footer allocates nothing.
    pub(crate) fn read_vec(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        if offset
            .checked_add(length)
            .is_none_or(|end| end > self.length)
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

fn read_bytes_at(bytes: &[u8], into: &mut [u8], offset: u64) -> usize {
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|at| bytes.get(at..))
        .unwrap_or_default();
    let count = rest.len().min(into.len());
    into[..count].copy_from_slice(&rest[..count]);
    count
}

#[cfg(unix)]
fn read_file_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Input {
    type T = io::BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(io::BufReader::new(From {
            input: self.clone(),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if let Held::Memory(bytes) = &self.bytes {
            let from = usize::try_from(start)?;
            return match from.checked_add(length) {
                Some(to) if to <= bytes.len() => Ok(bytes.slice(from..to)),
                _ => Err(ParquetError::EOF(format!("no {length} bytes at {start}"))),
            };
        }
        Ok(self.read_vec(start, length as u64)?.into())
    }
}

/// Reads on from a place in an [`Input`], with a place of its own.
#[derive(Debug)]
pub struct From {
    input: Input,
    at: u64,
}

impl io::Read for From {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
