//! Walks the pages of a column chunk without decoding them.
//!
//! A chunk is copied as it is, so nothing later would notice that it is cut, shifted or flipped.
//! The walk proves what can be proven cheaply: every header parses, pages fill the chunk exactly,
//! checksums hold where the writer made them, and pages hold as many values as the footer says.
//! Without checksums only the headers are read, which is why a copy costs little more than `cp`.
//!
//! Rules: [data pages](https://parquet.apache.org/docs/file-format/data-pages/) and
//! [checksumming](https://parquet.apache.org/docs/file-format/data-pages/checksumming/): the CRC
//! covers the page as it is stored (for version 2 with its levels), without the header.

use super::error::Trouble;
use super::input::Input;
use super::statistics;
use super::thrift::{Malformed, Read, Reader, Struct};

/// Longest header that is read. Statistics make headers long; Arrow C++ has the same limit.
const MAX_HEADER: u64 = 16 << 20;

/// First try at a header after a large page, and after a small one, when several fit one read.
const PROBE: (u64, u64) = (1 << 10, 64 << 10);

/// Read size for checksums: stays in the second-level cache between the read and the sum.
const BODY: u64 = 256 << 10;

/// Kind of a page, `PageType` in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    Data,
    DataV2,
    Dictionary,
    /// An index page or a kind newer than this code: readers pass over it, and so it is copied.
    Other,
}

/// What a page header says, as far as it can be checked without decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageHeader {
    pub(crate) kind: PageKind,
    /// Bytes of the header itself.
    pub(crate) length: u64,
    /// Bytes of the page after the header, as stored.
    pub(crate) body: u64,
    /// Bytes of the page when it is decompressed.
    pub(crate) uncompressed: u64,
    pub(crate) checksum: Option<u32>,
    /// Values, nulls among them; 0 for pages that hold no data.
    pub(crate) values: u64,
    /// Rows, which only version 2 says.
    pub(crate) rows: Option<u64>,
    /// Values of a dictionary.
    pub(crate) entries: u64,
    /// Whether it holds bounds by the deprecated fields.
    pub(crate) old_bounds: bool,
}

/// A number that the format declares i32 and that can't be negative.
fn count(from: &Struct<'_>, id: i16, missing: &'static str) -> Read<u64> {
    let value = from.int(id).ok_or(Malformed::Because(missing))?;
    match i32::try_from(value).map(u64::try_from) {
        Ok(Ok(count)) => Ok(count),
        _ => Err(Malformed::Because(
            "a count or length in a page header is out of range",
        )),
    }
}

impl PageHeader {
    /// Reads the header at the start of `bytes`, which may go on after it.
    pub(crate) fn parse(bytes: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(bytes);
        let header = Struct::parse(&mut reader)?;
        let kind = match header.int(1) {
            Some(0) => PageKind::Data,
            Some(2) => PageKind::Dictionary,
            Some(3) => PageKind::DataV2,
            Some(_) => PageKind::Other,
            None => return Err(Malformed::Because("a page header has no type")),
        };
        let uncompressed = count(&header, 2, "a page header has no uncompressed size")?;
        let body = count(&header, 3, "a page header has no compressed size")?;
        // The CRC is an unsigned number in a signed field.
        let checksum = match header.int(4).map(i32::try_from) {
            Some(Ok(sum)) => Some(sum.cast_unsigned()),
            Some(Err(_)) => return Err(Malformed::Because("a page checksum is out of range")),
            None => None,
        };
        let inner = |id| {
            header.structure(id).unwrap_or(Err(Malformed::Because(
                "a page header lacks the part for its type",
            )))
        };
        let (mut values, mut rows, mut entries, mut old_bounds) = (0, None, 0, false);
        match kind {
            PageKind::Data => {
                let v1 = inner(5)?;
                values = count(&v1, 1, "a data page has no value count")?;
                old_bounds = statistics::has_old(v1.structure(5));
            }
            PageKind::Dictionary => {
                entries = count(&inner(7)?, 1, "a dictionary page has no value count")?;
            }
            PageKind::DataV2 => {
                let v2 = inner(8)?;
                values = count(&v2, 1, "a data page has no value count")?;
                let nulls = count(&v2, 2, "a data page has no null count")?;
                let row_count = count(&v2, 3, "a data page has no row count")?;
                let levels = count(&v2, 5, "a data page has no level length")?
                    + count(&v2, 6, "a data page has no level length")?;
                if nulls > values || row_count > values {
                    return Err(Malformed::Because(
                        "a data page has more nulls or rows than values",
                    ));
                }
                if levels > body || levels > uncompressed {
                    return Err(Malformed::Because(
                        "the levels of a data page are longer than it",
                    ));
                }
                rows = Some(row_count);
                old_bounds = statistics::has_old(v2.structure(8));
            }
            PageKind::Other => {}
        }
        Ok(Self {
            kind,
            length: reader.position() as u64,
            body,
            uncompressed,
            checksum,
            values,
            rows,
            entries,
            old_bounds,
        })
    }
}

