//! Reads the protocol's numbers and texts from a slice; nothing here can read past its end.

use crate::fault::{Result, SqlError};

/// The bytes ended before the value did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Short;

impl From<Short> for SqlError {
    fn from(_: Short) -> Self {
        SqlError::protocol("a message ends too early")
    }
}

#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn take(&mut self, count: usize) -> std::result::Result<&'a [u8], Short> {
        let end = self.at.checked_add(count).ok_or(Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(Short)?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> std::result::Result<[u8; N], Short> {
        self.take(N)?.try_into().map_err(|_| Short)
    }

    pub(crate) fn u8(&mut self) -> std::result::Result<u8, Short> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> std::result::Result<u16, Short> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> std::result::Result<u32, Short> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> std::result::Result<i32, Short> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> std::result::Result<u64, Short> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of UTF-16 units in one byte, then the text (`B_VARCHAR`, 2.2.5.1.2).
    pub(crate) fn b_varchar(&mut self) -> Result<String> {
        let units = usize::from(self.u8()?);
        utf16(self.take(units * 2)?)
    }

    /// The same with a count of two bytes (`US_VARCHAR`).
    pub(crate) fn us_varchar(&mut self) -> Result<String> {
        let units = usize::from(self.u16()?);
        utf16(self.take(units * 2)?)
    }
}

/// Little-endian UTF-16 as a text; a message's own texts must be well-formed.
pub(crate) fn utf16(bytes: &[u8]) -> Result<String> {
    if !bytes.len().is_multiple_of(2) {
        return Err(SqlError::protocol("a text has half a character"));
    }
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| SqlError::protocol("a text is not UTF-16"))
}

/// Appends a text as little-endian UTF-16.
pub(crate) fn put_utf16(out: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16() {
        out.extend(unit.to_le_bytes());
    }
}

/// Appends a `B_VARCHAR`, cut where its count could not hold it.
pub(crate) fn put_b_varchar(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(255).collect();
    out.push(u8::try_from(units.len()).unwrap_or(u8::MAX));
    units.iter().for_each(|unit| out.extend(unit.to_le_bytes()));
}

/// Appends a `US_VARCHAR`, cut where its count could not hold it.
pub(crate) fn put_us_varchar(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(65_535).collect();
    out.extend(u16::try_from(units.len()).unwrap_or(u16::MAX).to_le_bytes());
    units.iter().for_each(|unit| out.extend(unit.to_le_bytes()));
}
