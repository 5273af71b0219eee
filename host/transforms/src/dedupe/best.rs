//! The best row of each key seen so far.

use hashbrown::HashTable;

/// Which of two rows of a key stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    Least,
    Greatest,
}

/// A key and its row, as bytes.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) hash: u128,
    pub(super) key: &'a [u8],
    /// Bytes that compare as rows do.
    pub(super) row: &'a [u8],
}

/// Where a key and its row stand: one after the other.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) hash: u128,
    at: usize,
    key: usize,
    row: usize,
}

/// Rows by their keys, in one piece of memory.
pub(super) struct Best {
    stays: Stays,
    table: HashTable<Entry>,
    bytes: Vec<u8>,
    /// Bytes of rows that gave way to others.
    garbage: usize,
}

impl Best {
    pub(super) fn new(stays: Stays) -> Self {
        Self {
            stays,
            table: HashTable::new(),
            bytes: Vec::new(),
            garbage: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes that are held, with what sorting them takes.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity() + self.table.capacity() * 2 * size_of::<Entry>()
    }

    /// Takes a row in, unless a better one of its key is there.
    pub(super) fn offer(&mut self, given: Row<'_>) {
        let bytes = &self.bytes;
        let found = self.table.find_mut(low(given.hash), |entry| {
            entry.hash == given.hash && bytes[entry.at..][..entry.key] == *given.key
        });
        let Some(entry) = found else {
            let entry = self.append(given);
            self.table
                .insert_unique(low(given.hash), entry, |entry| low(entry.hash));
            return;
        };
        let place = entry.at + entry.key;
        let there = &self.bytes[place..][..entry.row];
        let better = match self.stays {
            Stays::Least => given.row < there,
            Stays::Greatest => given.row > there,
        };
        if !better {
            return;
        }
        if given.row.len() <= entry.row {
            self.garbage += entry.row - given.row.len();
            entry.row = given.row.len();
            self.bytes[place..][..given.row.len()].copy_from_slice(given.row);
        } else {
            self.garbage += entry.key + entry.row;
            let at = self.bytes.len();
            *entry = Entry {
                at,
                row: given.row.len(),
                ..*entry
            };
            self.append(given);
        }
        if self.garbage > 4096 && self.garbage > self.bytes.len() / 2 {
            self.compact();
        }
    }

    fn append(&mut self, given: Row<'_>) -> Entry {
        let at = self.bytes.len();
        let more = given.key.len() + given.row.len();
        if self.bytes.capacity() - at < more {
            // Doubling would hold twice what was asked for.
            self.bytes.reserve_exact(more.max(at / 8).max(4096));
        }
        self.bytes.extend_from_slice(given.key);
        self.bytes.extend_from_slice(given.row);
        Entry {
            hash: given.hash,
            at,
            key: given.key.len(),
            row: given.row.len(),
        }
    }

    /// Moves rows together, over those that gave way.
    fn compact(&mut self) {
        let mut entries: Vec<&mut Entry> = self.table.iter_mut().collect();
        entries.sort_unstable_by_key(|entry| entry.at);
        let mut end = 0;
        for entry in entries {
            let len = entry.key + entry.row;
            self.bytes.copy_within(entry.at..entry.at + len, end);
            entry.at = end;
            end += len;
        }
        self.bytes.truncate(end);
        self.bytes.shrink_to(end + end / 8);
        self.garbage = 0;
    }

    /// All rows, in the order of their hashes and then their keys.
    pub(super) fn sorted(self) -> Sorted {
        let mut entries: Vec<Entry> = self.table.into_iter().collect();
        let bytes = self.bytes;
        let key = |entry: &Entry| &bytes[entry.at..][..entry.key];
        entries.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| key(a).cmp(key(b))));
        Sorted { entries, bytes }
    }
}

/// Rows in order.
pub(super) struct Sorted {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn row(&self, index: usize) -> Row<'_> {
        let entry = self.entries[index];
        let (key, row) = self.bytes[entry.at..][..entry.key + entry.row].split_at(entry.key);
        Row {
            hash: entry.hash,
            key,
            row,
        }
    }
}

/// The bits by which the table finds a key; the others part what is spilled.
#[expect(clippy::cast_possible_truncation, reason = "these bits are meant")]
fn low(hash: u128) -> u64 {
    hash as u64
}
