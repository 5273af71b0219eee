use super::*;

fn sql(query: &str, batch: &RecordBatch) -> Result<RecordBatch, Fault> {
    sized("sql", json!({"query": query}), batch, usize::MAX)
}

fn columns(batch: &RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let each = schema.fields().iter();
    let each = each.map(|f| format!("{}: {}", f.name(), type_name(f.data_type())));
    each.collect()
}

#[test]
fn a_select_chooses_names_computes_and_filters() {
    let given = orders();
    for (query, expected, kept) in [
        (
            "SELECT * FROM self",
            vec!["id: int64", "state: string", "price: float64"],
            vec![1, 2, 3, 4],
        ),
        (
            "select id, price * 2 AS twice from self where price > 5;",
            vec!["id: int64", "twice: float64"],
            vec![1, 2],
        ),
        (
            "SELECT s.state AS s, self.id FROM self AS s WHERE s.price IS NULL",
            vec!["s: string", "id: int64"],
            vec![4],
        ),
        (
            "SELECT SELF.id, - -id AS same, -(- -self.id) AS other FROM SELF WHERE - -Self.id > 2",
            vec!["id: int64", "same: int64", "other: int64"],
            vec![3, 4],
        ),
        (
            "SELECT * EXCLUDE (price), UPPER(self.state) AS big FROM self",
            vec!["id: int64", "state: string", "big: string"],
            vec![1, 2, 3, 4],
        ),
        (
            "SELECT * EXCEPT (state) FROM self WHERE id IN (2, 3)",
            vec!["id: int64", "price: float64"],
            vec![2, 3],
        ),
        (
            "SELECT (id), 'x' AS x FROM self WHERE 1 = 1",
            vec!["id: int64", "x: string"],
            vec![1, 2, 3, 4],
        ),
        (
            "SELECT id, 7 AS n FROM self WHERE 1 = 2",
            vec!["id: int64", "n: int32"],
            vec![],
        ),
        (
            "SELECT id, CASE WHEN price > 10 THEN 'dear' ELSE 'cheap' END AS label FROM self",
            vec!["id: int64", "label: string"],
            vec![1, 2, 3, 4],
        ),
        (
            "SELECT ALL id FROM self",
            vec!["id: int64"],
            vec![1, 2, 3, 4],
        ),
    ] {
        let out = sql(query, &given).unwrap();
        assert_eq!(columns(&out), expected, "{query}");
        assert_eq!(ids(&out), kept, "{query}");
    }
}

#[test]
fn columns_that_pass_keep_what_is_said_of_them() {
    let items = new_null_array(&DataType::new_list(DataType::Int8, true), 4);
    let mut given = orders();
    let mut fields = given.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(
        "items",
        items.data_type().clone(),
        true,
    )));
    let schema = Schema::new_with_metadata(fields, given.schema().metadata().clone());
    let columns = given.columns().iter().cloned().chain([items]).collect();
    given = RecordBatch::try_new(Arc::new(schema), columns).unwrap();

    let out = sql(
        "SELECT id AS key, items, price + 1 AS price FROM self",
        &given,
    )
    .unwrap();
    let schema = out.schema();
    assert_eq!(schema.field(0).metadata()["origin"], "id");
    assert_eq!(schema.field(1), given.schema().field(3));
    assert!(schema.field(2).metadata().is_empty());
    assert_eq!(schema.metadata()["table"], "orders");
}

#[test]
fn the_operation_of_a_row_goes_on() {
    let given = batch(vec![
        ("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        (
            hygge_core::OPERATION_COLUMN,
            Arc::new(StringArray::from(vec!["d"])),
        ),
    ]);
    let out = sql("SELECT id FROM self", &given).unwrap();
    assert_eq!(out.num_columns(), 2);
    let name = hygge_core::OPERATION_COLUMN;
    for query in [
        format!("SELECT {name} AS x FROM self"),
        format!("SELECT id AS {name} FROM self"),
        format!("SELECT id + 1 AS {name} FROM self"),
    ] {
        let told = sql(&query, &given).unwrap_err().message;
        assert!(told.contains("can't touch"), "{told}");
    }
}

