//! Page indexes and bloom filters of a chunk that moves.
//!
//! A column index and a bloom filter say nothing about places, so their bytes are carried as they
//! are; an offset index holds the file offset of each page. Readers trust it over the page
//! headers, so it is carried only if it agrees with every page that the walk met.
//!
//! Rules: [page index](https://parquet.apache.org/docs/file-format/pageindex/) and
//! [bloom filter](https://parquet.apache.org/docs/file-format/bloomfilter/).

use std::borrow::Cow;

use parquet::schema::types::ColumnDescriptor;

use super::input::Input;
use super::pages::PageHeader;
use super::statistics::is_nan;
use super::thrift::{self, Kind, Malformed, Read, Reader, Struct};

/// Longest index of one chunk that is carried; it is held in memory until the footer.
const MAX_INDEX: u64 = 16 << 20;

/// Bytes that hold the header of a bloom filter: four small fields.
const BLOOM_HEADER: u64 = 64;

/// Bytes at the place that two footer fields give, if the file has them and they aren't absurd.
pub(crate) fn read_range(
    input: &Input,
    offset: Option<i64>,
    length: Option<i64>,
) -> Option<Vec<u8>> {
    let offset = u64::try_from(offset?).ok()?;
    let length = u64::try_from(length?)
        .ok()
        .filter(|length| (1..=MAX_INDEX).contains(length))?;
    input.read_vec(offset, length).ok()
}

/// Where one page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Location {
    offset: i64,
    /// Bytes of the page with its header.
    length: i64,
    first_row: i64,
}

/// The offset index of one column chunk.
#[derive(Debug, Clone)]
pub(crate) struct OffsetIndex {
    locations: Vec<Location>,
    /// Everything but the locations.
    rest: Struct<'static>,
}

impl OffsetIndex {
    pub(crate) fn parse(bytes: &[u8]) -> Read<Self> {
        let index = Struct::from_bytes(bytes)?;
        let pages = index
            .list(1)
            .ok_or(Malformed::Because("an offset index has no pages"))??;
        let location = |page: &&[u8]| {
            let page = Struct::from_bytes(page)?;
            let number = |id| {
                page.int(id)
                    .ok_or(Malformed::Because("a page location is incomplete"))
            };
            Ok(Location {
                offset: number(1)?,
                length: number(2)?,
                first_row: number(3)?,
            })
        };
        let locations = pages.iter().map(location).collect::<Read<_>>()?;
        let mut rest = index.into_owned();
        rest.remove(1);
        Ok(Self { locations, rest })
    }

    pub(crate) fn pages(&self) -> usize {
        self.locations.len()
    }

    /// Whether page number `page` is this one. `first_row` where rows were counted up to it.
    pub(crate) fn agrees(
        &self,
        page: usize,
        at: u64,
        header: &PageHeader,
        first_row: Option<u64>,
    ) -> bool {
        let same = |said: i64, found: u64| u64::try_from(said) == Ok(found);
        self.locations.get(page).is_some_and(|location| {
            same(location.offset, at)
                && same(location.length, header.length + header.body)
                && first_row.is_none_or(|row| same(location.first_row, row))
        })
    }

    /// The index after its chunk moved by `shift` bytes.
    pub(crate) fn moved(&self, shift: i64) -> Vec<u8> {
        let mut pages = Vec::with_capacity(self.locations.len() * 12);
        thrift::write_list(&mut pages, self.locations.len(), Kind::Struct);
        for location in &self.locations {
            let mut page = Struct::default();
            page.set_int(1, Kind::I64, location.offset.saturating_add(shift));
            page.set_int(2, Kind::I32, location.length);
            page.set_int(3, Kind::I64, location.first_row);
            page.write(&mut pages);
        }
        let mut index = self.rest.clone();
        index.set(1, Kind::List, Cow::Owned(pages));
        index.to_bytes()
    }
}

/// Whether a column index fits a chunk of `pages` data pages, and bounds none of them by NaN.
pub(crate) fn column_index_fits(
    bytes: &[u8],
    pages: usize,
    column: &ColumnDescriptor,
    nan_allowed: bool,
) -> bool {
    let Ok(index) = Struct::from_bytes(bytes) else {
        return false;
    };
    let list = |id| index.list(id).and_then(Result::ok);
    let bounds = |id| {
        list(id)
            .filter(|bounds| bounds.len() == pages)
            .is_some_and(|bounds| {
                nan_allowed
                    || bounds
                        .iter()
                        .all(|bound| !is_nan(Reader::new(bound).binary().ok(), column))
            })
    };
    list(1).is_some_and(|null_pages| null_pages.len() == pages) && bounds(2) && bounds(3)
}

/// Where the bloom filter at `offset` is, header and bits: older writers leave its length out of
/// the footer. `None` if there is no whole one.
pub(crate) fn bloom_filter(
    input: &Input,
    offset: Option<i64>,
    length: Option<i64>,
) -> Option<(u64, u64)> {
    let offset = u64::try_from(offset?).ok().filter(|offset| *offset > 0)?;
    let probe = input.length().checked_sub(offset)?.min(BLOOM_HEADER);
    let head = input.read_vec(offset, probe).ok()?;
    let mut reader = Reader::new(&head);
    let bits = u64::try_from(Struct::parse(&mut reader).ok()?.int(1)?).ok()?;
    let whole = bits.checked_add(reader.position() as u64)?;
    let said = length.is_none_or(|length| u64::try_from(length) == Ok(whole));
    let inside = offset.checked_add(whole)? <= input.length();
    (bits > 0 && said && inside).then_some((offset, whole))
}
