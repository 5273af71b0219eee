//! Row groups whose pages don't fit the memory side by side give the same rows as all others.

use arrow_array::types::{Float64Type, UInt8Type};
use arrow_array::{
    BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, ListArray,
    StructArray, TimestampMillisecondArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::Field;
use hygge_core::Memory;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterVersion;
use proptest::prelude::*;

use super::*;

/// A run with that much memory, and what it said.
fn run(memory: usize) -> (Context, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let cx = Context {
        share: Arc::new(Memory::new(memory).join()),
        notes: Arc::clone(&heard) as Arc<dyn Notes>,
        ..Context::inline()
    };
    (cx, heard)
}

fn spooled(heard: &Heard) -> bool {
    let said = heard.0.lock().unwrap();
    said.iter().any(|line| line.contains("spare file"))
}

/// Random numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// Below 256.
    fn few(&mut self, sides: u64) -> u8 {
        u8::try_from(self.roll(sides)).unwrap()
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(4) > 0).then(|| value(self))
    }

    fn signed(&mut self) -> i64 {
        self.roll(u64::MAX).cast_signed()
    }

    fn text(&mut self) -> String {
        let length = match self.roll(40) {
            0 => 700,
            short => short / 2,
        };
        (0..length)
            .map(|_| char::from(b'a' + self.few(26)))
            .collect()
    }
}

/// Rows of every shape that pages have.
fn table(seed: u64, rows: usize) -> RecordBatch {
    let mut dice = Dice(seed);
    let each = 0..rows;
    let whole: Int64Array = each.clone().map(|_| Some(dice.signed())).collect();
    let few: Int64Array = each
        .clone()
        .map(|_| dice.maybe(|d| i64::from(d.few(3))))
        .collect();
    let texts: StringArray = each.clone().map(|_| dice.maybe(Dice::text)).collect();
    let bytes: BinaryArray = each
        .clone()
        .map(|_| dice.maybe(|d| d.text().into_bytes()))
        .collect();
    let words: DictionaryArray<Int32Type> = each
        .clone()
        .map(|_| dice.maybe(|d| ["one", "another", "a third"][usize::from(d.few(3))]))
        .collect();
    let small: DictionaryArray<UInt8Type> = each
        .clone()
        .map(|_| Some(["yes", "no"][usize::from(dice.few(2))]))
        .collect();
    let bools: BooleanArray = each
        .clone()
        .map(|_| dice.maybe(|d| d.roll(2) == 0))
        .collect();
    let money: Decimal128Array = each
        .clone()
        .map(|_| dice.maybe(|d| i128::from(d.signed()) * 1_000))
        .collect::<Decimal128Array>()
        .with_precision_and_scale(30, 4)
        .unwrap();
    let ids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        each.clone()
            .map(|_| dice.maybe(|d| d.signed().to_le_bytes())),
        8,
    )
    .unwrap();
    let times: TimestampMillisecondArray = each
        .clone()
        .map(|_| dice.maybe(|d| d.roll(1 << 40).cast_signed()))
        .collect();
    let list = |dice: &mut Dice| -> Option<Vec<Option<i32>>> {
        dice.maybe(|d| {
            let length = if d.roll(50) == 0 { 300 } else { d.roll(5) };
            (0..length)
                .map(|_| d.maybe(|d| i32::from(d.few(250))))
                .collect()
        })
    };
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        each.clone().map(|_| list(&mut dice)).collect::<Vec<_>>(),
    );
    let floats = ListArray::from_iter_primitive::<Float64Type, _, _>(
        each.clone()
            .map(|_| dice.maybe(|d| (0..d.roll(4)).map(|n| Some(n as f64)).collect::<Vec<_>>()))
            .collect::<Vec<_>>(),
    );
    let names: StringArray = each.clone().map(|_| dice.maybe(Dice::text)).collect();
    let valid: Vec<bool> = each.map(|_| dice.roll(5) > 0).collect();
    let field = |name: &str, array: &dyn arrow_array::Array| {
        Arc::new(Field::new(name, array.data_type().clone(), true))
    };
    let pairs = StructArray::new(
        vec![field("name", &names), field("floats", &floats)].into(),
        vec![Arc::new(names), Arc::new(floats)],
        Some(NullBuffer::from(valid)),
    );
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("whole", Arc::new(whole), false),
        ("few", Arc::new(few), true),
        ("texts", Arc::new(texts), true),
        ("bytes", Arc::new(bytes), true),
        ("words", Arc::new(words), true),
        ("small", Arc::new(small), false),
        ("bools", Arc::new(bools), true),
        ("money", Arc::new(money), true),
        ("ids", Arc::new(ids), true),
        ("times", Arc::new(times), true),
        ("lists", Arc::new(lists), true),
        ("pairs", Arc::new(pairs), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[derive(Debug, Clone)]
struct Layout {
    group_rows: usize,
    page_bytes: usize,
    dictionaries: bool,
    second: bool,
    delta: bool,
    compressed: bool,
    index: bool,
}

fn store(path: &Path, rows: &RecordBatch, layout: &Layout) {
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_data_page_size_limit(layout.page_bytes)
        .set_dictionary_page_size_limit(layout.page_bytes)
        .set_write_batch_size(32)
        .set_dictionary_enabled(layout.dictionaries)
        .set_offset_index_disabled(!layout.index)
        .set_writer_version(match layout.second {
            true => WriterVersion::PARQUET_2_0,
            false => WriterVersion::PARQUET_1_0,
        })
        .set_compression(match layout.compressed {
            true => Compression::ZSTD(ZstdLevel::default()),
            false => Compression::UNCOMPRESSED,
        });
    if layout.delta {
        for (column, encoding) in [
            ("whole", Encoding::DELTA_BINARY_PACKED),
            ("texts", Encoding::DELTA_BYTE_ARRAY),
            ("bytes", Encoding::DELTA_LENGTH_BYTE_ARRAY),
            ("ids", Encoding::BYTE_STREAM_SPLIT),
        ] {
            properties = properties
                .set_column_dictionary_enabled(column.into(), false)
                .set_column_encoding(column.into(), encoding);
        }
    }
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties.build())).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// Pages too large for 40,000 bytes of memory.
fn long_pages() -> Layout {
    Layout {
        group_rows: 1_000,
        page_bytes: 8_000,
        dictionaries: false,
        second: false,
        delta: false,
        compressed: false,
        index: false,
    }
}

