//! Where Parquet bytes go: written as usual, or moved as a range without passing through here.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::input::Input;

/// Bytes a copy takes at a time where the kernel can't do it by itself.
const COPY_BUFFER: usize = 256 << 10;

/// An output that bytes of an [`Input`] can be appended to.
pub trait Sink: Write + Send {
    /// Appends `length` bytes of `from`, starting at `offset`.
    fn append_range(&mut self, from: &Input, offset: u64, length: u64) -> io::Result<()>
    where
        Self: Sized,
    {
        copy_by_hand(self, from, offset, length)
    }

    /// Returns when all that was written is on the disk, or is where losing power can't take it.
    fn sync(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Sink for Vec<u8> {}

fn copy_by_hand(to: &mut impl Write, from: &Input, mut offset: u64, length: u64) -> io::Result<()> {
    let end = offset
        .checked_add(length)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let mut buffer = vec![0; COPY_BUFFER.min(usize::try_from(length).unwrap_or(COPY_BUFFER))];
    while offset < end {
        let step = usize::try_from(end - offset)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        from.read_exact_at(&mut buffer[..step], offset)?;
        to.write_all(&buffer[..step])?;
        offset += step as u64;
    }
    Ok(())
}

/// A file as output. Ranges are copied by the kernel where both ends are files and the file
/// system can (`copy_file_range`), which halves the copying and shares blocks where it may.
#[derive(Debug)]
pub struct FileSink {
    file: BufWriter<File>,
    kernel_copies: bool,
}

impl FileSink {
    /// Writes to `file` from its current place on; it must not be open for appending.
    pub fn new(file: File) -> Self {
        Self {
            file: BufWriter::with_capacity(COPY_BUFFER, file),
            kernel_copies: true,
        }
    }

    /// The file, after writing out what is buffered.
    pub fn into_file(self) -> io::Result<File> {
        self.file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for FileSink {
    fn append_range(&mut self, from: &Input, offset: u64, length: u64) -> io::Result<()> {
        let mut done = 0;
        if let Some(source) = from.file().filter(|_| self.kernel_copies) {
            self.file.flush()?;
            done = kernel_copy(source, self.file.get_ref(), offset, length)?;
            self.kernel_copies = done == length;
        }
        copy_by_hand(&mut self.file, from, offset + done, length - done)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

/// Lets the kernel copy a range; returns how much it did before it said that it can't, which
/// depends on both file systems and on the sandbox around this process.
#[cfg(target_os = "linux")]
fn kernel_copy(from: &File, to: &File, offset: u64, length: u64) -> io::Result<u64> {
    use rustix::io::Errno;

    let (mut at, end) = (offset, offset + length);
    while at < end {
        let step = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(from, Some(&mut at), to, None, step) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::FBIG)) => {
                return Err(error.into());
            }
            Err(_) => break,
        }
    }
    Ok(at - offset)
}

#[cfg(not(target_os = "linux"))]
fn kernel_copy(_: &File, _: &File, _: u64, _: u64) -> io::Result<u64> {
    Ok(0)
}
