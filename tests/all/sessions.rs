//! What runs share of a SQL Server: sessions of a pool, tables that others hold, and wildcards over all
//! that there is.

use rustix::process::Signal;

use crate::harness::{Database, Events, Orders, Project, eventually, walk};
use crate::mssql::{COLUMNS, FILE};

#[test]
fn many_tables_share_a_small_pool() {
    let database = Database::start();
    let project = database.project(5);
    for n in 0..50 {
        let table = format!("hygge_test_pool_{n}");
        database.without(&[&format!("dbo.{table}")]);
        database.run(&format!(
            "CREATE TABLE dbo.{table} (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL); \
             INSERT INTO dbo.{table} (id, name) VALUES ({n}, N'a'), (1000, NULL)"
        ));
    }
    project.flow(
        "all",
        "home: {connection: db, tables: 'dbo.hygge_test_pool_*'}\nstore: lake\n",
    );
    let Some(server) = database.made() else {
        return;
    };
    // Those that made the tables.
    eventually("all sessions to end", || {
        (server.open_sessions() == 0).then_some(())
    });
    server.reset_counters();
    let mut running = project.hygge("start --output json").spawn();
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while !running.ended() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = kib.unwrap_or(0).max(peak);
        crate::harness::pause(std::time::Duration::from_millis(5));
    }
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!((1..150 << 10).contains(&peak), "{} MiB", peak >> 10);
    let events = Events::of(&outcome);
    for n in 0..50 {
        assert_eq!(events.rows(&format!("all.hygge_test_pool_{n}")), 2);
    }
    let (most, opened) = (server.most_sessions(), server.sessions_opened());
    assert!(most <= 5, "{most} sessions at once");
    // One for each table would be 50. How often a session of one driver gives way to one of the
    // other depends on who comes first.
    assert!(opened <= 20, "{opened} sessions opened");
    let figures: Vec<_> = events.all("pool_used").collect();
    let [figures] = figures.as_slice() else {
        panic!("one connection, one line: {outcome}")
    };
    // With the one that looked what the wildcard stands for.
    let told = figures["opened"].as_u64().unwrap();
    assert_eq!(told, opened as u64, "{figures}");
    assert_eq!(figures["connection"], "db");
    assert_eq!(figures["size"].as_u64(), Some(5), "{figures}");
    let reused = figures["reused"].as_u64().unwrap();
    assert!(reused * 20 > (reused + told) * 16, "{figures}");
    let shown = project.hygge("runs show").succeed();
    let shown = shown.stdout.lines().last().unwrap().to_owned();
    assert!(shown.starts_with("db "), "{shown}");
    let again = project.hygge("runs show --output json").succeed();
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["pools"][0]["reused"].as_u64(), Some(reused));
    eventually("all sessions to end", || {
        (server.open_sessions() == 0).then_some(())
    });
}

#[test]
fn no_more_workers_load_than_were_asked_for() {
    let database = Database::start();
    let table = "dbo.hygge_test_workers";
    database.without(&[table]);
    let project = database.project(8);
    for step in 0..6 {
        let file = Orders::new(step * FILE..(step + 1) * FILE);
        project.orders(&format!("data/orders/{step}.parquet"), &file);
    }
    project.flow(
        "there",
        &format!(
            "home: {{type: parquet, path: data/orders}}\n\
             store: {{connection: db, table: {table}, create: if_missing, workers: 1}}\n"
        ),
    );
    let Some(server) = database.made() else {
        return;
    };
    eventually("all sessions to end", || {
        (server.open_sessions() == 0).then_some(())
    });
    server.reset_counters();
    project.hygge("start").succeed();
    // The run's lock, what is loaded, and statements beside it.
    let most = server.most_sessions();
    assert!(most <= 3, "{most} sessions at once");
    let count = database.run(&format!("SELECT CAST(COUNT(*) AS varchar(9)) FROM {table}"));
    assert_eq!(count, [(6 * FILE).to_string()]);
}

/// Who waited for it would do so with a session in its hands.
#[test]
fn one_session_takes_the_lock_of_a_run() {
    let database = Database::start();
    let project = database.project(3);
    project.orders("data/orders/0.parquet", &Orders::new(0..10));
    for n in 0..8 {
        let table = format!("dbo.hygge_test_lock_{n}");
        database.without(&[&table]);
        project.flow(
            &format!("flow_{n}"),
            &format!(
                "home: {{type: parquet, path: data/orders}}\n\
                 store: {{connection: db, table: {table}, create: if_missing}}\n"
            ),
        );
    }
    let Some(server) = database.made() else {
        return;
    };
    project.hygge("start").succeed();
    let log = server.log();
    let asked = log
        .iter()
        .filter(|logged| logged.text.contains("sp_getapplock"));
    assert_eq!(asked.count(), 1);
}

