//! How many rows a batch has: the one number of Arrow IPC that a store must know.

/// Rows of a stream of a schema and a record batch; none when it isn't one.
pub(crate) fn of(stream: &[u8]) -> Option<u64> {
    let schema = Message::at(stream)?;
    let batch = Message::at(&stream[schema.end..])?;
    // A table `Message`: its field 2 leads to a table `RecordBatch`, whose field 0 is the length.
    let message = number(batch.header, 0)?;
    let field = field(batch.header, message, 2)?;
    let record = field + number(batch.header, field)?;
    match self::field(batch.header, record, 0) {
        Some(at) => Some(u64::from_le_bytes(bytes(batch.header, at)?)),
        // What isn't written is 0.
        None => Some(0),
    }
}

struct Message<'a> {
    header: &'a [u8],
    /// Where the next one begins.
    end: usize,
}

impl<'a> Message<'a> {
    fn at(stream: &'a [u8]) -> Option<Self> {
        let length = number(stream, 4)?;
        let header = stream.get(8..8 + length)?;
        let message = number(header, 0)?;
        let body = match field(header, message, 3) {
            Some(at) => usize::try_from(i64::from_le_bytes(bytes(header, at)?)).ok()?,
            None => 0,
        };
        let end = 8 + length + body;
        (end <= stream.len()).then_some(Self { header, end })
    }
}

fn bytes<const N: usize>(of: &[u8], at: usize) -> Option<[u8; N]> {
    of.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn number(of: &[u8], at: usize) -> Option<usize> {
    bytes(of, at).map(|four| u32::from_le_bytes(four) as usize)
}

/// Where a field of the table at `table` stands; none when it isn't written.
fn field(of: &[u8], table: usize, n: usize) -> Option<usize> {
    let back = i32::from_le_bytes(bytes(of, table)?);
    let vtable = usize::try_from(i64::try_from(table).ok()? - i64::from(back)).ok()?;
    let size = u16::from_le_bytes(bytes(of, vtable)?) as usize;
    let entry = 4 + 2 * n;
    if entry + 2 > size {
        return None;
    }
    let offset = u16::from_le_bytes(bytes(of, vtable + entry)?) as usize;
    (offset != 0).then_some(table + offset)
}
