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