/// A transaction of somebody else holds it: that is told, and nobody has to wait for it.
#[test]
fn waiting_for_a_table_is_told_and_ends_when_asked_to() {
    let database = Database::start();
    let table = "dbo.hygge_test_held";
    database.without(&[table]);
    database.run(&format!(
        "CREATE TABLE {table} ({COLUMNS}); INSERT INTO {table} (id) VALUES (1)"
    ));
    let project = database.project(3);
    project.orders("data/orders/0.parquet", &Orders::new(0..10));
    project.flow(
        "there",
        &format!(
            "home: {{type: parquet, path: data/orders}}\n\
             store: {{connection: db, table: {table}, adopt: true}}\n"
        ),
    );
    let held = database.hold(&format!("UPDATE {table} SET version = 2"));
    let mut running = project.hygge("start --output json").spawn();
    told(&project, "waiting to look at dbo.hygge_test_held");
    running.signal(Signal::INT);
    let outcome = running.wait();
    drop(held);
    assert_eq!(outcome.code, Some(130), "{outcome}");
    assert_eq!(database.run(&format!("SELECT id FROM {table}")), ["1"]);
    project.hygge("start").succeed();
}

/// Somebody reads it, so that what is staged can't be put there.
#[test]
fn waiting_to_publish_is_told_and_ends_when_asked_to() {
    for (name, store) in [
        ("swap", "adopt: true"),
        ("empty", "adopt: true, write_strategy: truncate_insert"),
        (
            "merge",
            "adopt: true, write_strategy: merge, delete_missing: true, key: id",
        ),
        ("direct", "adopt: true, direct: true"),
    ] {
        let database = Database::start();
        let table = format!("dbo.hygge_test_read_{name}");
        database.without(&[&table]);
        database.run(&format!(
            "CREATE TABLE {table} ({COLUMNS}); INSERT INTO {table} (id) VALUES (10)"
        ));
        let project = database.project(3);
        project.orders("data/orders/0.parquet", &Orders::new(0..3));
        project.flow(
            "there",
            &format!(
                "home: {{type: parquet, path: data/orders}}\n\
                 store: {{connection: db, table: {table}, {store}}}\n"
            ),
        );
        let held = database.hold(&format!("SELECT id FROM {table} WITH (HOLDLOCK)"));
        let mut running = project.hygge("start --output json").spawn();
        told(
            &project,
            &format!("{table} is being written, or waited for"),
        );
        running.signal(Signal::INT);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(130), "{name}: {outcome}");
        let rows = || database.run(&format!("SELECT id FROM {table} ORDER BY id"));
        assert_eq!(rows(), ["10"], "{name}");
        drop(held);
        let outcome = project.hygge("start").succeed();
        let staged = name != "direct";
        let finished = outcome.shown().contains("finished its commit of 3 rows");
        assert_eq!(finished, staged, "{name}: {outcome}");
        assert_eq!(rows(), ["0", "1", "2"], "{name}");
    }
}

/// Waits until a run's log says something.
fn told(project: &Project, text: &str) {
    let runs = project.path(".hygge/runs");
    eventually(text, || {
        let mut told = false;
        if runs.exists() {
            walk(&runs, &mut |path, is_folder| {
                told |= !is_folder
                    && std::fs::read_to_string(path).is_ok_and(|found| found.contains(text));
            });
        }
        told.then_some(())
    });
}

