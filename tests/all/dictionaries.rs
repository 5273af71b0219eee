//! Columns that are encoded as dictionaries, one of whose words is NULL.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow_schema::Field;

use crate::harness::{Database, Project};

/// Ids 1 to 4; `a`, NULL by its word, `b`, NULL by its key.
fn words() -> Vec<u8> {
    let words = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
    let keys = Int32Array::from(vec![Some(0), Some(1), Some(2), None]);
    let words = DictionaryArray::<Int32Type>::try_new(keys, words).unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let columns = [
        ("id", ids, false),
        ("word", Arc::new(words) as ArrayRef, true),
    ];
    bytes(&RecordBatch::try_from_iter_with_nullable(columns).unwrap())
}

/// An Arrow file.
fn bytes(rows: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &rows.schema()).unwrap();
    writer.write(rows).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[test]
fn null_stays_null_wherever_it_is_said() {
    let project = Project::new();
    project.write("data/words.arrow", words());
    project.flow(
        "lines",
        "home: data/words.arrow\nstore: {type: ndjson, path: out/words.ndjson}\n\
         checks: [{type: not_null, columns: word, severity: warn, rejects: bad}]\n",
    );
    project.flow(
        "texts",
        "home: data/words.arrow\nstore: {type: csv, path: out/words.csv, null_value: NUL}\n",
    );
    project.hygge("start").succeed();
    let read = |path: &str| std::fs::read_to_string(project.path(path)).unwrap();
    let null = |id: u8| format!("{{\"id\":{id},\"word\":null}}\n");
    let (two, four) = (null(2), null(4));
    let all = format!("{{\"id\":1,\"word\":\"a\"}}\n{two}{{\"id\":3,\"word\":\"b\"}}\n{four}");
    assert_eq!(read("out/words.ndjson"), all);
    assert_eq!(read("out/words.csv"), "id,word\n1,a\n2,NUL\n3,b\n4,NUL\n");
    assert_eq!(
        read("bad/lines.lines.1-not_null.ndjson"),
        format!("{two}{four}")
    );
    let peeked = project.hygge("peek lines.lines --format json").succeed();
    assert_eq!(peeked.stdout, all);
}

/// Each file has words of its own, and what is written has one dictionary a column at most.
#[test]
fn words_within_others_settle_in_arrow_files() {
    let project = Project::new();
    for (file, word) in [("a", "one"), ("b", "two")] {
        let words = DictionaryArray::<Int32Type>::from_iter([word]);
        let field = Arc::new(Field::new("word", words.data_type().clone(), true));
        let within = StructArray::from(vec![(field, Arc::new(words) as ArrayRef)]);
        let rows = RecordBatch::try_from_iter([("s", Arc::new(within) as ArrayRef)]).unwrap();
        project.write(&format!("data/{file}.arrow"), bytes(&rows));
    }
    project.flow(
        "f",
        "home: {type: arrow, path: data}\nstore: {type: arrow, path: out}\n",
    );
    project.hygge("start").succeed();
    let shown = project.hygge("peek f.f --format json").succeed().stdout;
    project.flow(
        "f",
        "home: {type: arrow, path: out}\nstore: {type: ndjson, path: lines}\n",
    );
    let settled = project.hygge("peek f.f --format json").succeed().stdout;
    assert_eq!(settled, shown);
    assert!(
        settled.contains("one") && settled.contains("two"),
        "{settled}"
    );
}

#[test]
fn they_settle_in_sql_server_as_their_values() {
    let database = Database::start();
    database.without(&["dbo.hygge_test_words"]);
    let project = database.project(3);
    project.write("data/words.arrow", words());
    project.flow(
        "words",
        "home: data/words.arrow\n\
         store: {connection: db, table: dbo.hygge_test_words, create: if_missing}\n",
    );
    project.hygge("start").succeed();
    let rows = database.run("SELECT ISNULL(word, '-') FROM dbo.hygge_test_words ORDER BY id");
    assert_eq!(rows, ["a", "-", "b", "-"]);
    let ddl = project
        .hygge("generate ddl --flow words --profile")
        .succeed();
    assert!(ddl.stdout.contains("[word] nvarchar(10) NULL"), "{ddl}");
}
