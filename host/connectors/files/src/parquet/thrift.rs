//! The Thrift compact protocol, as far as moving Parquet metadata needs it.
//!
//! The parquet crate keeps its own reader private, and decoding a footer into its types and
//! encoding it again would lose what it doesn't model (column-chunk key values, column orders,
//! fields newer than the crate). So structs are read one level deep: a field is an id, a kind and
//! the bytes of its value. Fields nobody asks about are written back byte for byte.
//!
//! Rules: [Thrift compact protocol](https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).

use std::borrow::Cow;

/// Nesting that a reader follows; Parquet's own structs are less than ten deep.
const MAX_DEPTH: u8 = 48;

/// Why bytes are not a value of the compact protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The bytes end inside a value: with more bytes it might be one.
    Cut,
    /// No continuation makes it one.
    Because(&'static str),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut => f.write_str("Thrift bytes end too early"),
            Self::Because(why) => write!(f, "Thrift bytes: {why}"),
        }
    }
}

/// Result of reading compact Thrift.
pub(crate) type Read<T> = Result<T, Malformed>;

/// Type of a field's value, as the compact protocol numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    True,
    False,
    I8,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List,
    Set,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn from_nibble(nibble: u8) -> Read<Self> {
        Ok(match nibble {
            1 => Self::True,
            2 => Self::False,
            3 => Self::I8,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            10 => Self::Set,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return Err(Malformed::Because("unknown type")),
        })
    }

    fn nibble(self) -> u8 {
        match self {
            Self::True => 1,
            Self::False => 2,
            Self::I8 => 3,
            Self::I16 => 4,
            Self::I32 => 5,
            Self::I64 => 6,
            Self::Double => 7,
            Self::Binary => 8,
            Self::List => 9,
            Self::Set => 10,
            Self::Map => 11,
            Self::Struct => 12,
            Self::Uuid => 13,
        }
    }
}

/// Reads values one after the other; every length is checked against the bytes there are.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Read<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed::Cut)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let end = self.at.checked_add(length).ok_or(Malformed::Cut)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed::Cut)?;
        self.at = end;
        Ok(taken)
    }

    fn varint(&mut self) -> Read<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Because("number longer than 64 bits"))
    }

    /// A zigzag number: i16, i32 and i64 have the same form.
    pub(crate) fn int(&mut self) -> Read<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A string or binary value.
    pub(crate) fn binary(&mut self) -> Read<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Cut)?;
        self.take(length)
    }

    /// Next field of a struct, or `None` at its end. `last` is the id before it, 0 at first.
    pub(crate) fn field(&mut self, last: &mut i16) -> Read<Option<(i16, Kind)>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let kind = Kind::from_nibble(head & 0x0f)?;
        let delta = i16::from(head >> 4);
        let id = if delta == 0 {
            i16::try_from(self.int()?).map_err(|_| Malformed::Because("field id out of range"))?
        } else {
            last.checked_add(delta)
                .ok_or(Malformed::Because("field id out of range"))?
        };
        *last = id;
        Ok(Some((id, kind)))
    }

    /// Head of a list or set: how many elements, of which kind. Every element takes a byte or
    /// more, so a count above the bytes left is refused before anybody allocates for it.
    pub(crate) fn list(&mut self) -> Read<(usize, Kind)> {
        let head = self.byte()?;
        let kind = Kind::from_nibble(head & 0x0f)?;
        let count = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Malformed::Cut)?,
            short => usize::from(short),
        };
        if count > self.left() {
            return Err(Malformed::Cut);
        }
        Ok((count, kind))
    }

    /// Passes over a value and returns its bytes.
    pub(crate) fn raw(&mut self, kind: Kind) -> Read<&'a [u8]> {
        let start = self.at;
        self.skip(kind, MAX_DEPTH)?;
        Ok(&self.bytes[start..self.at])
    }

    /// An element of a list: as a value, but a boolean takes a byte there.
    fn skip_element(&mut self, kind: Kind, depth: u8) -> Read<()> {
        match kind {
            Kind::True | Kind::False => self.byte().map(drop),
            _ => self.skip(kind, depth),
        }
    }

    /// Bytes of one list element.
    pub(crate) fn raw_element(&mut self, kind: Kind) -> Read<&'a [u8]> {
        let start = self.at;
        self.skip_element(kind, MAX_DEPTH)?;
        Ok(&self.bytes[start..self.at])
    }

    fn skip(&mut self, kind: Kind, depth: u8) -> Read<()> {
        let depth = depth
            .checked_sub(1)
            .ok_or(Malformed::Because("nested too deep"))?;
        match kind {
            Kind::True | Kind::False => {}
            Kind::I8 => drop(self.byte()?),
            Kind::I16 | Kind::I32 | Kind::I64 => drop(self.varint()?),
            Kind::Double => drop(self.take(8)?),
            Kind::Uuid => drop(self.take(16)?),
            Kind::Binary => drop(self.binary()?),
            Kind::List | Kind::Set => {
                let (count, element) = self.list()?;
                for _ in 0..count {
                    self.skip_element(element, depth)?;
                }
            }
            Kind::Map => {
                let count = self.varint()?;
                if count > self.left() as u64 {
                    return Err(Malformed::Cut);
                }
                if count > 0 {
                    let kinds = self.byte()?;
                    let (key, value) = (
                        Kind::from_nibble(kinds >> 4)?,
                        Kind::from_nibble(kinds & 0x0f)?,
                    );
                    for _ in 0..count {
                        self.skip_element(key, depth)?;
                        self.skip_element(value, depth)?;
                    }
                }
            }
            Kind::Struct => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth)?;
                }
            }
        }
        Ok(())
    }
}

