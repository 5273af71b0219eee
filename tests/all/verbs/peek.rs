use crate::harness::Project;

fn shop() -> Project {
    let project = Project::new();
    project.write(
        "data/orders.csv",
        "id,customer,price\n1,Ada,12.5\n2,,7\n3,Grace,n/a\n4,Alan,1\n",
    );
    project.flow(
        "sales",
        "entities: [orders]\n\
         home: data/orders.csv\n\
         store: {type: parquet, path: lake/orders}\n\
         transforms:\n\
         - {type: filter, where: customer IS NOT NULL}\n\
         - {type: derive, columns: {price: TRY_CAST(price AS DOUBLE), initial: 'LEFT(customer, 1)'}}\n\
         - {type: rename, columns: {id: order_id}}\n",
    );
    project
}

#[test]
fn rows_are_seen_after_each_step_and_nothing_is_left_behind() {
    let project = shop();
    let mut shown = String::new();
    for arguments in [
        "peek sales.orders",
        "peek sales.orders --after home --rows 2",
        "peek sales.orders --after 1 --format csv",
        "peek sales.orders --after derive --rows 1 --format json",
        "schema sales.orders",
    ] {
        let seen = project.hygge(arguments).succeed();
        shown.push_str(&format!("$ hygge {arguments}\n{}\n", seen.shown()));
    }
    insta::assert_snapshot!(shown);
    assert!(!project.path("lake").exists());
    assert!(!project.path(".hygge").exists());
}

#[test]
fn a_step_that_isn_t_there_is_told() {
    let project = shop();
    let mut shown = String::new();
    for arguments in [
        "peek sales.orders --after renam",
        "peek sales.orders --after 4",
        "peek sales",
        "peek sales.order",
        "schema sales.order",
    ] {
        let seen = project.hygge(arguments).run();
        shown.push_str(&format!("$ hygge {arguments}\n{}\n", seen.shown()));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn values_that_look_alike_are_told_apart() {
    let project = Project::new();
    project.write(
        "data/odd.ndjson",
        "{\"t\":\"\",\"n\":1,\"a\\nb\":1}\n{\"t\":null,\"n\":0}\n{\"t\":\"NULL\",\"n\":-1}\n",
    );
    project.flow(
        "odd",
        "home: data/odd.ndjson\nstore: lake/odd\n\
         transforms: [{type: derive, columns: {f: n / 0.0, g: 'NULLIF(n, 0)'}}]\n",
    );
    project.flow(
        "one",
        "home: data/odd.ndjson\nstore: lake/one\ntransforms: [{type: select, columns: [t]}]\n",
    );
    let mut shown = String::new();
    for arguments in [
        "peek odd.odd",
        "peek odd.odd --format json",
        "peek odd.odd --rows 0",
        "peek one.one --format csv",
        "schema odd.odd",
    ] {
        let seen = project.hygge(arguments).succeed();
        shown.push_str(&format!("$ hygge {arguments}\n{}\n", seen.shown()));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_later_row_that_is_wrong_is_no_matter_of_the_first() {
    let project = shop();
    project.flow(
        "sales",
        "home: {type: csv, path: data/none.csv}\nstore: lake/orders\n\
         transforms: [{type: cast, columns: {price: float64}}]\n",
    );
    let var = "--var flow.sales.home.path=data/orders.csv";
    let few = project.hygge(&format!("peek sales.sales {var} --rows 2 --format csv"));
    assert_eq!(
        few.succeed().stdout,
        "id,customer,price\n1,Ada,12.5\n2,,7.0\n"
    );
    let more = project
        .hygge(&format!("peek sales.sales {var} --rows 3"))
        .run();
    assert_eq!(more.code, Some(1), "{more}");
    assert!(more.stderr.contains("n/a"), "{more}");
    project
        .hygge(&format!("schema sales.sales {var}"))
        .succeed();
}
