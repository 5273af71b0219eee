//! CSV and NDJSON: what is taken, and how it is said when something isn't.

use proptest::prelude::*;

use super::*;

#[test]
fn text_that_does_not_fit_is_said_with_file_line_column_and_value() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let fault = |name: &str, text: &str, more: serde_json::Value| {
        fs::write(root.join(name), text).unwrap();
        let mut settings = json!({"path": name, "infer_rows": 2});
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        read_all(&home(root, settings)).unwrap_err()
    };
    let late = fault("a.csv", "n,s\n1,\"a\nb\"\n2,c\nx,d\n", json!({}));
    assert_eq!(
        late.message,
        "a.csv, line 5: \"x\" in column \"n\" is not of type int64"
    );
    assert!(late.advice.unwrap().contains("schema: {n: string}"));
    let empty = fault(
        "b.csv",
        "n,m\n1,2\n2,3\n,4\n",
        json!({"null_values": ["NA"]}),
    );
    assert_eq!(
        empty.message,
        "b.csv, line 4: \"\" in column \"n\" is not of type int64"
    );
    let ragged = fault("c.csv", "n,m\n1,2\n2,3\n4\n", json!({}));
    assert_eq!(ragged.message, "c.csv, line 4: the row has 1 value, not 2");
    let twice = fault("d.csv", "n,m,n\n", json!({}));
    assert_eq!(
        twice.message,
        "d.csv, line 1: columns 1 and 3 are both named \"n\""
    );
    let unnamed = fault("e.csv", "n,,m\n", json!({}));
    assert_eq!(unnamed.message, "e.csv, line 1: column 2 has no name");
    let latin = fault("f.csv", "n\n1\n", json!({"schema": {"m": "string"}}));
    assert_eq!(
        latin.message,
        "`schema` names column \"m\", which no file has"
    );

    let lines = "{\"n\": 1}\n\n{\"n\": 2}\n{\"n\": 1.5}\n";
    let late = fault("a.ndjson", lines, json!({}));
    assert!(late.message.starts_with("a.ndjson, line 4: "), "{late}");
    assert!(late.message.contains("1.5 is not of type int64"), "{late}");
    let broken = fault(
        "b.ndjson",
        "{\"n\": 1}\n{\"n\": 2}\n{\"n\": \n3}\n",
        json!({}),
    );
    assert!(broken.message.starts_with("b.ndjson, line 3: "), "{broken}");
    let unknown = fault(
        "c.ndjson",
        "{\"n\": 1}\n{\"n\": 2}\n{\"m\": 3}\n",
        json!({}),
    );
    assert!(
        unknown.message.starts_with("c.ndjson, line 3: "),
        "{unknown}"
    );
    let array = fault("d.ndjson", "[{\"n\": 1}]", json!({}));
    assert_eq!(
        array.message,
        "d.ndjson, line 1: a JSON array, not one JSON object a line"
    );
    // Blank to ASCII, but not to JSON; also behind what types are inferred from.
    for infer in [1, 10] {
        let feed = "{\"n\": 1}\n \u{c} \n";
        let feed = fault("f.ndjson", feed, json!({"infer_rows": infer}));
        assert_eq!(
            feed.message,
            "f.ndjson, line 2: not valid JSON near `\\u{c}`: expected value"
        );
    }
    let mixed = fault("e.ndjson", "{\"n\": 1}\n{\"n\": \"x\"}\n", json!({}));
    assert_eq!(
        mixed.message,
        "e.ndjson: column \"n\" holds numbers and strings"
    );
}