/// What the footer says of a column chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    /// First byte of the first page.
    pub(crate) start: u64,
    /// Bytes of all pages with their headers.
    pub(crate) length: u64,
    /// Values of all data pages, nulls among them.
    pub(crate) values: u64,
    /// Rows of the row group.
    pub(crate) rows: u64,
    /// No repeated field above the values: each row has exactly one.
    pub(crate) flat: bool,
}

/// What a walk over a chunk found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Where the dictionary page is.
    pub(crate) dictionary: Option<u64>,
    /// Where the first data page is; nowhere if the chunk has none.
    pub(crate) data: Option<u64>,
    /// Pages of all kinds.
    pub(crate) pages: u64,
    /// Pages whose checksum was there and right.
    pub(crate) checksums: u64,
}

/// Walks chunks; holds the read buffer from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    window: Vec<u8>,
    /// File offset of the window's first byte.
    at: u64,
}

impl Walker {
    /// Walks all pages of `chunk` and checks them against it. `on_page` hears of each data page
    /// (where it starts, and its header) and may object.
    pub(crate) fn walk(
        &mut self,
        input: &Input,
        chunk: Chunk,
        mut on_page: impl FnMut(u64, &PageHeader) -> Result<(), Trouble>,
    ) -> Result<Walked, Trouble> {
        let end = chunk
            .start
            .checked_add(chunk.length)
            .filter(|end| *end <= input.length());
        let end = end.ok_or("it reaches past the end of the file")?;
        self.forget();
        let mut walked = Walked::default();
        let (mut values, mut rows) = (0u64, Some(0u64));
        let (mut at, mut probe) = (chunk.start, PROBE.1);
        while at < end {
            let header = self.header(input, at, end, probe)?;
            let body = at + header.length;
            let next = body + header.body;
            if next > end {
                return Err(format!(
                    "the page at byte {at} is {} bytes long, {} more than the column chunk has",
                    next - at,
                    next - end
                )
                .into());
            }
            match header.kind {
                PageKind::Dictionary if walked.pages > 0 => {
                    return Err(
                        format!("a dictionary page at byte {at} is not the first page").into(),
                    );
                }
                PageKind::Dictionary => walked.dictionary = Some(at),
                PageKind::Data | PageKind::DataV2 => {
                    walked.data.get_or_insert(at);
                    values += header.values;
                    rows = rows.zip(header.rows).map(|(sum, more)| sum + more);
                    on_page(at, &header)?;
                }
                PageKind::Other => {}
            }
            if let Some(expected) = header.checksum {
                let found = self.checksum(input, body, next)?;
                if found != expected {
                    return Err(format!(
                        "the page at byte {at} has checksum {found:08x} where its header says {expected:08x}"
                    )
                    .into());
                }
                walked.checksums += 1;
            }
            walked.pages += 1;
            probe = if next - at < PROBE.1 / 4 {
                PROBE.1
            } else {
                PROBE.0
            };
            at = next;
        }
        if values != chunk.values {
            return Err(format!(
                "its pages hold {values} values where the footer says {}",
                chunk.values
            )
            .into());
        }
        if chunk.flat && values != chunk.rows {
            return Err(format!(
                "it holds {values} values where the row group has {} rows",
                chunk.rows
            )
            .into());
        }
        match rows {
            // A chunk of version 2 pages says its rows even where rows repeat values.
            Some(rows) if walked.data.is_some() && rows != chunk.rows => Err(format!(
                "its pages hold {rows} rows where the row group has {}",
                chunk.rows
            )
            .into()),
            _ => Ok(walked),
        }
    }

