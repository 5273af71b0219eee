//! Rows, as kept values one after the other, in chunks that tables share until one changes.

use std::sync::Arc;

/// Rows and bytes after which a new chunk begins.
const ROWS: usize = 1024;
const BYTES: usize = 128 * 1024;

#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunk {
    pub(crate) fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= ROWS || self.bytes.len() >= BYTES
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn row(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..end])
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.row(index))
    }
}

/// Where a row stands: its chunk, then its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowId(pub(crate) i64);

impl RowId {
    pub(crate) fn new(chunk: usize, row: usize) -> Self {
        Self(i64::try_from((chunk << 20) | row).unwrap_or(i64::MAX))
    }

    fn parts(self) -> (usize, usize) {
        let id = usize::try_from(self.0).unwrap_or(usize::MAX);
        (id >> 20, id & 0xF_FFFF)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    chunks: Vec<Arc<Chunk>>,
    count: usize,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    pub(crate) fn get(&self, id: RowId) -> Option<&[u8]> {
        let (chunk, row) = id.parts();
        self.chunks.get(chunk)?.row(row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().flat_map(|chunk| chunk.rows())
    }

    pub(crate) fn push(&mut self, row: &[u8]) {
        match self.chunks.last_mut() {
            Some(last) if !last.is_full() => Arc::make_mut(last).push(row),
            _ => {
                let mut chunk = Chunk::default();
                chunk.push(row);
                self.chunks.push(Arc::new(chunk));
            }
        }
        self.count += 1;
    }

    /// Puts the rows of another behind these, without copying them.
    pub(crate) fn append(&mut self, other: &Rows) {
        self.chunks.extend(other.chunks.iter().cloned());
        self.count += other.count;
    }

    /// The rows with some of them replaced, or taken out where there is nothing to replace them.
    /// The list is sorted by row.
    pub(crate) fn replaced(&self, changes: &[(RowId, Option<Vec<u8>>)]) -> Self {
        let mut chunks = Vec::with_capacity(self.chunks.len());
        let mut count = 0;
        let mut changes = changes.iter().peekable();
        for (number, chunk) in self.chunks.iter().enumerate() {
            if changes.peek().is_none_or(|(id, _)| id.parts().0 != number) {
                count += chunk.len();
                chunks.push(Arc::clone(chunk));
                continue;
            }
            let mut made = Chunk::default();
            for (place, row) in chunk.rows().enumerate() {
                match changes.next_if(|(id, _)| *id == RowId::new(number, place)) {
                    None => made.push(row),
                    Some((_, Some(row))) => made.push(row),
                    Some((_, None)) => {}
                }
            }
            if made.len() > 0 {
                count += made.len();
                chunks.push(Arc::new(made));
            }
        }
        Self { chunks, count }
    }
}