#[test]
fn what_needs_all_rows_is_refused_with_the_reason() {
    let of = |query: &str| problem("sql", json!({"query": query}));
    let all = "rows pass batch by batch, and this needs all of them at once";
    let home = "do it where all rows are: in the query of the home, or after";
    for (query, what, advice) in [
        (
            "SELECT DISTINCT id FROM self",
            "DISTINCT",
            "`type: dedupe` keeps one row of each key",
        ),
        ("SELECT id FROM self GROUP BY id", "GROUP BY", home),
        ("SELECT id FROM self HAVING id > 1", "HAVING", home),
        (
            "SELECT id FROM self ORDER BY id",
            "ORDER BY",
            "rows have no order on their way; sort where they are read",
        ),
        (
            "SELECT id FROM self LIMIT 3",
            "LIMIT",
            "choose rows with WHERE; `hygge peek` shows the first ones",
        ),
        (
            "SELECT id FROM self OFFSET 3",
            "LIMIT",
            "choose rows with WHERE; `hygge peek` shows the first ones",
        ),
        (
            "SELECT id FROM self UNION SELECT id FROM self",
            "UNION",
            home,
        ),
        ("SELECT id FROM self JOIN other USING (id)", "a join", home),
        ("SELECT id FROM self, other", "a join", home),
    ] {
        assert_eq!(
            of(query),
            format!("/query: sql: the query `{query}` has {what}: {all}\n{advice}")
        );
    }
    let together = "its value would depend on which rows happen to pass together\n\
                    compute it where all rows are: in the query of the home, or after";
    for (query, expected) in [
        ("", "the query is empty\n`SELECT … FROM self`".to_owned()),
        ("SELECT FROM", "the query `SELECT FROM` can't be read: expected identifier, found its end\n-".to_owned()),
        ("SELECT id FROM self; DROP TABLE x", "the query `SELECT id FROM self; DROP TABLE x` can't be read: expected its end, found ; at character 20\n-".to_owned()),
        ("VALUES (1)", "the query `VALUES (1)` is no SELECT\n`SELECT … FROM self`".to_owned()),
        ("SELECT 1 AS a", "the query `SELECT 1 AS a` reads from nothing\n`SELECT … FROM self`".to_owned()),
        ("SELECT id FROM orders", "the query `SELECT id FROM orders` reads from orders, not from self\n`SELECT … FROM self`".to_owned()),
        ("WITH a AS (SELECT 1) SELECT id FROM self", "the query `WITH a AS (SELECT 1) SELECT id FROM self` has WITH, a query of its own\nwrite two transforms of type `sql`, one after the other".to_owned()),
        ("SELECT id FROM (SELECT id FROM self)", "the query `SELECT id FROM (SELECT id FROM self)` has a query of its own in FROM\nwrite two transforms of type `sql`, one after the other".to_owned()),
        ("SELECT id FROM self FOR UPDATE", "the query `SELECT id FROM self FOR UPDATE` has more than SELECT, FROM and WHERE\n`SELECT … FROM self WHERE …`".to_owned()),
        ("SELECT id + 1 FROM self", "the column `id + 1` has no name\ngive it one: `… AS name`".to_owned()),
        ("SELECT * REPLACE (1 AS id) FROM self", "`* REPLACE (1 AS id)` says more than which columns go on\n`* EXCLUDE (…)`, and `… AS name` for the others".to_owned()),
        ("SELECT COUNT(*) FROM self", format!("the expression `COUNT(*)` uses an aggregate: {together}")),
        ("SELECT id, MAX(price) OVER (PARTITION BY id) AS m FROM self", format!("the expression `MAX(price) OVER (PARTITION BY id)` uses a window function: {together}")),
        ("SELECT id FROM self WHERE id IN (SELECT id FROM self)", format!("the expression `id IN (SELECT id FROM self)` has a query of its own: {all}\n{home}")),
        ("SELECT id FROM self WHERE EXISTS (SELECT 1 FROM self)", format!("the expression `EXISTS (SELECT 1 FROM self)` has a query of its own: {all}\n{home}")),
    ] {
        assert_eq!(of(query), format!("/query: sql: {expected}"));
    }
}

#[test]
fn what_does_not_fit_the_columns_names_them() {
    let given = orders();
    let of = |query: &str| told(&sql(query, &given).unwrap_err());
    for (query, expected) in [
        (
            "SELECT idd FROM self",
            "sql names a column that isn't there: idd\ndid you mean `id`? there are id, state, price",
        ),
        (
            "SELECT * EXCLUDE (prize) FROM self",
            "sql names a column that isn't there: prize\ndid you mean `price`? there are id, state, price",
        ),
        (
            "SELECT prize * 2 AS twice FROM self",
            "sql can't compute twice as `prize * 2`: there is no column prize\ndid you mean `price`? there are id, state, price",
        ),
        (
            "SELECT id FROM self WHERE id",
            "sql can't evaluate WHERE `id`: it gives int64, not true or false\ncompare it with something: `… > 0`, `… = 'x'`",
        ),
        (
            "SELECT *, price AS id FROM self",
            "sql gives two columns one name: id\nname one of them otherwise with `AS`, or leave it out: `* EXCLUDE (…)`",
        ),
        (
            "SELECT CAST(state AS INT) AS n FROM self",
            "sql can't compute n as `CAST(state AS INT)`: it meets \"paid\" in column state, which is string, and int32 can't hold it\n`TRY_CAST(… AS …)` gives NULL for what doesn't fit",
        ),
    ] {
        assert_eq!(of(query), expected, "{query}");
    }
}

proptest! {
    #[test]
    fn the_size_of_batches_changes_nothing_of_a_select(prices in prop::collection::vec(prop::option::of(-99_i64..99), 0..40), size in 1_usize..9) {
        let given = batch(vec![("id", Arc::new(Int64Array::from(prices)) as ArrayRef)]);
        let settings = json!({"query": "SELECT id, id * 2 AS twice, 'x' AS x FROM self WHERE id > -50"});
        let whole = sized("sql", settings.clone(), &given, usize::MAX).unwrap();
        prop_assert_eq!(whole, sized("sql", settings, &given, size).unwrap());
    }

    /// A condition, its opposite and the rows for which neither is true are all rows.
    #[test]
    fn where_and_its_complement_part_the_rows(prices in prop::collection::vec(prop::option::of(-99_i64..99), 0..40), at in -99_i64..99) {
        let given = batch(vec![("id", Arc::new(Int64Array::from(prices)) as ArrayRef)]);
        let count = |condition: String| {
            sql(&format!("SELECT * FROM self WHERE {condition}"), &given).unwrap().num_rows()
        };
        let parts = count(format!("id > {at}")) + count(format!("NOT (id > {at})")) + count(format!("(id > {at}) IS NULL"));
        prop_assert_eq!(parts, given.num_rows());
    }
}