#[test]
fn whole_numbers_that_a_float_would_round_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let read = |name: &str, text: &str, more: serde_json::Value| {
        fs::write(root.join(name), text).unwrap();
        let mut settings = json!({"path": name, "infer_rows": 1});
        let more = more.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(more);
        read_all(&home(root, settings))
    };
    let none = json!({});
    let float = json!({"schema": {"n": "float64"}});
    let rows = "0.5\n".repeat(100);
    for (late, more) in [
        ("9007199254740993", &none),
        ("9007199254740993", &float),
        ("0.12345678901234567890123", &none),
    ] {
        let text = format!("n\n{rows}{late}\n");
        assert_eq!(
            read("a.csv", &text, more.clone()).unwrap_err().message,
            format!("a.csv, line 102: \"{late}\" in column \"n\" is not of type float64")
        );
    }
    // Who declares a float asks for the nearest one, of fractions.
    let text = format!("n\n{rows}0.12345678901234567890123\n9007199254740994\n");
    assert_eq!(read("a.csv", &text, float.clone()).unwrap().num_rows(), 102);
    let padded = format!("n\n{}007\n", "1\n".repeat(100));
    assert_eq!(
        read("a.csv", &padded, none.clone()).unwrap_err().message,
        "a.csv, line 102: \"007\" in column \"n\" is not of type int64"
    );
    let both = "n\n9007199254740993\n9007199254740992\n1.5\n";
    let batch = read("b.csv", both, json!({"infer_rows": 9})).unwrap();
    let texts: Vec<Option<&str>> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(
        texts[..2],
        [Some("9007199254740993"), Some("9007199254740992")]
    );

    for (first, late, kind) in [
        ("0.5", "9007199254740993", "float64"),
        ("0.5", "18446744073709551617", "float64"),
        ("1", "-9223372036854775809", "int64"),
        ("18446744073709551615", "18446744073709551616", "uint64"),
    ] {
        let text = format!("{{\"n\": {first}}}\n").repeat(200) + &format!("{{\"n\": {late}}}\n");
        assert_eq!(
            read("a.ndjson", &text, none.clone()).unwrap_err().message,
            format!("a.ndjson, line 201: whilst decoding field 'n': {late} is not of type {kind}")
        );
    }
    let wide = "{\"n\": 18446744073709551616}\n{\"n\": 18446744073709551617}\n";
    assert_eq!(
        read("a.ndjson", wide, none).unwrap_err().message,
        "a.ndjson: column \"n\" holds integers of more than 64 bits"
    );
    let text = json!({"schema": {"n": "string"}});
    let batch = read("a.ndjson", wide, text).unwrap();
    assert_eq!(
        batch.column(0).as_string::<i32>().value(1),
        "18446744073709551617"
    );
}

/// Arrow's readers fill up half a byte, cut digits, take numbers for times, and infinity for a
/// number that is too large.
#[test]
fn what_is_declared_is_taken_as_it_is_written_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let read = |name: &str, text: String, kind: &str| {
        fs::write(root.join(name), text).unwrap();
        read_all(&home(root, json!({"path": name, "schema": {"c": kind}})))
    };
    let in_csv = |value: &str, kind: &str| read("a.csv", format!("c,d\n{value},1\n"), kind);
    let in_json =
        |value: &str, kind: &str| read("a.ndjson", format!("{{\"c\": {value}, \"d\": 1}}\n"), kind);
    let text = |value: &str| format!("\"{value}\"");
    for (value, kind) in [
        ("10:11:12.1234567", "time"),
        ("23:59:60", "time"),
        ("3600", "time"),
        ("-5", "time"),
        ("1e400", "float64"),
        ("1e39", "float32"),
    ] {
        assert!(in_csv(value, kind).is_err(), "{value} in CSV");
        let value = if kind == "time" {
            text(value)
        } else {
            value.to_owned()
        };
        assert!(in_json(&value, kind).is_err(), "{value} in NDJSON");
    }
    for (value, kind) in [
        ("3600", "time"),
        ("1.5", "time"),
        ("1.0000000000000001", "int64"),
        ("\"abc\"", "binary"),
        ("\"xy\"", "binary"),
        ("[\"abc\"]", "list<binary>"),
        ("{\"a\": \"10:11:12.1234567\"}", "struct<a: time>"),
    ] {
        assert!(in_json(value, kind).is_err(), "{value} in NDJSON");
    }
    let time = in_csv("10:11:12.123456", "time").unwrap();
    assert_eq!(in_json("\"10:11:12.123456\"", "time").unwrap(), time);
    let whole = in_json("1.50e1", "int64").unwrap();
    assert_eq!(whole, in_json("15", "int64").unwrap());
    assert_eq!(
        in_json("\"00fF\"", "binary").unwrap(),
        in_json("\"00FF\"", "binary").unwrap()
    );
}