    /// Hears of each header from `start` on, until the chunk ends.
    pub(crate) fn headers(
        &mut self,
        input: &Input,
        start: u64,
        length: u64,
        mut on_page: impl FnMut(&PageHeader),
    ) -> Result<(), Trouble> {
        self.forget();
        let end = start.saturating_add(length).min(input.length());
        let (mut at, mut probe) = (start, PROBE.1);
        while at < end {
            let header = self.header(input, at, end, probe)?;
            on_page(&header);
            let bytes = header.length + header.body;
            probe = if bytes < PROBE.1 / 4 {
                PROBE.1
            } else {
                PROBE.0
            };
            at += bytes;
        }
        Ok(())
    }

    /// Bytes of the header of the dictionary page at `at`; 0 if that is none.
    pub(crate) fn dictionary_header(&mut self, input: &Input, at: u64) -> Result<u64, Trouble> {
        let header = self.header(input, at, input.length(), PROBE.0)?;
        Ok(if header.kind == PageKind::Dictionary {
            header.length
        } else {
            0
        })
    }

    /// The header at `at`, read with as little as it takes.
    fn header(
        &mut self,
        input: &Input,
        at: u64,
        end: u64,
        probe: u64,
    ) -> Result<PageHeader, Trouble> {
        let says = |error| Trouble::Says(format!("no page header at byte {at}: {error}"));
        match PageHeader::parse(self.held(at, end)) {
            Err(Malformed::Cut) => {}
            known => return known.map_err(says),
        }
        let mut length = probe.min(end - at);
        loop {
            self.fill(input, at, length)?;
            match PageHeader::parse(&self.window) {
                Err(Malformed::Cut) if length < MAX_HEADER.min(end - at) => {
                    length = length.saturating_mul(16).min(MAX_HEADER).min(end - at);
                }
                known => return known.map_err(says),
            }
        }
    }

    /// CRC-32 (the one of gzip) of a range.
    fn checksum(&mut self, input: &Input, mut from: u64, to: u64) -> Result<u32, Trouble> {
        let held = self.held(from, to);
        if held.len() as u64 == to - from {
            return Ok(crc32fast::hash(held));
        }
        let mut sum = crc32fast::Hasher::new();
        while from < to {
            let length = (to - from).min(BODY);
            self.fill(input, from, length)?;
            sum.update(&self.window);
            from += length;
        }
        Ok(sum.finalize())
    }

    /// The bytes from `at` to `end`, as far as they were read already.
    fn held(&self, at: u64, end: u64) -> &[u8] {
        let place =
            |offset: u64| usize::try_from(offset.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let to = place(end).min(self.window.len());
        match at < self.at {
            true => &[],
            false => self.window.get(place(at)..to).unwrap_or_default(),
        }
    }

    /// Reads the window anew.
    fn fill(&mut self, input: &Input, at: u64, length: u64) -> Result<(), Trouble> {
        let length = usize::try_from(length).map_err(|_| "a page is too long")?;
        self.window.resize(length, 0);
        // A header of many megabytes is rare, and not to be paid for until the end.
        self.window.shrink_to(1 << 20);
        self.at = at;
        input.read_exact_at(&mut self.window, at).map_err(|error| {
            self.forget();
            error.into()
        })
    }

    fn forget(&mut self) {
        self.window.clear();
    }
}

/// Walks arbitrary bytes as if they were a column chunk: what a fuzzer calls. It must return,
/// whatever the bytes are.
pub fn fuzz_pages(bytes: &[u8]) {
    let input = Input::from_bytes(bytes::Bytes::copy_from_slice(bytes));
    let chunk = Chunk {
        start: 0,
        length: bytes.len() as u64,
        values: 1,
        rows: 1,
        flat: true,
    };
    let _ = Walker::default().walk(&input, chunk, |_, _| Ok(()));
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
