//! The bytes of a text file, decompressed when need be.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use hygge_core::{Fault, Result, code};

use super::io_fault;

/// Bytes read from the file at a time.
const BUFFER: usize = 256 << 10;

/// A text file's bytes, without compression and without a byte order mark.
pub(crate) struct Text {
    inner: Box<dyn Read + Send>,
    name: String,
    compression: Option<&'static str>,
    skipped: u64,
    taken: Taken,
}

/// Bytes that were taken from a file, compressed or not.
#[derive(Debug, Clone, Default)]
struct Taken(Arc<AtomicU64>);

/// A file whose bytes are counted.
struct Counted {
    file: File,
    taken: Taken,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.taken.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Text {
    pub(crate) fn new(file: File, name: &str) -> Result<Self> {
        let taken = Taken::default();
        let file = Counted {
            file,
            taken: taken.clone(),
        };
        let mut file = BufReader::with_capacity(BUFFER, file);
        let start = file.fill_buf().map_err(|e| io_fault(name, &e))?;
        let ending = Path::new(name)
            .extension()
            .and_then(|e| e.to_str())
            .map(str::to_ascii_lowercase);
        let gzip = start.starts_with(&[0x1f, 0x8b]);
        let zstd = start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        // What the name promises must hold; a compressed file may have any name.
        let compression = match ending.as_deref() {
            Some("gz") => Some("gzip"),
            Some("zst") => Some("zstd"),
            _ if gzip => Some("gzip"),
            _ if zstd => Some("zstd"),
            _ => None,
        };
        let magic: &[u8] = match compression {
            Some("gzip") => &[0x1f, 0x8b],
            Some(_) => &[0x28, 0xb5, 0x2f, 0xfd],
            None => &[],
        };
        if start.len() < magic.len() && magic.starts_with(start) {
            return Err(cut_off(name));
        }
        if let Some(compression) = compression
            && !start.starts_with(magic)
        {
            return Err(
                Fault::new(code::SOURCE_INVALID, format!("{name} isn't {compression}"))
                    .with("file", name)
                    .advise("is it compressed? its name says so"),
            );
        }
        let inner: Box<dyn Read + Send> = match compression {
            Some("gzip") => Box::new(Members::new(file)),
            Some(_) => Box::new(
                zstd::stream::read::Decoder::with_buffer(file).map_err(|e| io_fault(name, &e))?,
            ),
            None => Box::new(file),
        };
        let mut text = Self {
            inner,
            name: name.to_owned(),
            compression,
            skipped: 0,
            taken,
        };
        text.skip_mark()?;
        Ok(text)
    }

    /// The bytes of a file that isn't compressed, from a place within it on.
    pub(crate) fn from(mut file: File, name: &str, at: u64) -> Result<Self> {
        file.seek(SeekFrom::Start(at))
            .map_err(|e| io_fault(name, &e))?;
        let taken = Taken::default();
        let file = Counted {
            file,
            taken: taken.clone(),
        };
        Ok(Self {
            inner: Box::new(BufReader::with_capacity(BUFFER, file)),
            name: name.to_owned(),
            compression: None,
            skipped: 0,
            taken,
        })
    }

    /// Whether a place in the text is a place in the file.
    pub(crate) fn is_plain(&self) -> bool {
        self.compression.is_none()
    }

    /// Bytes taken from the file so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.0.load(Ordering::Relaxed)
    }

    /// Bytes of the byte order mark.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Skips a UTF-8 byte order mark; refuses UTF-16.
    fn skip_mark(&mut self) -> Result<()> {
        let mut start = [0; 3];
        let mut have = 0;
        while have < start.len() {
            match self.read(&mut start[have..])? {
                0 => break,
                n => have += n,
            }
        }
        let start = &start[..have];
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(Fault::new(
                code::SOURCE_INVALID,
                format!("{} is UTF-16 text", self.name),
            )
            .with("file", &self.name)
            .advise("write it as UTF-8, or convert it with `iconv -f UTF-16 -t UTF-8`"));
        }
        if start == [0xef, 0xbb, 0xbf] {
            self.skipped = start.len() as u64;
        } else {
            let rest = std::mem::replace(&mut self.inner, Box::new(io::empty()));
            self.inner = Box::new(io::Cursor::new(start.to_vec()).chain(rest));
        }
        Ok(())
    }

    /// Reads some bytes; 0 at the end.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.inner.read(into) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(&error)),
            }
        }
    }

    fn fault(&self, error: &io::Error) -> Fault {
        let Some(compression) = self.compression else {
            return io_fault(&self.name, error);
        };
        match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_off(&self.name),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                let what = if error.to_string().contains("incomplete") {
                    return cut_off(&self.name);
                } else {
                    error
                };
                Fault::new(
                    code::SOURCE_INVALID,
                    format!("{} isn't valid {compression}: {what}", self.name),
                )
                .with("file", &self.name)
                .advise("the file is damaged; write or fetch it again")
            }
            _ => io_fault(&self.name, error),
        }
    }
}

