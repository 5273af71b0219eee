use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray};
use hygge_core::OPERATION_COLUMN;
use serde_json::json;

use super::*;

fn orders() -> RecordBatch {
    batch(vec![
        ("Order ID", Arc::new(Int64Array::from(vec![1, 2]))),
        (
            "customerName",
            Arc::new(StringArray::from(vec![Some("a"), None])),
        ),
        ("price (€)", Arc::new(Float64Array::from(vec![1.5, 2.5]))),
    ])
}

#[test]
fn select_keeps_the_order_given_and_what_is_said_of_columns() {
    let given = orders();
    let out = run(
        "select",
        json!({"columns": ["customerName", "Order ID"]}),
        &given,
    )
    .unwrap();
    assert_eq!(out, given.project(&[1, 0]).unwrap());
    assert_eq!(out.schema().metadata()["table"], "orders");
    assert_eq!(out.schema().field(0).metadata()["origin"], "customerName");
}

#[test]
fn exclude_is_what_select_leaves() {
    let given = orders();
    let out = run("exclude", json!({"columns": ["customerName"]}), &given).unwrap();
    assert_eq!(out, given.project(&[0, 2]).unwrap());
    let all = json!({"columns": ["Order ID", "customerName", "price (€)"]});
    let fault = run("exclude", all, &given).unwrap_err();
    assert_eq!(fault.message, "exclude leaves no column");
}

#[test]
fn a_column_that_is_not_there_is_told_before_rows_move() {
    for kind in ["select", "exclude"] {
        let fault = run(kind, json!({"columns": ["customername"]}), &orders()).unwrap_err();
        assert_eq!(
            told(&fault),
            format!(
                "{kind} names a column that isn't there: customername\n\
                 did you mean `customerName`? there are Order ID, customerName, price (€)"
            )
        );
    }
    let missing = json!({"columns": {"x": "y"}});
    assert!(run("rename", missing, &orders()).is_err());
}

#[test]
fn the_operation_of_a_row_stays_with_it() {
    let given = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1]))),
        (
            OPERATION_COLUMN,
            Arc::new(StringArray::from(vec!["delete"])),
        ),
    ]);
    let out = run("select", json!({"columns": ["id"]}), &given).unwrap();
    assert_eq!(names(&out), ["id", OPERATION_COLUMN]);
    let out = run("rename", json!({"case": "pascal"}), &given).unwrap();
    assert_eq!(names(&out), ["Id", OPERATION_COLUMN]);
    let fault = run("exclude", json!({"columns": [OPERATION_COLUMN]}), &given).unwrap_err();
    assert_eq!(
        fault.message,
        "exclude can't touch __hygge_operation: it says what becomes of each row"
    );
}

#[test]
fn names_are_written_in_one_case() {
    for (case, expected) in [
        ("snake", ["order_id", "customer_name", "price"]),
        ("pascal", ["OrderId", "CustomerName", "Price"]),
        ("camel", ["orderId", "customerName", "price"]),
    ] {
        let out = run("rename", json!({"case": case}), &orders()).unwrap();
        assert_eq!(names(&out), expected);
        assert_eq!(out.schema().field(0).metadata()["origin"], "Order ID");
    }
}

/// Names that are in a case already stay as they are.
#[test]
fn a_name_in_its_case_keeps_its_words() {
    let given = |name: &'static str| batch(vec![(name, Arc::new(Int64Array::from(vec![1])))]);
    for (case, name, expected) in [
        ("pascal", "Q1Total", "Q1Total"),
        ("snake", "Q1Total", "q1_total"),
        ("camel", "user2Name", "user2Name"),
        ("snake", "q1", "q1"),
        ("snake", "caf\u{65}\u{301}Bar", "cafe\u{301}_bar"),
    ] {
        let out = run("rename", json!({"case": case}), &given(name)).unwrap();
        assert_eq!(names(&out), [expected], "{case} {name}");
    }
    let out = run(
        "rename",
        json!({"remove_special": true}),
        &given("e\u{301}-a"),
    )
    .unwrap();
    assert_eq!(names(&out), ["e\u{301}a"]);
}