fn layouts() -> impl Strategy<Value = Layout> {
    (
        100_usize..2_000,
        512_usize..8_000,
        prop::array::uniform5(any::<bool>()),
    )
        .prop_map(
            |(group_rows, page_bytes, [dictionaries, second, delta, compressed, index])| Layout {
                group_rows,
                page_bytes,
                dictionaries,
                second,
                delta,
                compressed,
                index,
            },
        )
}

fn rows_from(
    home: &FilesHome,
    plan: &SplitPlan,
    at: &Position,
    bytes: usize,
    cx: &Context,
) -> (RecordBatch, Vec<(usize, Position)>) {
    let steps = from(home, plan, 0, at, &want(bytes), cx).unwrap();
    let mut done = 0;
    let (batches, positions): (Vec<_>, Vec<_>) = steps
        .into_iter()
        .map(|(batch, position)| {
            done += usize::try_from(batch.rows()).unwrap();
            (rows_of(batch), (done, position))
        })
        .unzip();
    (together(&plan.schema, &batches), positions)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_the_same_whatever_the_memory(
        seed in any::<u64>(),
        rows in 500_usize..3_000,
        layout in layouts(),
        batch_bytes in 1_000_usize..60_000,
        memory in 20_000_usize..60_000,
        pick in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let table = table(seed, rows);
        store(&folder.path().join("a.parquet"), &table, &layout);
        let home = home(folder.path(), json!({"path": "a.parquet"}));
        let plan = plan(&home).unwrap();
        let (roomy, heard) = run(256 << 20);
        let (whole, _) = rows_from(&home, &plan, &Position::start(), batch_bytes, &roomy);
        prop_assert!(!spooled(&heard));
        prop_assert_eq!(&whole, &table);
        let (scarce, heard) = run(memory);
        let (same, positions) = rows_from(&home, &plan, &Position::start(), batch_bytes, &scarce);
        // Short row groups and pages fit into little memory as they are.
        prop_assert!(spooled(&heard) || layout.group_rows < 400 || layout.page_bytes < 1_000);
        prop_assert_eq!(&same, &table);
        // Reading may go on from each place, with any memory.
        let (before, position) = pick.get(&positions);
        if *before < rows {
            for cx in [&scarce, &roomy] {
                let (rest, _) = rows_from(&home, &plan, position, batch_bytes, cx);
                prop_assert_eq!(&rest, &table.slice(*before, rows - before));
            }
        }
        // Nothing is left behind.
        prop_assert_eq!(fs::read_dir(folder.path().join(".hygge")).unwrap().count(), 0);
    }

    #[test]
    fn flipped_bits_are_told_or_harmless(seed in any::<u64>(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let layout = Layout {
            group_rows: 400,
            page_bytes: 4_000,
            dictionaries: seed % 2 == 0,
            second: seed % 3 == 0,
            delta: seed % 5 == 0,
            ..long_pages()
        };
        store(&path, &table(seed, 700), &layout);
        let mut bytes = fs::read(&path).unwrap();
        let length = bytes.len();
        bytes[at.index(length)] ^= 1_u8 << bit;
        fs::write(&path, bytes).unwrap();
        let home = home(folder.path(), json!({"path": "x.parquet"}));
        let read = |memory| {
            let plan = plan(&home)?;
            let (cx, _) = run(memory);
            let steps = steps(&home, &plan, &want(10_000), &cx)?;
            let batches: Vec<RecordBatch> = steps.into_iter().map(|(_, b, _)| rows_of(b)).collect();
            Ok::<_, Fault>(concat_batches(&plan.schema, &batches).unwrap())
        };
        // What levels mean that can't be depends on how many of them are read at once, so the rows
        // of such a page may differ; their number may not.
        let (roomy, scarce) = (read(256 << 20), read(40_000));
        for fault in [&roomy, &scarce].into_iter().filter_map(|read| read.as_ref().err()) {
            prop_assert!(
                [code::SOURCE_INVALID, code::SCHEMA, code::MEMORY].contains(&fault.code.as_ref()),
                "{:?}", fault
            );
        }
        if let (Ok(one), Ok(other)) = (roomy, scarce) {
            prop_assert_eq!(one.num_rows(), other.num_rows());
        }
    }
}

#[test]
fn a_run_that_is_stopped_leaves_the_columns_that_are_left() {
    let folder = tempfile::tempdir().unwrap();
    store(
        &folder.path().join("a.parquet"),
        &table(7, 900),
        &long_pages(),
    );
    let home = home(folder.path(), json!({"path": "a.parquet"}));
    let plan = plan(&home).unwrap();
    let (cx, _) = run(40_000);
    cx.stop.set();
    let fault = steps(&home, &plan, &want(10_000), &cx).unwrap_err();
    assert_eq!(fault.code, code::STOPPED);
}

#[test]
fn a_spare_file_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    store(
        &folder.path().join("a.parquet"),
        &table(7, 900),
        &long_pages(),
    );
    fs::write(folder.path().join(".hygge"), "in the way").unwrap();
    let home = home(folder.path(), json!({"path": "a.parquet"}));
    let plan = plan(&home).unwrap();
    let (cx, _) = run(40_000);
    let fault = steps(&home, &plan, &want(10_000), &cx).unwrap_err();
    assert_eq!(fault.code, code::SOURCE_IO);
    let place = folder.path().join(".hygge");
    let told = format!("can't write rows for a while in {}: ", place.display());
    assert!(fault.message.starts_with(&told), "{}", fault.message);
}
