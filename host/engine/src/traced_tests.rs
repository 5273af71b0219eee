//! What a merge goes by, after transforms that say what they do and those that don't.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hygge_core::{Origin as O, SplitPlan};
use hygge_project::Incremental;

use super::*;

fn schema(names: &[&str]) -> SchemaRef {
    let fields = names.iter();
    let fields = fields.map(|name| Field::new(*name, DataType::Int64, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plan() -> SplitPlan {
    SplitPlan {
        schema: schema(&["id", "ver", "l"]),
        splits: Vec::new(),
        fingerprint: String::new(),
        high: None,
        position: None,
        memory: None,
        key: Vec::new(),
        warnings: Vec::new(),
        without_watermark: 0,
    }
}

fn by(key: &[&str]) -> Incremental {
    Incremental {
        strategy: Strategy::Merge,
        column: Some("ver".into()),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        lookback: None,
    }
}

/// A merge by `key` after transforms, each told by the columns that leave it and what it says of
/// them.
fn merged(key: &[&str], steps: &[(&[&str], Option<Lineage>)]) -> Result<Merge> {
    let plan = plan();
    let mut traced = Traced::new(&plan.schema);
    let mut before = Arc::clone(&plan.schema);
    for (names, lineage) in steps {
        let after = schema(names);
        traced.through("change", lineage.clone(), (&before, &after));
        before = after;
    }
    traced.merge(Some(&by(key)), &plan).map(Option::unwrap)
}

fn says(columns: Vec<O>, several: bool) -> Option<Lineage> {
    Some(Lineage { columns, several })
}

fn refused(key: &[&str], steps: &[(&[&str], Option<Lineage>)]) -> String {
    merged(key, steps).unwrap_err().message
}

#[test]
fn names_are_followed() {
    let names = |merge: &Merge| (merge.key.join(","), merge.latest_by.clone().unwrap());
    let plain = merged(&["id"], &[]).unwrap();
    assert_eq!(names(&plain), ("id".to_owned(), "ver".to_owned()));
    // Two that change places, and then get other names.
    let swapped = says(vec![O::Same(1), O::Same(0), O::Same(2)], false);
    let named = says(vec![O::Same(0), O::Same(1)], false);
    let steps: [(&[&str], _); 2] = [(&["id", "ver", "l"], swapped), (&["v", "i"], named)];
    let moved = merged(&["id"], &steps).unwrap();
    assert_eq!(names(&moved), ("i".to_owned(), "v".to_owned()));
    // By the name it has at the destination, too, and by one that a transform makes.
    assert_eq!(merged(&["i"], &steps).unwrap(), moved);
    let made: [(&[&str], _); 1] = [(
        &["id", "ver", "k"],
        says(vec![O::Same(0), O::Same(1), O::Made(vec![0, 2])], false),
    )];
    assert_eq!(merged(&["k"], &made).unwrap().key, ["k"]);
    // A hash tells apart what it was made of, and isn't newer or older than another.
    let hashed: [(&[&str], _); 1] = [(&["id", "ver"], says(vec![O::Apart(0), O::Same(1)], false))];
    assert_eq!(merged(&["id"], &hashed).unwrap().key, ["id"]);
}

#[test]
fn what_could_make_one_row_of_several_is_refused() {
    let changed: [(&[&str], _); 1] = [(
        &["id", "ver"],
        says(vec![O::Made(vec![0]), O::Same(1)], false),
    )];
    assert_eq!(
        refused(&["id"], &changed),
        "change changes \"id\", by which rows are merged: rows of several keys could become one"
    );
    let gone: [(&[&str], _); 1] = [(&["ver"], says(vec![O::Same(1)], false))];
    assert_eq!(
        refused(&["id"], &gone),
        "change takes away \"id\", by which rows are merged"
    );
    assert_eq!(
        refused(&["idd"], &[]),
        "there is no column \"idd\" to merge by, neither in the source nor after the transforms"
    );
    for (columns, does) in [
        (vec![O::Same(0), O::Made(vec![1])], "changes"),
        (vec![O::Same(0), O::Apart(1)], "changes"),
    ] {
        let steps: [(&[&str], _); 1] = [(&["id", "ver"], says(columns, false))];
        let told = refused(&["id"], &steps);
        let says = format!("{does} \"ver\", by which a merge tells which of two rows is newer");
        assert!(told.ends_with(&says), "{told}");
    }
    let gone: [(&[&str], _); 1] = [(&["id"], says(vec![O::Same(0)], false))];
    assert!(refused(&["id"], &gone).contains("takes away \"ver\""));
}

#[test]
fn rows_made_of_one_need_something_that_tells_them_apart() {
    let items = says(vec![O::Same(0), O::Same(1), O::Made(vec![2])], true);
    let later = says(
        vec![O::Same(0), O::Same(1), O::Made(vec![2]), O::Made(vec![0])],
        false,
    );
    let steps: [(&[&str], _); 2] = [
        (&["id", "ver", "item"], items),
        (&["id", "ver", "upper", "twice"], later),
    ];
    for key in [&["id"][..], &["id", "twice"]] {
        let told = refused(key, &steps);
        assert!(told.contains("change makes several rows of one"), "{told}");
    }
    let merge = merged(&["id", "upper"], &steps).unwrap();
    assert_eq!((merge.key.len(), merge.single.len()), (2, 0));
}

#[test]
fn one_that_says_nothing_is_watched() {
    let steps: [(&[&str], _); 1] = [(&["id", "ver", "x"], None)];
    let merge = merged(&["id"], &steps).unwrap();
    assert_eq!(merge.single, BTreeSet::from([0]));
    assert!(merged(&["id", "x"], &steps).unwrap().single.is_empty());
}

/// A transform that says nothing may change what it gives under the same name.
#[test]
fn one_that_says_nothing_makes_what_it_gives() {
    let source = schema(&["id", "ver"]);
    let mut traced = Traced::new(&source);
    traced.through("silent", None, (&source, &source));
    let made = traced.made();
    let numbers: Vec<usize> = made[0].by.iter().map(|change| change.number).collect();
    assert_eq!((made[0].column.as_str(), numbers), ("id", vec![0]));
    let said = says(vec![O::Same(0), O::Same(1)], false);
    let mut traced = Traced::new(&source);
    traced.through("said", said, (&source, &source));
    assert!(traced.made()[0].by.is_empty());
}

#[test]
fn how_values_are_encoded_is_nothing_to_their_text() {
    let text = likeness(&DataType::Utf8);
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8));
    for encoded in [DataType::LargeUtf8, DataType::Utf8View, dictionary] {
        assert_eq!(likeness(&encoded), text);
    }
    assert_eq!(likeness(&DataType::Int8), likeness(&DataType::UInt64));
    assert_ne!(likeness(&DataType::Int8), text);
}
