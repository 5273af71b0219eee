use proptest::prelude::*;

use super::*;
use crate::parquet::thrift::{Kind, Struct};

/// A data page of version 1, with a checksum or without.
fn page(values: i64, body: &[u8], checksum: bool) -> Vec<u8> {
    let mut data = Struct::default();
    for (id, value) in [(1, values), (2, 0), (3, 3), (4, 3)] {
        data.set_int(id, Kind::I32, value);
    }
    let mut header = Struct::default();
    header.set_int(1, Kind::I32, 0);
    header.set_int(2, Kind::I32, i64::try_from(body.len()).unwrap());
    header.set_int(3, Kind::I32, i64::try_from(body.len()).unwrap());
    if checksum {
        header.set_int(4, Kind::I32, i64::from(crc32fast::hash(body).cast_signed()));
    }
    header.set(5, Kind::Struct, data.to_bytes().into());
    let mut page = header.to_bytes();
    page.extend_from_slice(body);
    page
}

fn walk(bytes: Vec<u8>, values: u64) -> Result<Walked, String> {
    let chunk = Chunk {
        start: 0,
        length: bytes.len() as u64,
        values,
        rows: values,
        flat: true,
    };
    Walker::default()
        .walk(&Input::from_bytes(bytes.into()), chunk, |_, _| Ok(()))
        .map_err(|trouble| match trouble {
            Trouble::Says(what) => what,
            Trouble::Read(error) => error.to_string(),
        })
}

#[test]
fn pages_are_counted_and_summed() {
    // Small pages, a page longer than any read, and one after it.
    let sizes = [10usize, 0, 70_000, 1_200_000, 3, 20_000, 20_000];
    for checksum in [false, true] {
        let chunk: Vec<u8> = sizes
            .iter()
            .flat_map(|size| page(5, &vec![7; *size], checksum))
            .collect();
        let walked = walk(chunk, 35).unwrap();
        assert_eq!(walked.pages, 7);
        assert_eq!(walked.checksums, if checksum { 7 } else { 0 });
        assert_eq!((walked.data, walked.dictionary), (Some(0), None));
    }
}

#[test]
fn a_header_longer_than_the_first_read_is_read_on() {
    let mut header = Struct::default();
    let page = page(4, b"body", true);
    let mut reader = Reader::new(&page);
    let plain = Struct::parse(&mut reader).unwrap();
    for id in [1, 2, 3, 4] {
        header.set_int(id, Kind::I32, plain.int(id).unwrap());
    }
    let mut data = plain.structure(5).unwrap().unwrap();
    let mut bound = Vec::new();
    crate::parquet::thrift::write_binary(&mut bound, &vec![b'x'; 300_000]);
    let mut statistics = Struct::default();
    statistics.set(5, Kind::Binary, bound.into());
    data.set(5, Kind::Struct, statistics.to_bytes().into());
    header.set(5, Kind::Struct, data.to_bytes().into());
    let mut bytes = header.to_bytes();
    bytes.extend_from_slice(b"body");
    assert_eq!(walk(bytes, 4).unwrap().checksums, 1);
}

#[test]
fn disagreements_say_what_disagrees() {
    let two = || [page(5, b"12345", true), page(5, b"67890", true)].concat();
    assert!(walk(two(), 10).is_ok());
    assert!(
        walk(two(), 11)
            .unwrap_err()
            .contains("hold 10 values where the footer says 11")
    );
    let mut cut = two();
    cut.pop();
    assert!(
        walk(cut, 10)
            .unwrap_err()
            .contains("1 more than the column chunk has")
    );
    let mut flipped = two();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(walk(flipped, 10).unwrap_err().contains("checksum"));
    let mut trailing = two();
    trailing.push(0x15);
    assert!(
        walk(trailing, 10)
            .unwrap_err()
            .contains("no page header at byte")
    );
    let beyond = Chunk {
        start: 1,
        length: u64::MAX,
        values: 1,
        rows: 1,
        flat: true,
    };
    assert!(
        Walker::default()
            .walk(&Input::from_bytes(two().into()), beyond, |_, _| Ok(()))
            .is_err()
    );
}

proptest! {
    #[test]
    fn any_bytes_return(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        fuzz_pages(&bytes);
        crate::parquet::fuzz_footer(&bytes);
    }

    #[test]
    fn flips_never_panic(
        at in 0usize..2000,
        bit in 0u8..8,
        sizes in proptest::collection::vec(0usize..500, 1..8),
    ) {
        let mut bytes: Vec<u8> = sizes.iter().flat_map(|size| page(5, &vec![1; *size], true)).collect();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let _ = walk(bytes, sizes.len() as u64 * 5);
    }
}
