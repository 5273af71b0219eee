//! Where flows read and write, and what waits for what.

use super::flow;
use crate::tests::Project;

wrong!(the_same_destination, Project::of("").file("flows/a/flow.yml", "home: in/a\nstore: lake\n").file("flows/b/flow.yml", "home: in/b\nstore: ./x/../lake\n"), @r"
error: `a.a` and `b.b` would write to the same place
  --> flows/b/flow.yml:2:8
   |
 2 | store: ./x/../lake
   |        ^^^^^^^^^^^
  ::: flows/a/flow.yml:2:8
   |
 2 | store: lake
   |        ^^^^ and here
   = help: give each a place of its own, or put {entity} into the path
");

/// A project with folders `real` and `in`, and links to them.
fn wrong_with_links(project: &Project) -> String {
    let folder = tempfile::Builder::new()
        .prefix("project")
        .tempdir()
        .unwrap();
    for name in ["real/lake", "in"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    for (name, target) in [("link", "real"), ("exact", "real/lake"), ("source", "in")] {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    }
    let said = project.load_in(folder.path()).unwrap_err().to_string();
    let there = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(there, 5 + 2, "planning creates nothing");
    said
}

#[test]
fn the_same_destination_through_a_link() {
    let project = Project::of("")
        .file("flows/a/flow.yml", "home: in/a\nstore: exact\n")
        .file("flows/b/flow.yml", "home: in/b\nstore: link/../real/lake\n");
    insta::assert_snapshot!(wrong_with_links(&project), @r"
error: `a.a` and `b.b` would write to the same place, through a symbolic link
  --> flows/b/flow.yml:2:8
   |
 2 | store: link/../real/lake
   |        ^^^^^^^^^^^^^^^^^
  ::: flows/a/flow.yml:2:8
   |
 2 | store: exact
   |        ^^^^^ and here
   = help: give each a place of its own, or put {entity} into the path
");
}

#[test]
fn a_destination_within_another_through_a_link() {
    let project = Project::of("")
        .file("flows/a/flow.yml", "home: in/a\nstore: link\n")
        .file("flows/b/flow.yml", "home: in/b\nstore: real/lake/new\n");
    insta::assert_snapshot!(wrong_with_links(&project), @r"
error: `a.a` and `b.b` would write into each other: one place holds the other
  --> flows/b/flow.yml:2:8
   |
 2 | store: real/lake/new
   |        ^^^^^^^^^^^^^
  ::: flows/a/flow.yml:2:8
   |
 2 | store: link
   |        ^^^^ and here
   = help: give each a place of its own, or put {entity} into the path
");
}

#[test]
fn reading_through_a_link_without_after() {
    let project = Project::of("")
        .file("flows/a/flow.yml", "home: other\nstore: real/lake\n")
        .file(
            "flows/b/flow.yml",
            "home: link/lake/*.parquet\nstore: out\n",
        )
        .file("flows/c/flow.yml", "home: in\nstore: source/out\n");
    insta::assert_snapshot!(wrong_with_links(&project), @r"
error: `b.b` reads what `a.a` writes, but flow `b` doesn't wait for flow `a`
  --> flows/b/flow.yml:1:7
   |
 1 | home: link/lake/*.parquet
   |       ^^^^^^^^^^^^^^^^^^^
  ::: flows/a/flow.yml:2:8
   |
 2 | store: real/lake
   |        ^^^^^^^^^ written here
   = help: add `after: [a]` to flow `b`

error: `c.c` would write where it reads
  --> flows/c/flow.yml:2:8
   |
 2 | store: source/out
   |        ^^^^^^^^^^
  ::: flows/c/flow.yml:1:7
   |
 1 | home: in
   |       ^^ read here
   = help: write to another place
");
}

wrong!(a_destination_within_another, Project::of("").file("flows/a/flow.yml", "home: in/a\nstore: lake\n").file("flows/b/flow.yml", "home: in/b\nstore: lake/b\n"), @r"
error: `a.a` and `b.b` would write into each other: one place holds the other
  --> flows/b/flow.yml:2:8
   |
 2 | store: lake/b
   |        ^^^^^^
  ::: flows/a/flow.yml:2:8
   |
 2 | store: lake
   |        ^^^^ and here
   = help: give each a place of its own, or put {entity} into the path
");

wrong!(entities_that_share_a_file, flow("home: in\nstore: out.parquet\nentities: [a, b]\n"), @r"
error: `f.a` and `f.b` would write to the same place
  --> flows/f/flow.yml:2:8
   |
 2 | store: out.parquet
   |        ^^^^^^^^^^^
   = help: give each a place of its own, or put {entity} into the path
");

wrong!(writing_where_one_reads, flow("home: data\nstore: data/out\n"), @r"
error: `f.f` would write where it reads
  --> flows/f/flow.yml:2:8
   |
 2 | store: data/out
   |        ^^^^^^^^
  ::: flows/f/flow.yml:1:7
   |
 1 | home: data
   |       ^^^^ read here
   = help: write to another place
");

wrong!(reading_in_the_same_flow, flow("entities:\n- {name: a, home: in, store: mid}\n- {name: b, home: mid, store: out}\n"), @r"
error: `f.b` reads what `f.a` writes, in the same flow
  --> flows/f/flow.yml:3:19
   |
 3 | - {name: b, home: mid, store: out}
   |                   ^^^
  ::: flows/f/flow.yml:2:30
   |
 2 | - {name: a, home: in, store: mid}
   |                              ^^^ written here
   = help: entities of a flow move side by side: put the reader into a flow of its own, with `after`
");

wrong!(reading_without_after, Project::of("").file("flows/a/flow.yml", "home: in\nstore: mid\n").file("flows/b/flow.yml", "home: mid/*.parquet\nstore: out\n"), @r"
error: `b.b` reads what `a.a` writes, but flow `b` doesn't wait for flow `a`
  --> flows/b/flow.yml:1:7
   |
 1 | home: mid/*.parquet
   |       ^^^^^^^^^^^^^
  ::: flows/a/flow.yml:2:8
   |
 2 | store: mid
   |        ^^^ written here
   = help: add `after: [a]` to flow `b`
");

wrong!(an_unknown_flow_in_after, Project::of("flows:\n  sales: {home: in, store: a}\n  b: {home: in, store: b, after: [sale, b]}\n"), @r"
error: there is no flow `sale`
  --> hygge.yml:3:35
   |
 3 |   b: {home: in, store: b, after: [sale, b]}
   |                                   ^^^^
   = help: did you mean `sales`?

error: flow `b` can't wait for itself
  --> hygge.yml:3:41
   |
 3 |   b: {home: in, store: b, after: [sale, b]}
   |                                         ^
");

wrong!(a_circle, Project::of("flows:\n  a: {home: in, store: a, after: c}\n  b: {home: in, store: b, after: [a]}\n  c: {home: in, store: c, after: [b]}\n  d: {home: in, store: d, after: [a]}\n"), @r"
error: flows wait for each other: `a` after `c` after `b` after `a`
  --> hygge.yml:2:34
   |
 2 |   a: {home: in, store: a, after: c}
   |                                  ^
   = help: take one `after` away
");

wrong!(a_secret_on_the_line_of_a_conflict, flow("home: {type: sql, host: h, table: t, dsn: hunter2, prt: 5}\nstore: {path: out, x: '${API_KEY:-hunter2}'}\n"), @r"
error: the sql home has no key `prt`
  --> flows/f/flow.yml:1:52
   |
 1 | home: {type: sql, host: h, table: t, dsn: ***
   |                                              ^
   = help: did you mean `port`?

error: the parquet store has no key `x`
  --> flows/f/flow.yml:2:20
   |
 2 | store: {path: out, x: ***
   |                    ^
   = help: there are: compression, connection, delimiter, emptied_by_others, on_schema_change, partition_by, path, polish, row_group_rows, type
");

wrong!(writing_over_the_project, Project::of("flows:\n  a: {home: in, store: .}\n  b: {home: in, store: flows/x}\n  c: {home: in, store: .hygge/c}\n"), @r"
error: `a.a` would write over the project's own hygge.yml
  --> hygge.yml:2:24
   |
 2 |   a: {home: in, store: .}
   |                        ^
   = help: write to a folder of its own, such as `data/out`

error: `b.b` would write over the project's own flows
  --> hygge.yml:3:24
   |
 3 |   b: {home: in, store: flows/x}
   |                        ^^^^^^^
   = help: write to a folder of its own, such as `data/out`

error: `c.c` would write over the project's own .hygge
  --> hygge.yml:4:24
   |
 4 |   c: {home: in, store: .hygge/c}
   |                        ^^^^^^^^
   = help: write to a folder of its own, such as `data/out`
");

wrong!(many_entities_in_one_file, flow("home: in\nstore: out.parquet\nentities: [a, b, c, d]\n"), @r"
error: `f.a` and `f.b` would write to the same place
  --> flows/f/flow.yml:2:8
   |
 2 | store: out.parquet
   |        ^^^^^^^^^^^
   = help: give each a place of its own, or put {entity} into the path
");

wrong!(a_glob_that_reads_the_store, flow("home: data/*\nstore: data/out\n"), @r"
error: `f.f` would write where it reads
  --> flows/f/flow.yml:2:8
   |
 2 | store: data/out
   |        ^^^^^^^^
  ::: flows/f/flow.yml:1:7
   |
 1 | home: data/*
   |       ^^^^^^ read here
   = help: write to another place
");