/// The members of a gzip file, one after the other. Zeros behind the last, which pad blocks of
/// tapes, are no part of it; anything else is.
struct Members<R> {
    current: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    fn new(file: R) -> Self {
        Self {
            current: Some(GzDecoder::new(file)),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.current else {
                return Ok(0);
            };
            let count = member.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            let file = self.current.take().map(GzDecoder::into_inner);
            self.current = match file {
                Some(mut file) => another(&mut file)?.then(|| GzDecoder::new(file)),
                None => None,
            };
        }
    }
}

/// Whether another member follows.
fn another(file: &mut impl BufRead) -> io::Result<bool> {
    let mut padded = false;
    loop {
        let rest = file.fill_buf()?;
        match rest.first() {
            None => return Ok(false),
            Some(0x1f) if !padded => return Ok(true),
            Some(0) => padded = true,
            Some(_) => {
                let what = "something else follows what is compressed";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        file.consume(zeros);
    }
}

fn cut_off(name: &str) -> Fault {
    Fault::new(
        code::SOURCE_INVALID,
        format!("{name} is cut off: its compressed data ends too early"),
    )
    .with("file", name)
    .advise("write or fetch the file again; if it is still being written, wait")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }

    fn read(name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let mut text = Text::new(file, name)?;
        let mut all = Vec::new();
        let mut some = [0; 7];
        loop {
            match text.read(&mut some)? {
                0 => return Ok(all),
                n => all.extend_from_slice(&some[..n]),
            }
        }
    }

    #[test]
    fn members_and_frames_are_read_one_after_the_other() {
        let two = [gzip(b"a,b\n"), gzip(b"1,2\n")].concat();
        assert_eq!(read("x.csv.gz", &two).unwrap(), b"a,b\n1,2\n");
        let frames = [
            zstd::encode_all(&b"a\n"[..], 1).unwrap(),
            zstd::encode_all(&b"1\n"[..], 1).unwrap(),
        ];
        assert_eq!(read("x.csv.zst", &frames.concat()).unwrap(), b"a\n1\n");
        // The name needn't say it.
        assert_eq!(read("x.csv", &gzip(b"a\n")).unwrap(), b"a\n");
    }

    #[test]
    fn bytes_are_counted_as_they_stand_in_the_file() {
        let packed = gzip("some text, again and again. ".repeat(10_000).as_bytes());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&packed).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let mut text = Text::new(file, "x.gz").unwrap();
        while text.read(&mut [0; 1_000]).unwrap() > 0 {}
        assert_eq!(text.taken(), packed.len() as u64);
    }

    #[test]
    fn zeros_may_follow_gzip_and_nothing_else() {
        let behind = |rest: &[u8]| read("x.csv.gz", &[gzip(b"a\n").as_slice(), rest].concat());
        assert_eq!(behind(&[0; 1_000]).unwrap(), b"a\n");
        for junk in [&b"x"[..], b"junk", b"\0\0junk", &[0, 0x1f, 0x8b]] {
            let fault = behind(junk).unwrap_err();
            assert_eq!(
                fault.message,
                "x.csv.gz isn't valid gzip: something else follows what is compressed"
            );
        }
        assert!(
            behind(&[0x1f, 0x8b])
                .unwrap_err()
                .message
                .contains("is cut off")
        );
    }

    #[test]
    fn cut_off_files_say_so() {
        let whole = gzip(b"some text that is long enough to be cut");
        for end in 0..whole.len() {
            let fault = read("x.csv.gz", &whole[..end]).unwrap_err();
            assert_eq!(
                fault.message,
                "x.csv.gz is cut off: its compressed data ends too early"
            );
        }
        let whole = zstd::encode_all(&b"some text"[..], 1).unwrap();
        for end in 0..whole.len() {
            let fault = read("x.csv.zst", &whole[..end]).unwrap_err();
            assert!(fault.message.contains("is cut off"), "{end}: {fault}");
        }
    }

    #[test]
    fn marks_are_looked_at() {
        assert_eq!(read("x", b"\xef\xbb\xbfa").unwrap(), b"a");
        assert_eq!(read("x", b"\xef\xbb").unwrap(), b"\xef\xbb");
        assert_eq!(read("x", b"").unwrap(), b"");
        let fault = read("x", b"\xff\xfea\0").unwrap_err();
        assert_eq!(fault.message, "x is UTF-16 text");
        let fault = read("x.gz", b"plain").unwrap_err();
        assert_eq!(fault.message, "x.gz isn't gzip");
    }
}
