//! Transforms that don't fit, one by one: told before a row moves, or with the value that doesn't
//! fit, and what stands at the destination stays as it was.

use std::fmt::Write as _;

use crate::harness::Project;

/// Each type of column that files have.
const ROWS: &str = r#"{"id": 1, "state": "paid", "price": "12.50", "rate": 0.5, "paid": true, "day": "2026-02-28", "at": "2026-02-28T10:11:12Z", "buyer": {"name": "Ada", "age": 36}, "items": [1, 2]}
{"id": 2, "state": "open", "price": "7.00", "rate": null, "paid": null, "day": null, "at": null, "buyer": null, "items": null}
{"id": 3, "state": "3", "price": null, "rate": 1.5, "paid": false, "day": "2026-03-01", "at": "2026-03-01T00:00:00Z", "buyer": {"name": "Grace", "age": null}, "items": []}
"#;

const HOME: &str = "home:\n  type: ndjson\n  path: data/orders.ndjson\n  schema: \
                    {price: \"decimal(9, 2)\", day: date, at: \"timestamp[us, UTC]\"}\n";

/// What can't be told from a file alone exits with 1, what can with 2.
const WRONG: &[(&str, &str)] = &[
    (
        "select: a column that isn't there",
        "{type: select, columns: [id, sate]}",
    ),
    (
        "select: a column twice",
        "{type: select, columns: [id, state, id]}",
    ),
    ("select: no column", "{type: select, columns: []}"),
    (
        "exclude: a column that isn't there",
        "{type: exclude, columns: [pricee]}",
    ),
    (
        "exclude: all columns",
        "{type: exclude, columns: [id, state, price, rate, paid, day, at, buyer, items]}",
    ),
    (
        "rename: a column that isn't there",
        "{type: rename, columns: {stat: status}}",
    ),
    (
        "rename: two columns of one name",
        "{type: rename, columns: {state: id}}",
    ),
    (
        "rename: a case that doesn't exist",
        "{type: rename, case: snail}",
    ),
    (
        "rename: two ways at once",
        "{type: rename, case: snake, columns: {id: key}}",
    ),
    (
        "rename: a name that says what becomes of rows",
        "{type: rename, columns: {state: __hygge_operation}}",
    ),
    (
        "hash: a column without a name",
        "{type: hash, columns: [id], into: ''}",
    ),
    (
        "fill_null: a number for a text",
        "{type: fill_null, columns: {state: 007}}",
    ),
    (
        "cast: a column that isn't there",
        "{type: cast, columns: {prices: int64}}",
    ),
    (
        "cast: a type that doesn't exist",
        "{type: cast, columns: {price: int46}}",
    ),
    (
        "cast: a type that can't be made of it",
        "{type: cast, columns: {items: int64}}",
    ),
    (
        "cast: a moment that has no zone",
        "{type: cast, columns: {at: timestamp}}",
    ),
    (
        "cast: a value that doesn't fit",
        "{type: cast, columns: {state: int64}}",
    ),
    (
        "cast: a number that would change",
        "{type: cast, columns: {price: int64}}",
    ),
    ("cast: no columns", "{type: cast, columns: {}}"),
    (
        "constant: a name that is taken",
        "{type: constant, columns: {state: new}}",
    ),
    ("constant: a list", "{type: constant, columns: {tags: [a]}}"),
    (
        "fill_null: a column that isn't there",
        "{type: fill_null, columns: {pice: 0}}",
    ),
    (
        "fill_null: text for a decimal",
        "{type: fill_null, columns: {price: many}}",
    ),
    (
        "fill_null: more digits than the decimal has",
        "{type: fill_null, columns: {price: 0.125}}",
    ),
    (
        "fill_null: text for a float",
        "{type: fill_null, columns: {rate: none}}",
    ),
    (
        "fill_null: a fraction for a whole number",
        "{type: fill_null, columns: {id: 1.5}}",
    ),
    (
        "fill_null: a number for a day",
        "{type: fill_null, columns: {day: 0}}",
    ),
    (
        "fill_null: a day that there is not for a moment",
        "{type: fill_null, columns: {at: 2026-02-30}}",
    ),
    (
        "fill_null: text for true and false",
        "{type: fill_null, columns: {paid: perhaps}}",
    ),
    (
        "fill_null: a value for a struct",
        "{type: fill_null, columns: {buyer: nobody}}",
    ),
    (
        "fill_null: a value for a list",
        "{type: fill_null, columns: {items: 0}}",
    ),
    (
        "filter: an expression that can't be read",
        "{type: filter, where: \"price >\"}",
    ),
    (
        "filter: a column that isn't there",
        "{type: filter, where: \"sate = 'paid'\"}",
    ),
    (
        "filter: a function that doesn't exist",
        "{type: filter, where: \"UPPPER(state) = 'PAID'\"}",
    ),
    ("filter: no condition", "{type: filter, where: price}"),
    (
        "filter: types that can't be compared",
        "{type: filter, where: \"state > 5\"}",
    ),
    (
        "filter: an aggregate",
        "{type: filter, where: \"price > AVG(price)\"}",
    ),
    (
        "filter: a look into a struct",
        "{type: filter, where: \"buyer = 'Ada'\"}",
    ),
    (
        "derive: an expression that can't be read",
        "{type: derive, columns: {twice: \"price *\"}}",
    ),
    (
        "derive: a column that isn't there",
        "{type: derive, columns: {twice: \"prize * 2\"}}",
    ),
    (
        "derive: a value that doesn't fit",
        "{type: derive, columns: {n: \"CAST(state AS BIGINT)\"}}",
    ),
    (
        "derive: no type",
        "{type: derive, columns: {nothing: \"NULL\"}}",
    ),
    (
        "sql: an aggregate",
        "{type: sql, query: \"SELECT SUM(price) AS total FROM self\"}",
    ),
    (
        "sql: a column that isn't there",
        "{type: sql, query: \"SELECT id, sate FROM self\"}",
    ),
    (
        "sql: another table",
        "{type: sql, query: \"SELECT id FROM orders\"}",
    ),
    (
        "sql: two columns of one name",
        "{type: sql, query: \"SELECT *, rate AS id FROM self\"}",
    ),
    (
        "sql: a value that doesn't fit",
        "{type: sql, query: \"SELECT id, CAST(state AS INT) AS n FROM self\"}",
    ),
    (
        "dedupe: a key that isn't there",
        "{type: dedupe, key: idd, order_by: at}",
    ),
    ("dedupe: no order", "{type: dedupe, key: id}"),
    (
        "dedupe: an order that isn't there",
        "{type: dedupe, key: id, order_by: {att: desc}}",
    ),
    (
        "dedupe: a way that doesn't exist",
        "{type: dedupe, key: id, order_by: {at: down}}",
    ),
    (
        "dedupe: an order without an order",
        "{type: dedupe, key: id, order_by: {at: desc, day: asc}}",
    ),
    (
        "dedupe: a key of lists",
        "{type: dedupe, key: items, order_by: id}",
    ),
    (
        "hash: a column that isn't there",
        "{type: hash, columns: [id, stat], into: h}",
    ),
    (
        "hash: a name that is taken",
        "{type: hash, columns: [id], into: state}",
    ),
    ("hash: a struct", "{type: hash, columns: [buyer], into: h}"),
    (
        "hash: an algorithm that doesn't exist",
        "{type: hash, columns: [id], into: h, algorithm: sha265}",
    ),
    (
        "mask: a column that isn't there",
        "{type: mask, columns: {sate: {how: redact}}}",
    ),
    (
        "mask: no key",
        "{type: mask, columns: {state: {how: hash}}}",
    ),
    (
        "mask: a float that can't be hashed",
        "{type: mask, key: k, columns: {rate: {how: hash}}}",
    ),
    (
        "mask: a number that can't be cut",
        "{type: mask, columns: {id: {how: truncate, keep: 2}}}",
    ),
    (
        "mask: a way that doesn't exist",
        "{type: mask, columns: {state: {how: redakt}}}",
    ),
    ("flatten: no struct", "{type: flatten, columns: [items]}"),
    (
        "flatten: a name that is taken",
        "{type: rename, columns: {state: buyer_name}}\n- {type: flatten}",
    ),
    ("unnest: no list", "{type: unnest, column: buyer}"),
    (
        "unnest: a column that isn't there",
        "{type: unnest, column: item}",
    ),
    (
        "run_columns: a name that is taken",
        "{type: run_columns, loaded_at: at}",
    ),
    ("run_columns: nothing", "{type: run_columns}"),
    (
        "a type that doesn't exist",
        "{type: filtre, where: \"id = 1\"}",
    ),
    (
        "a setting that doesn't exist",
        "{type: filter, were: \"id = 1\"}",
    ),
    (
        "the second of two",
        "{type: exclude, columns: [state]}\n- {type: filter, where: \"state = 'paid'\"}",
    ),
];

#[test]
fn what_does_not_fit_is_told_and_nothing_settles() {
    let project = Project::new();
    project.write("data/orders.ndjson", ROWS);
    project.flow("f", &format!("{HOME}store: lake/orders\n"));
    project.hygge("start --quiet").succeed();
    let before = (lake(&project), project.content("lake/orders"));
    let mut said = String::new();
    for (what, transform) in WRONG {
        let list = format!("transforms:\n- {transform}\n");
        project.flow("f", &format!("{HOME}store: lake/orders\n{list}"));
        let outcome = project.hygge("start --quiet").run();
        let code = outcome.code.unwrap();
        writeln!(said, "# {what}\n{}", outcome.shown()).unwrap();
        assert!(code == 1 || code == 2, "{what}: {outcome}");
        let after = (lake(&project), project.content("lake/orders"));
        assert!(after == before, "{what}: {outcome}");
        assert!(!outcome.stderr.contains("internal"), "{what}: {outcome}");
    }
    insta::assert_snapshot!(said);
}

fn lake(project: &Project) -> Vec<String> {
    let tree = project.tree().into_iter();
    tree.filter(|path| path.starts_with("lake/")).collect()
}
