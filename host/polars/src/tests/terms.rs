//! Expressions of many terms, and values that are beyond everything.

use arrow_array::{
    Decimal128Array, Float64Array, Int32Array, TimestampMicrosecondArray, TimestampNanosecondArray,
};

use super::*;

/// On a stack as threads have it: a chain of ORs is as flat as it is long.
#[test]
fn a_condition_of_thousands_of_terms_is_taken() {
    let terms = |n: usize| {
        let each = (0..n).map(|n| format!("id = {n}"));
        each.collect::<Vec<_>>().join(" OR ")
    };
    let few = filter("id = 0 OR id = 3 AND state IS NULL OR id = 4", &orders()).unwrap();
    assert_eq!(ids(&few), [3, 4]);
    let many = format!("{} AND id <> 2 OR id = 9", terms(1_000));
    assert_eq!(ids(&filter(&many, &orders()).unwrap()), [1, 2, 3, 4]);
    let none = format!("NOT ({})", terms(1_000));
    assert!(ids(&filter(&none, &orders()).unwrap()).is_empty());
    let query = format!("SELECT id FROM self WHERE {}", terms(1_000));
    let settings = json!({"query": query});
    let chosen = sized("sql", settings, &orders(), 3).unwrap();
    assert_eq!(chosen.num_rows(), 4);
}

#[test]
fn sums_of_as_many_terms_as_fit_are_made_and_longer_ones_refused() {
    let sum = |n: usize| vec!["id"; n].join(" + ");
    let made = derive(&sum(78), &orders()).unwrap();
    assert_eq!(made.as_primitive::<Int64Type>().value(1), 156);
    for n in [1_000, 9_000] {
        let why = problem("derive", json!({"columns": {"made": sum(n)}}));
        assert!(why.contains("is too deep"), "{why}");
    }
    let why = problem("derive", json!({"columns": {"made": sum(40_000)}}));
    assert!(why.contains("is too long"), "{why}");
    let nested = format!("{}id{}", "(".repeat(5_000), ")".repeat(5_000));
    let why = problem("filter", json!({"where": nested}));
    assert!(why.contains("is too deep"), "{why}");
    // Which the grammar would read twice as often for each that is deeper.
    let cast = (0..60).fold("id".to_owned(), |within, _| {
        format!("CAST({within} AS BIGINT)")
    });
    let why = problem("derive", json!({"columns": {"made": cast}}));
    assert!(why.contains("is too deep"), "{why}");
}

/// Of whatever they are, and though some become more levels than are written.
#[test]
fn as_many_levels_as_are_said_fit_for_every_type() {
    let of = |values: ArrayRef| values;
    let given = batch(vec![
        ("n", of(Arc::new(Int64Array::from(vec![1])))),
        ("i", of(Arc::new(Int32Array::from(vec![1])))),
        ("f", of(Arc::new(Float64Array::from(vec![1.0])))),
        ("s", of(Arc::new(StringArray::from(vec!["a"])))),
        ("at", of(Arc::new(TimestampMicrosecondArray::from(vec![0])))),
        ("ns", of(Arc::new(TimestampNanosecondArray::from(vec![0])))),
        (
            "d",
            of(Arc::new(
                Decimal128Array::from(vec![100])
                    .with_precision_and_scale(9, 2)
                    .unwrap(),
            )),
        ),
    ]);
    for (first, op, rest) in [
        ("n", "+", "i"),
        ("i", "+", "n"),
        ("i", "*", "i"),
        ("n", "-", "f"),
        ("d", "+", "i"),
        ("d", "-", "d"),
        ("s", "||", "s"),
        ("s", "||", "i"),
        ("at", "+", "INTERVAL '1 nanosecond'"),
        ("ns", "+", "(at - at)"),
        ("i", "//", "n"),
    ] {
        let text = format!("{first} {op} {}", vec![rest; 78].join(&format!(" {op} ")));
        for text in [text.clone(), format!("CASE WHEN i < 9 THEN {text} END")] {
            match derive(&text, &given) {
                Ok(made) => assert_eq!(made.null_count(), 0, "{text}"),
                Err(fault) => assert!(!fault.message.contains("defect"), "{fault:?}"),
            }
        }
    }
}

#[test]
fn as_many_stand_in_each_other_as_is_said() {
    let nested =
        |n: usize, around: fn(String, usize) -> String| (0..n).fold("id".to_owned(), around);
    let kinds: [fn(String, usize) -> String; 4] = [
        |within, _| format!("({within})"),
        |within, _| format!("ABS({within})"),
        |within, level| format!("CASE WHEN id = {level} THEN {level} ELSE {within} END"),
        |within, level| format!("COALESCE(({within}) + 0, {level})"),
    ];
    for around in &kinds[..3] {
        assert_eq!(derive(&nested(45, *around), &orders()).unwrap().len(), 4);
    }
    for around in kinds {
        let why = problem("derive", json!({"columns": {"made": nested(60, around)}}));
        let known = [
            "compute parts of it before",
            "as many as 40 of them stand in each other",
        ];
        assert!(known.iter().any(|known| why.contains(known)), "{why}");
    }
    let or = |within: String, level: usize| format!("({within} AND id > {level}) OR id = {level}");
    let text = (0..45).fold("id = 3".to_owned(), or);
    assert_eq!(ids(&filter(&text, &orders()).unwrap()), [3]);
    let whens = |n: usize| {
        let each = (0..n).map(|n| format!("WHEN id = {n} THEN {n} "));
        format!("CASE {}END", each.collect::<String>())
    };
    let why = problem("derive", json!({"columns": {"made": whens(501)}}));
    assert!(why.contains("has a CASE of more than 500 WHENs"), "{why}");
    assert_eq!(derive(&whens(300), &orders()).unwrap().null_count(), 0);
}

/// Of what is computed twice, each level doubles what stands in it.
#[test]
fn what_grows_with_each_level_is_refused() {
    let kinds: [fn(String, usize) -> String; 4] = [
        |within, _| format!("NULLIF({within}, 7)"),
        |within, _| format!("(CASE WHEN {within} BETWEEN 1 AND 3 THEN 2 ELSE 3 END)"),
        |within, _| format!("(CASE {within} WHEN 1 THEN 2 WHEN 3 THEN 4 ELSE 5 END)"),
        |within, level| format!("LENGTH(LEFT(CAST({within} AS VARCHAR), id + {level}))"),
    ];
    for around in kinds {
        let nested = |n: usize| (0..n).fold("id".to_owned(), around);
        assert_eq!(derive(&nested(3), &orders()).unwrap().len(), 4);
        let why = problem("derive", json!({"columns": {"made": nested(14)}}));
        assert!(why.contains("grows too large"), "{why}");
    }
}

#[test]
fn what_polars_gives_up_over_is_an_error() {
    let text = format!(
        "TIMESTAMP '2024-01-31 10:00:00'{}",
        " + INTERVAL '10000 years'".repeat(27)
    );
    let fault = derive(&text, &orders()).unwrap_err();
    assert!(
        fault.message.contains("beyond what can be computed"),
        "{fault:?}"
    );
    assert!(fault.message.contains(&text[..100]), "{fault:?}");
}