/// A struct read one level deep: its fields by id, each value still in its bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Struct<'a> {
    /// Sorted by id, no id twice.
    fields: Vec<(i16, Kind, Cow<'a, [u8]>)>,
}

impl<'a> Struct<'a> {
    pub(crate) fn parse(reader: &mut Reader<'a>) -> Read<Self> {
        let mut fields = Vec::new();
        let mut last = 0;
        while let Some((id, kind)) = reader.field(&mut last)? {
            fields.push((id, kind, Cow::Borrowed(reader.raw(kind)?)));
        }
        fields.sort_by_key(|(id, ..)| *id);
        if fields.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Malformed::Because("a field stands twice"));
        }
        Ok(Self { fields })
    }

    /// The struct that `bytes` hold.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Read<Self> {
        Self::parse(&mut Reader::new(bytes))
    }

    /// The struct apart from the bytes it was read from.
    pub(crate) fn into_owned(self) -> Struct<'static> {
        let own = |(id, kind, bytes): (i16, Kind, Cow<'a, [u8]>)| {
            (id, kind, Cow::Owned(bytes.into_owned()))
        };
        Struct {
            fields: self.fields.into_iter().map(own).collect(),
        }
    }

    fn find(&self, id: i16) -> Result<usize, usize> {
        self.fields.binary_search_by_key(&id, |(id, ..)| *id)
    }

    /// Bytes of a field, if it is there with that kind.
    pub(crate) fn get(&self, id: i16, kind: Kind) -> Option<&[u8]> {
        let (_, found, bytes) = &self.fields[self.find(id).ok()?];
        (*found == kind).then_some(bytes)
    }

    /// [`Self::get`] of a field that was read and not set since, for as long as its bytes live.
    pub(crate) fn original(&self, id: i16, kind: Kind) -> Option<&'a [u8]> {
        match &self.fields[self.find(id).ok()?] {
            (_, found, Cow::Borrowed(bytes)) if *found == kind => Some(bytes),
            _ => None,
        }
    }

    /// Whether a field is there, of whatever kind.
    pub(crate) fn has(&self, id: i16) -> bool {
        self.find(id).is_ok()
    }

    /// A number field: i16, i32 or i64.
    pub(crate) fn int(&self, id: i16) -> Option<i64> {
        let (_, kind, bytes) = &self.fields[self.find(id).ok()?];
        matches!(kind, Kind::I16 | Kind::I32 | Kind::I64)
            .then(|| Reader::new(bytes).int().ok())
            .flatten()
    }

    /// A string or binary field.
    pub(crate) fn binary(&self, id: i16) -> Option<&[u8]> {
        Reader::new(self.get(id, Kind::Binary)?).binary().ok()
    }

    /// A struct field.
    pub(crate) fn structure(&self, id: i16) -> Option<Read<Struct<'_>>> {
        self.get(id, Kind::Struct).map(Struct::from_bytes)
    }

    /// A list field's elements, each still in its bytes.
    pub(crate) fn list(&self, id: i16) -> Option<Read<Vec<&[u8]>>> {
        self.get(id, Kind::List).map(elements)
    }

    /// Puts a field in, or in the place of the one with that id.
    pub(crate) fn set(&mut self, id: i16, kind: Kind, bytes: Cow<'a, [u8]>) {
        match self.find(id) {
            Ok(at) => self.fields[at] = (id, kind, bytes),
            Err(at) => self.fields.insert(at, (id, kind, bytes)),
        }
    }

    /// [`Self::set`] for a number.
    pub(crate) fn set_int(&mut self, id: i16, kind: Kind, value: i64) {
        let mut bytes = Vec::with_capacity(10);
        write_int(&mut bytes, value);
        self.set(id, kind, Cow::Owned(bytes));
    }

    /// Takes a field out; true if it was there.
    pub(crate) fn remove(&mut self, id: i16) -> bool {
        self.find(id).map(|at| self.fields.remove(at)).is_ok()
    }

    /// Writes all fields and the end of the struct.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut last = 0;
        for (id, kind, bytes) in &self.fields {
            match id.checked_sub(last).map(u8::try_from) {
                Some(Ok(delta @ 1..=15)) => out.push(delta << 4 | kind.nibble()),
                _ => {
                    out.push(kind.nibble());
                    write_int(out, i64::from(*id));
                }
            }
            out.extend_from_slice(bytes);
            last = *id;
        }
        out.push(0);
    }

    /// The struct's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// The elements of a list value, each still in its bytes.