#[test]
fn a_key_that_stands_twice_is_an_error_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let fault = |line: &str, infer: usize| {
        let good = "{\"a\": 1, \"o\": {\"b\": 1, \"c\": 2}, \"l\": [{\"x\": 1}, {\"x\": 2}]}\n";
        let text = format!("{good}\n{}{line}\n{good}", good.repeat(3));
        fs::write(root.join("a.ndjson"), text).unwrap();
        let settings = json!({"path": "a.ndjson", "infer_rows": infer});
        read_all(&home(root, settings)).unwrap_err()
    };
    for infer in [1, 100] {
        for (line, key) in [
            (r#"{"a": 1, "a": 2}"#, "a"),
            (r#"{"a": 1, "a": 1}"#, "a"),
            (r#"{"a": null, "o": null, "a": 2}"#, "a"),
            (r#"{"a": 1, "\u0061": 2}"#, "a"),
            (r#"{"o": {"c": 1, "b": 2, "c": 3}}"#, "c"),
            (r#"{"l": [{"x": 1}, {"x": 1, "x": 2}]}"#, "x"),
        ] {
            let fault = fault(line, infer);
            assert_eq!(
                fault.message,
                format!("a.ndjson, line 6: the key {key:?} stands twice in one object"),
                "{line}"
            );
            assert_eq!(fault.attribute("line"), Some("6"));
        }
    }
}

#[test]
fn lines_that_are_no_json_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for infer in [1, 100] {
        for (line, what) in [
            ("{bad", "not valid JSON near `bad`: key must be a string"),
            ("{\"n\": 1", "the line ends before its JSON does"),
            (
                "{\"n\": 1} {\"n\": 2}",
                "not valid JSON near `{\"n\": 2}`: trailing characters",
            ),
            ("7", "invalid type: integer `7`, expected a JSON object"),
        ] {
            fs::write(root.join("a.ndjson"), format!("{{\"n\": 1}}\n{line}\n")).unwrap();
            let settings = json!({"path": "a.ndjson", "infer_rows": infer});
            let fault = read_all(&home(root, settings)).unwrap_err();
            assert_eq!(fault.message, format!("a.ndjson, line 2: {what}"));
        }
    }
}

#[test]
fn lines_are_counted_from_the_start_of_the_file_in_every_split() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut text = String::from("\u{feff}");
    for n in 0..2_000 {
        text.push_str(&format!("{{\"n\": {n}}}\r\n"));
        if n % 3 == 0 {
            text.push('\n');
        }
    }
    let line = text.lines().count() + 1;
    text.push_str("{\"n\": 0.5}\n{\"n\": 1}\n");
    fs::write(root.join("a.ndjson"), text).unwrap();
    let cut = home(
        root,
        json!({"path": "a.ndjson", "infer_rows": 5, "split_size": 2000}),
    );
    assert!(plan(&cut).unwrap().splits.len() > 10);
    let fault = read_all(&cut).unwrap_err();
    assert!(
        fault
            .message
            .starts_with(&format!("a.ndjson, line {line}: ")),
        "{fault}"
    );
    // Compressed files can be read from their start only.
    let packed = zstd::encode_all(&b"{\"n\": 1}\n".repeat(500)[..], 0).unwrap();
    fs::write(root.join("b.ndjson.zst"), packed).unwrap();
    let whole = home(root, json!({"path": "b.ndjson.zst", "split_size": 1}));
    assert_eq!(plan(&whole).unwrap().splits.len(), 1);
    assert_eq!(read_all(&whole).unwrap().num_rows(), 500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However small the splits are, and however long the lines: the same rows, in order.
    #[test]
    fn how_often_lines_are_cut_never_changes_the_rows(
        lines in prop::collection::vec((0..60_usize, prop::sample::select(vec!["\n", "\r\n", "\n\n", " \n"])), 1..40),
        mark in any::<bool>(),
        open_end in any::<bool>(),
        split_size in 1..400_u64,
        most in prop::option::of(1..5_usize),
        batch_bytes in 1..3_000_usize,
    ) {
        let mut text = String::from(if mark { "\u{feff}" } else { "" });
        for (n, (length, end)) in lines.iter().enumerate() {
            text.push_str(&format!("{{\"n\": {n}, \"s\": \"{}\"}}{end}", "é".repeat(*length)));
        }
        if open_end {
            text.truncate(text.trim_end().len());
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.ndjson"), text).unwrap();
        let cut = home(folder.path(), json!({"path": "a.ndjson", "split_size": split_size}));
        let request = SplitRequest { max_splits: most, ..SplitRequest::default() };
        let planned = block_on(cut.splits(&request, &Context::inline())).unwrap();
        prop_assert!(most.is_none_or(|most| planned.splits.len() <= most));
        let steps = steps(&cut, &planned, &want(batch_bytes), &Context::inline()).unwrap();
        let batches: Vec<RecordBatch> = steps.into_iter().map(|(_, b, _)| rows_of(b)).collect();
        let all = together(&planned.schema, &batches);
        let expected: Vec<Option<i64>> = (0..lines.len()).map(|n| i64::try_from(n).ok()).collect();
        prop_assert_eq!(values(&all, "n"), expected);
        let text = all.column_by_name("s").unwrap().as_string::<i32>().clone();
        for (value, (length, _)) in text.iter().zip(&lines) {
            let expected = "é".repeat(*length);
            prop_assert_eq!(value, Some(expected.as_str()));
        }
    }
}

#[test]
fn null_is_what_is_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("a.csv"),
        "\u{feff}s,n\r\n\"\",1\r\n,\r\nNA,3",
    )
    .unwrap();
    let batch = read_all(&home(
        folder.path(),
        json!({"path": "a.csv", "null_values": ["", "NA"]}),
    ))
    .unwrap();
    let text: Vec<Option<&str>> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(text, [Some(""), None, None]);
    assert_eq!(values(&batch, "n"), [Some(1), None, Some(3)]);
}

#[test]
fn what_is_no_csv_or_has_another_delimiter_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("a.csv"), [0, 1]).unwrap();
    let fault = read_all(&home(root, json!({"path": "a.csv"}))).unwrap_err();
    assert_eq!(
        fault.message,
        "a.csv, line 1: a zero byte, which no CSV text holds"
    );
    let warned = |text: &str| {
        fs::write(root.join("b.csv"), text).unwrap();
        plan(&home(root, json!({"path": "b.csv"})))
            .unwrap()
            .warnings
    };
    assert_eq!(
        warned("a;b\n1;2\n"),
        ["b.csv has one column, named \"a;b\": if it has more, set `delimiter: \";\"`"]
    );
    assert!(warned("a\tb\n")[0].ends_with("set `delimiter: \"tab\"`"));
    assert!(warned("a,b;c\n1,2\n").is_empty());
    assert!(warned("a\n1;2\n").is_empty());
}

#[test]
fn types_can_be_declared() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "7;1,5\n8;x\n").unwrap();
    let settings = json!({
        "path": "a.csv", "delimiter": ";", "header": false, "columns": ["id", "text"],
        "schema": {"id": "decimal(10, 2)"},
    });
    let batch = read_all(&home(folder.path(), settings)).unwrap();
    let schema = batch.schema();
    let types: Vec<String> = schema
        .fields()
        .iter()
        .map(|f| hygge_core::type_name(f.data_type()))
        .collect();
    assert_eq!(types, ["decimal(10, 2)", "string"]);
    fs::write(
        folder.path().join("a.ndjson"),
        "{\"at\": \"2013-01-01T00:00:00Z\", \"s\": 1, \"l\": [{\"x\": 1}]}\n{\"s\": \"a\"}\n",
    )
    .unwrap();
    let settings = json!({
        "path": "a.ndjson", "schema": {"at": "timestamp[ms, UTC]", "s": "string", "rare": "int8"},
    });
    let batch = read_all(&home(folder.path(), settings)).unwrap();
    let schema = batch.schema();
    let types: Vec<String> = schema
        .fields()
        .iter()
        .map(|f| hygge_core::type_name(f.data_type()))
        .collect();
    assert_eq!(
        types,
        [
            "timestamp[ms, UTC]",
            "string",
            "list<struct<x: int64>>",
            "int8"
        ]
    );
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "1");
}