#[test]
fn special_characters_go_and_the_rest_stays_as_it_is_written() {
    let out = run("rename", json!({"remove_special": true}), &orders()).unwrap();
    assert_eq!(names(&out), ["OrderID", "customerName", "price"]);
    assert_eq!(out.schema().field(0).metadata()["origin"], "Order ID");
    let given = batch(vec![
        ("a_b", Arc::new(Int64Array::from(vec![1]))),
        ("a_ b", Arc::new(Int64Array::from(vec![2]))),
    ]);
    let fault = run("rename", json!({"remove_special": true}), &given).unwrap_err();
    assert_eq!(fault.message, "rename gives a_b and a_ b one name: a_b");
}

/// A column of that name would say what becomes of each row.
#[test]
fn no_column_becomes_the_operation_of_a_row() {
    let columns = json!({"Order ID": OPERATION_COLUMN});
    let fault = run("rename", json!({"columns": columns}), &orders()).unwrap_err();
    assert_eq!(
        fault.message,
        "rename can't make __hygge_operation of Order ID: it says what becomes of each row"
    );
}

#[test]
fn two_columns_never_get_one_name() {
    let given = batch(vec![
        ("a b", Arc::new(Int64Array::from(vec![1]))),
        ("aB", Arc::new(Int64Array::from(vec![2]))),
        ("€", Arc::new(Int64Array::from(vec![3]))),
    ]);
    let fault = run(
        "rename",
        json!({"case": "snake"}),
        &given.project(&[0, 1]).unwrap(),
    );
    assert_eq!(
        told(&fault.unwrap_err()),
        "rename gives a b and aB one name: a_b\n\
         give one of them another name, or exclude it before"
    );
    let fault = run("rename", json!({"columns": {"€": "aB"}}), &given).unwrap_err();
    assert_eq!(fault.message, "rename gives aB and € one name: aB");
    let fault = run(
        "rename",
        json!({"case": "snake"}),
        &given.project(&[2]).unwrap(),
    );
    assert_eq!(
        fault.unwrap_err().message,
        "rename leaves nothing of the column \"€\""
    );
    let swapped = run(
        "rename",
        json!({"columns": {"a b": "aB", "aB": "a b"}}),
        &given,
    )
    .unwrap();
    assert_eq!(names(&swapped), ["aB", "a b", "€"]);
}

#[test]
fn constants_have_the_type_of_what_is_written() {
    let columns = json!({"s": "x", "n": 7, "f": 0.5, "b": true});
    let out = run("constant", json!({"columns": columns}), &orders()).unwrap();
    assert_eq!(names(&out)[3..], ["b", "f", "n", "s"]);
    let expected: [ArrayRef; 4] = [
        Arc::new(BooleanArray::from(vec![true, true])),
        Arc::new(Float64Array::from(vec![0.5, 0.5])),
        Arc::new(Int64Array::from(vec![7, 7])),
        Arc::new(StringArray::from(vec!["x", "x"])),
    ];
    assert_eq!(out.columns()[3..], expected);
    let fault = run("constant", json!({"columns": {"Order ID": 1}}), &orders()).unwrap_err();
    assert_eq!(
        fault.message,
        "constant adds a column that is there already: Order ID"
    );
}

#[test]
fn settings_that_contradict_themselves_are_problems_with_a_place() {
    assert_eq!(
        problems("select", json!({"columns": ["a", "b", "a"]})),
        ["/columns/2: select: a is named twice"]
    );
    assert_eq!(
        problems("rename", json!({})),
        [": rename needs `columns`, `case` or `remove_special`"]
    );
    assert_eq!(
        problems("rename", json!({"case": "snake", "columns": {"a": "b"}})),
        ["/case: rename takes `columns` or `case`, not both"]
    );
    assert_eq!(
        problems("rename", json!({"case": "snake", "remove_special": true})),
        ["/remove_special: rename takes `case` or `remove_special`, not both"]
    );
    assert_eq!(
        problems("rename", json!({"columns": {"a/b": ""}})),
        ["/columns/a~1b: rename: a/b needs a name"]
    );
    assert_eq!(
        problems("constant", json!({"columns": {"": 1}})),
        ["/columns/: constant: a column needs a name"]
    );
    assert_eq!(
        problems("cast", json!({"columns": {"a": "int46"}})),
        ["/columns/a: cast: \"int46\" is not a type"]
    );
}