pub(crate) fn elements(list: &[u8]) -> Read<Vec<&[u8]>> {
    let mut reader = Reader::new(list);
    let (count, kind) = reader.list()?;
    (0..count).map(|_| reader.raw_element(kind)).collect()
}

pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A zigzag number.
pub(crate) fn write_int(out: &mut Vec<u8>, value: i64) {
    write_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// A string or binary value.
pub(crate) fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Head of a list of `count` elements, which the caller writes after it.
pub(crate) fn write_list(out: &mut Vec<u8>, count: usize, kind: Kind) {
    match u8::try_from(count) {
        Ok(short @ 0..=14) => out.push(short << 4 | kind.nibble()),
        _ => {
            out.push(0xf0 | kind.nibble());
            write_varint(out, count as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN, 1 << 40] {
            let mut out = Vec::new();
            write_int(&mut out, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.int(), Ok(value));
            assert_eq!(reader.position(), out.len());
        }
    }

    #[test]
    fn fields_that_nobody_touches_come_back() {
        let mut inner = Struct::default();
        inner.set_int(3, Kind::I64, -7);
        let mut outer = Struct::default();
        outer.set(200, Kind::Struct, inner.to_bytes().into());
        outer.set(1, Kind::True, Cow::Borrowed(&[]));
        outer.set_int(2, Kind::I32, 5);
        let bytes = outer.to_bytes();
        let read = Struct::from_bytes(&bytes).unwrap();
        assert_eq!(read.int(2), Some(5));
        assert_eq!(read.structure(200).unwrap().unwrap().int(3), Some(-7));
        assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn counts_are_held_against_the_bytes_left() {
        let mut list = Vec::new();
        write_list(&mut list, 1 << 40, Kind::Struct);
        assert_eq!(elements(&list), Err(Malformed::Cut));
        let nested = vec![0x1c; 10_000];
        assert!(matches!(
            Struct::from_bytes(&nested),
            Err(Malformed::Because(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(read) = Struct::from_bytes(&bytes) {
                let again = read.to_bytes();
                prop_assert_eq!(Struct::from_bytes(&again).unwrap().to_bytes(), again);
            }
        }
    }
}