#[test]
fn empty_files_are_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.csv", ""), ("b.csv", "n,s\n"), ("a.ndjson", "\n\n")] {
        fs::write(folder.path().join(name), text).unwrap();
        let batch = read_all(&home(folder.path(), json!({"path": name}))).unwrap();
        assert_eq!(batch.num_rows(), 0, "{name}");
    }
    parquet(&folder.path().join("a.parquet"), &numbers("n", []), 10);
    let planned = plan(&home(folder.path(), json!({"path": "a.parquet"}))).unwrap();
    assert!(planned.splits.is_empty());
    assert_eq!(planned.schema.fields().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in a file, and however it is to be read: rows, or a fault that names it.
    #[test]
    fn no_text_is_a_defect(
        text in prop::collection::vec(
            prop_oneof![
                3 => prop::sample::select(&b"a1,;\"'\\\n\r{}[]:-.e \xef\xbb\xbf"[..]),
                1 => any::<u8>(),
            ],
            0..80,
        ),
        more in prop::sample::select(vec![
            json!({"path": "x.csv"}),
            json!({"path": "x.csv", "header": false}),
            json!({"path": "x.csv", "quote": "none", "delimiter": ";"}),
            json!({"path": "x.csv", "escape": "\\", "null_values": []}),
            json!({"path": "x.csv", "infer_rows": 1}),
            json!({"path": "x.ndjson"}),
            json!({"path": "x.ndjson", "infer_rows": 1}),
            json!({"path": "x.ndjson", "schema": {"a": "string"}}),
        ]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let name = more["path"].as_str().unwrap().to_owned();
        fs::write(folder.path().join(&name), text).unwrap();
        if let Err(fault) = read_all(&home(folder.path(), more)) {
            let known = [code::SOURCE_INVALID, code::SCHEMA].contains(&fault.code.as_ref());
            prop_assert!(known && fault.message.contains(&name), "{:?}", fault);
        }
    }
}

/// A row that can't be decoded in the run's memory is refused before it is tried: by its length, and
/// in JSON also by how many values it has.
#[test]
fn a_row_larger_than_the_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let cx = Context {
        share: Arc::new(hygge_core::Memory::new(8 << 20).join()),
        ..Context::inline()
    };
    let text = "x".repeat(4 << 20);
    let numbers = vec!["1"; 500_000].join(",");
    for (name, content) in [
        (
            "text.ndjson",
            format!("{{\"v\": 1}}\n{{\"w\": \"{text}\"}}\n"),
        ),
        (
            "numbers.ndjson",
            format!("{{\"v\": 1}}\n{{\"w\": [{numbers}]}}\n"),
        ),
        ("text.csv", format!("v\n\"{text}\"\n")),
        ("quote.csv", format!("\"v\n{text}")),
    ] {
        fs::write(root.join(name), content).unwrap();
        let place = BuildContext {
            root: root.to_owned(),
            work: root.join(".hygge"),
            entity: None,
            run: None,
        };
        let settings = serde_json::from_value(json!({"path": name})).unwrap();
        let home = FilesHome::new(settings, &place).unwrap();
        let plan = block_on(home.splits(&SplitRequest::default(), &cx));
        let fault = plan.unwrap_err();
        assert_eq!(fault.code, code::MEMORY, "{name}: {fault}");
        let line = if name == "quote.csv" { 1 } else { 2 };
        let what = if name.ends_with("csv") { "row" } else { "line" };
        assert_eq!(
            fault.message,
            format!(
                "{name}, line {line}: a {what} begins here that can't be decoded in the 8.0 MiB of \
                 memory"
            )
        );
        assert!(fault.advice.is_some_and(|a| a.contains("`options.memory`")));
    }
}