#[test]
fn a_wildcard_stands_for_the_tables_that_are_there() {
    let database = Database::start();
    for table in ["a", "b", "audit_b", "c"] {
        let name = format!("dbo.hygge_test_wild_{table}");
        database.without(&[&name]);
        database.run(&format!(
            "CREATE TABLE {name} (id int NOT NULL PRIMARY KEY, name nvarchar(20) NULL); \
             INSERT INTO {name} (id, name) VALUES (1, N'a'), (2, N'b')"
        ));
    }
    let project = database.project(5);
    let flow = "home:\n  connection: db\n  tables: dbo.hygge_test_wild_*\n  \
                exclude_tables: '*_audit_*'\nstore: lake\n";
    project.flow("all", flow);
    // Without connecting it is one line, and with `--discover` what it stands for.
    let listed = project.hygge("list").succeed();
    assert!(
        listed.stdout.contains("tables dbo.hygge_test_wild_*"),
        "{listed}"
    );
    // A dry run says what a run would take.
    let dry = project.hygge("start --dry-run").succeed().shown();
    for table in ["a", "b", "c"] {
        assert!(
            dry.contains(&format!("all.hygge_test_wild_{table} ")),
            "{dry}"
        );
    }
    assert!(
        !dry.contains("audit") && dry.contains("Nothing was written"),
        "{dry}"
    );
    let found = project.hygge("list --discover --output json").succeed();
    let found: Vec<serde_json::Value> = found
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = found
        .iter()
        .map(|line| (line["entity"].as_str().unwrap(), line["rows"].as_u64()))
        .collect();
    let each = ["a", "b", "c"].map(|table| format!("hygge_test_wild_{table}"));
    let expected: Vec<_> = each.iter().map(|name| (name.as_str(), Some(2))).collect();
    assert_eq!(names, expected);
    // One of them, then all.
    project
        .hygge("start --entity all.hygge_test_wild_b")
        .succeed();
    assert!(!project.path("lake/hygge_test_wild_a").exists());
    project.hygge("start").succeed();
    assert!(project.path("lake/hygge_test_wild_a").exists());
    assert!(!project.path("lake/hygge_test_wild_audit_b").exists());
    project.hygge("debug").succeed();
    // One that is listed keeps its own settings.
    project.flow(
        "all",
        &format!("{flow}entities:\n  hygge_test_wild_a: {{home: {{where: id = 1}}}}\n"),
    );
    let outcome = project.hygge("start --output json").succeed();
    let events = Events::of(&outcome);
    assert_eq!(events.rows("all.hygge_test_wild_a"), 1);
    assert_eq!(events.rows("all.hygge_test_wild_b"), 2);
    // One that is none of them.
    project.flow(
        "all",
        &format!("{flow}entities:\n  hygge_test_wild_typo: {{home: {{where: id = 1}}}}\n"),
    );
    let typo = project.hygge("start").run();
    assert_eq!(typo.code, Some(1), "{typo}");
    let said = typo.shown();
    assert!(
        said.contains("none of the tables dbo.hygge_test_wild_* is called as this entity"),
        "{said}"
    );
    assert!(!said.contains("defect"), "{said}");
    project.flow(
        "all",
        "home: {connection: db, tables: dbo.hygge_test_none_*}\nstore: lake\n",
    );
    let nothing = project.hygge("start").run();
    assert_eq!(nothing.code, Some(1), "{nothing}");
    assert!(
        nothing
            .shown()
            .contains("`all` finds nothing: tables dbo.hygge_test_none_*"),
        "{nothing}"
    );
    let listed = project.hygge("list --discover").run();
    assert_eq!(listed.code, Some(1), "{listed}");
    assert!(
        listed.stdout.contains("its pattern finds nothing"),
        "{listed}"
    );
    project.flow(
        "all",
        "home: {connection: db, table: dbo.a, tables: dbo.*}\nstore: lake\n",
    );
    let both = project.hygge("list").run();
    assert!(
        both.shown()
            .contains("`tables` and one table or query both say what to read"),
        "{both}"
    );
}

#[test]
fn a_pool_that_is_too_small_is_said_before_anything_runs() {
    let project = Project::new();
    project.write(
        "hygge.yml",
        "name: test\nconnections:\n  db: {type: mssql, server: db.invalid, user: ann, password: '${DB_PASSWORD}', pool_size: 2}\n",
    );
    project.flow(
        "copy",
        "home: {connection: db, table: dbo.a}\nstore: {connection: db, table: dbo.b}\n",
    );
    let refused = project.hygge("list").env("DB_PASSWORD", "hunter2").run();
    assert_eq!(refused.code, Some(2), "{refused}");
    let said = refused.shown();
    assert!(
        said.contains("whose pool is too small to do both at once"),
        "{said}"
    );
    assert!(
        said.contains("give `db` a `pool_size` of at least 3"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_needs_staged_rows_or_several_workers_is_no_direct_load() {
    let project = Project::new();
    project.write(
        "hygge.yml",
        "name: test\nconnections:\n  db: {type: mssql, server: db.invalid, user: ann, password: p}\n",
    );
    for (home, expected) in [
        (
            "{connection: db, table: dbo.a, splits: 4}",
            "is read in 4 splits, and the store takes all rows through one writer",
        ),
        (
            "{connection: db, table: dbo.a, incremental: {column: at, strategy: merge, key: id}}",
            "this store can't merge by key",
        ),
    ] {
        project.flow(
            "copy",
            &format!("home: {home}\nstore: {{connection: db, table: dbo.b, direct: true}}\n"),
        );
        let refused = project.hygge("list").run();
        assert_eq!(refused.code, Some(2), "{refused}");
        let said = refused.shown();
        assert!(said.contains(expected), "{said}");
    }
}
