//! What is said about a project that is wrong. The words are the product: read them.

use super::Project;

/// `wrong!(name, project, @"what is said")`
macro_rules! wrong {
    ($name:ident, $project:expr, @$said:literal) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!($project.wrong(), @$said);
        }
    };
}

/// A project with one flow `f`, whose flow.yml is this.
fn flow(text: &str) -> Project {
    Project::of("").file("flows/f/flow.yml", text)
}

wrong!(a_misspelt_key, Project::of("nmae: x\nflows: {f: {home: in, store: out}}\n"), @r"
error: hygge.yml has no key `nmae`
  --> hygge.yml:1:1
   |
 1 | nmae: x
   | ^^^^
   = help: did you mean `name`?
");

wrong!(a_home_that_is_unset, flow("home: in\nstore: out\nentities: [a, b]\n").file("flows/f/entities/c.yml", "home: ~\n"), @r"
error: `home` is empty here, which unsets that of the layers below
  --> flows/f/entities/c.yml:1:1
   |
 1 | home: ~
   | ^^^^
   = help: say where, or leave the key out to keep the home it had
");

wrong!(a_key_of_another_file, flow("home: in\nstore: out\noptions: {concurrency: 3}\n"), @r"
error: a flow has no key `options`
  --> flows/f/flow.yml:3:1
   |
 3 | options: {concurrency: 3}
   | ^^^^^^^
   = help: this belongs into hygge.yml
");

wrong!(a_misspelt_setting, flow("home:\n  type: csv\n  path: in\n  delimter: ;\nstore: out\n"), @r"
error: the csv home has no key `delimter`
  --> flows/f/flow.yml:4:3
   |
 4 |   delimter: ;
   |   ^^^^^^^^
   = help: did you mean `delimiter`?
");

wrong!(a_setting_in_the_defaults_is_reported_once, flow("defaults: {store: {compresion: zstd}}\nhome: in\nstore: out\nentities: [a, b, c]\n"), @r"
error: the parquet store has no key `compresion`
  --> flows/f/flow.yml:1:20
   |
 1 | defaults: {store: {compresion: zstd}}
   |                    ^^^^^^^^^^
   = help: did you mean `compression`?
");

wrong!(a_misspelt_type, flow("home: {type: parqet, path: in}\nstore: {type: cvs, path: out}\n"), @r"
error: there is no home of type `parqet`
  --> flows/f/flow.yml:1:14
   |
 1 | home: {type: parqet, path: in}
   |              ^^^^^^
   = help: did you mean `parquet`?

error: there is no store of type `cvs`
  --> flows/f/flow.yml:2:15
   |
 2 | store: {type: cvs, path: out}
   |               ^^^
   = help: did you mean `csv`?
");

wrong!(an_unknown_type, flow("home: {type: mongodb}\nstore: out\n"), @r"
error: there is no home of type `mongodb`
  --> flows/f/flow.yml:1:14
   |
 1 | home: {type: mongodb}
   |              ^^^^^^^
   = help: there are: changes, csv, files, parquet, sql
");

wrong!(a_wrong_type_of_value, Project::of("options:\n  retries: three\n  concurrency: [1]\n  on_error: true\nflows: {f: {home: in, store: out}}\n"), @r#"
error: `options.retries` must be a whole number, not "three"
  --> hygge.yml:2:12
   |
 2 |   retries: three
   |            ^^^^^

error: `options.concurrency` must be a whole number, not a list
  --> hygge.yml:3:3
   |
 3 |   concurrency: [1]
   |   ^^^^^^^^^^^

error: `options.on_error` must be `continue` or `stop`, not "true"
  --> hygge.yml:4:13
   |
 4 |   on_error: true
   |             ^^^^
"#);

wrong!(out_of_bounds, Project::of("options: {concurrency: 0, retries: -1, memory: 10}\nflows: {f: {home: in, store: {path: out, row_group_rows: 0}}}\n"), @r"
error: `options.concurrency` must be at least 1, not 0
  --> hygge.yml:1:24
   |
 1 | options: {concurrency: 0, retries: -1, memory: 10}
   |                        ^

error: `options.retries` must be at least 0, not -1
  --> hygge.yml:1:36
   |
 1 | options: {concurrency: 0, retries: -1, memory: 10}
   |                                    ^^

error: `options.memory` must be at least 1 MiB
  --> hygge.yml:1:48
   |
 1 | options: {concurrency: 0, retries: -1, memory: 10}
   |                                                ^^

error: `row_group_rows` must be at least 1, not 0
  --> hygge.yml:2:58
   |
 2 | flows: {f: {home: in, store: {path: out, row_group_rows: 0}}}
   |                                                          ^
");

wrong!(a_size_that_is_none, Project::of("options:\n  memory: lots\nnmae: x\nflows: {f: {home: in, store: out}}\n"), @r"
error: `options.memory` must be a size like 256 MiB, or a number of bytes
  --> hygge.yml:2:11
   |
 2 |   memory: lots
   |           ^^^^

error: hygge.yml has no key `nmae`
  --> hygge.yml:3:1
   |
 3 | nmae: x
   | ^^^^
   = help: did you mean `name`?
");

wrong!(a_misspelt_word, flow("mode: incremetal\nhome: in\nstore: {path: out, compression: zst}\n"), @r#"
error: `mode` must be `full` or `incremental`, not "incremetal"
  --> flows/f/flow.yml:1:7
   |
 1 | mode: incremetal
   |       ^^^^^^^^^^
   = help: did you mean `incremental`?

error: `compression` must be `snappy`, `none` or `zstd`, not "zst"
  --> flows/f/flow.yml:3:33
   |
 3 | store: {path: out, compression: zst}
   |                                 ^^^
   = help: did you mean `zstd`?
"#);

wrong!(a_nested_mistake, flow("home: in\nstore:\n  path: out\n  compression:\n    codec: zstd\n    level: 99\n    lvl: 3\n"), @r"
error: `compression.level` must be at most 22, not 99
  --> flows/f/flow.yml:6:12
   |
 6 |     level: 99
   |            ^^

error: `compression` has no key `lvl`
  --> flows/f/flow.yml:7:5
   |
 7 |     lvl: 3
   |     ^^^
   = help: there are: codec, level
");

wrong!(a_list_item, flow("home: {path: in, type: csv, null_values: [NA, [x]]}\nstore: out\n"), @r"
error: `null_values[1]` must be a text, not a list
  --> flows/f/flow.yml:1:47
   |
 1 | home: {path: in, type: csv, null_values: [NA, [x]]}
   |                                               ^
");

wrong!(more_than_one_character, flow("home: {path: in, type: csv, delimiter: '||'}\nstore: out\n"), @r"
error: `delimiter` must be exactly 1 character
  --> flows/f/flow.yml:1:40
   |
 1 | home: {path: in, type: csv, delimiter: '||'}
   |                                        ^^^^
");

wrong!(a_missing_setting, flow("home: {type: csv}\nstore: {type: parquet}\nentities: [a, b]\n"), @r"
error: the csv home of flow `f` needs `path`
  --> flows/f/flow.yml:1:1
   |
 1 | home: {type: csv}
   | ^^^^

error: the parquet store of flow `f` needs `path`
  --> flows/f/flow.yml:2:1
   |
 2 | store: {type: parquet}
   | ^^^^^
");

wrong!(no_type_and_no_path, flow("home: {header: true}\nstore: out\n"), @r"
error: the home needs a `type`
  --> flows/f/flow.yml:1:1
   |
 1 | home: {header: true}
   | ^^^^
   = help: name one of changes, csv, files, parquet, sql, or give a `path`
");

wrong!(no_home_and_no_store, flow("description: nothing yet\n"), @r"
error: flow `f` has no home
  --> flows/f/flow.yml:1:1
   |
 1 | description: nothing yet
   | ^
   = help: say where, such as `home: data/in.csv`

error: flow `f` has no store
  --> flows/f/flow.yml:1:1
   |
 1 | description: nothing yet
   | ^
   = help: say where, such as `store: data/out`
");

wrong!(a_typo_hides_nothing_and_adds_nothing, flow("hoem: in\nstore: {path: out, compresion: zstd}\n"), @r"
error: a flow has no key `hoem`
  --> flows/f/flow.yml:1:1
   |
 1 | hoem: in
   | ^^^^
   = help: did you mean `home`?

error: the parquet store has no key `compresion`
  --> flows/f/flow.yml:2:20
   |
 2 | store: {path: out, compresion: zstd}
   |                    ^^^^^^^^^^
   = help: did you mean `compression`?
");

wrong!(a_path_that_is_a_map, flow("home: {path: {entity}, type: csv}\nstore: out\n"), @r#"
error: `path` must be a text, not a map
  --> flows/f/flow.yml:1:8
   |
 1 | home: {path: {entity}, type: csv}
   |        ^^^^
   = help: put quotes around it: "{entity}"
"#);

wrong!(an_unknown_placeholder, flow("home: in/{entiy}\nstore: out/{date}\n"), @r"
error: unknown placeholder {entiy}
  --> flows/f/flow.yml:1:7
   |
 1 | home: in/{entiy}
   |       ^^^^^^^^^^
   = help: did you mean {entity}?

error: unknown placeholder {date}
  --> flows/f/flow.yml:2:8
   |
 2 | store: out/{date}
   |        ^^^^^^^^^^
   = help: there are {entity}, {flow} and {run_date}
");

wrong!(an_unset_variable, flow("home: ${LANDING}/in\nstore: {path: out, row_group_rows: '${ROWS}'}\n"), @r"
error: environment variable LANDING isn't set
  --> flows/f/flow.yml:1:7
   |
 1 | home: ${LANDING}/in
   |       ^^^^^^^^^^^^^
   = help: set it, or give a default: ${LANDING:-default}

error: environment variable ROWS isn't set
  --> flows/f/flow.yml:2:36
   |
 2 | store: {path: out, row_group_rows: '${ROWS}'}
   |                                    ^^^^^^^^^
   = help: set it, or give a default: ${ROWS:-default}
");

wrong!(a_variable_of_the_wrong_type, flow("home: in\nstore: {path: out, row_group_rows: '${ROWS}'}\n").env("ROWS", "many"), @r#"
error: `row_group_rows` must be a whole number, not "many"
  --> flows/f/flow.yml:2:36
   |
 2 | store: {path: out, row_group_rows: '${ROWS}'}
   |                                    ^^^^^^^^^
"#);

wrong!(a_secret_of_the_wrong_type, flow("home: {type: sql, table: t, host: h, port: '${DB_TOKEN}', password: [hunter2]}\nstore: out\n").env("DB_TOKEN", "hunter2"), @r"
error: `port` must be a whole number
  --> flows/f/flow.yml:1:44
   |
 1 | home: {type: sql, table: t, host: h, port: '${DB_TOKEN}', password: ***
   |                                            ^^^^^^^^^^^^^

error: `password` must be a text, not a list
  --> flows/f/flow.yml:1:59
   |
 1 | home: {type: sql, table: t, host: h, port: '${DB_TOKEN}', password: ***
   |                                                           ^^^^^^^^
");

wrong!(a_secret_beside_a_mistake, flow("home: {type: sql, table: t, hst: h, password: hunter2}\nstore: out\n"), @r"
error: the sql home of flow `f` needs `host`
  --> flows/f/flow.yml:1:1
   |
 1 | home: {type: sql, table: t, hst: h, password: ***
   | ^^^^

error: the sql home has no key `hst`
  --> flows/f/flow.yml:1:29
   |
 1 | home: {type: sql, table: t, hst: h, password: ***
   |                             ^^^
   = help: did you mean `host`?
");

wrong!(a_secret_by_its_field_alone, flow("home: {type: sql, table: t, host: h, dsn: [hunter2]}\nstore: out\n"), @r"
error: `dsn` must be a text, not a list
  --> flows/f/flow.yml:1:38
   |
 1 | home: {type: sql, table: t, host: h, dsn: ***
   |                                      ^^^
");

wrong!(a_broken_variable, flow("home: in/${1X}\nstore: out/${Y\n"), @r"
error: `1X` can't be the name of a variable
  --> flows/f/flow.yml:1:7
   |
 1 | home: in/${1X}
   |       ^^^^^^^^
   = help: write ${NAME} or ${NAME:-default}; $${ stands for a plain ${

error: `${` without its `}`
  --> flows/f/flow.yml:2:8
   |
 2 | store: out/${Y
   |        ^^^^^^^
   = help: write ${NAME} or ${NAME:-default}; $${ stands for a plain ${
");

wrong!(a_key_given_twice, flow("home: in\nstore: out\nhome: other\n"), @r"
error: `home` is given twice
  --> flows/f/flow.yml:3:1
   |
 3 | home: other
   | ^^^^
  ::: flows/f/flow.yml:1:1
   |
 1 | home: in
   | ^^^^ first here
   = help: keep one of the two
");

wrong!(not_yaml, flow("home: in\n  store: out\n"), @r"
error: this isn't YAML: mapping values are not allowed in this context
  --> flows/f/flow.yml:2:8
   |
 2 |   store: out
   |        ^
   = help: check the indentation, and put quotes around a value that holds `: `
");

wrong!(a_tab, flow("home:\n\tpath: in\nstore: out\n"), @r"
error: a tab is used to indent
  --> flows/f/flow.yml:2:1
   |
 2 | 	path: in
   | ^
   = help: indent with spaces: YAML knows no other way
");

wrong!(an_open_quote, flow("home: \"in\nstore: out\n"), @r#"
error: this isn't YAML: invalid indentation in quoted scalar
  --> flows/f/flow.yml:1:7
   |
 1 | home: "in
   |       ^
   = help: check that the quote is closed
"#);

wrong!(an_open_bracket, flow("entities: [a, b\nhome: in\nstore: out\n"), @r"
error: this isn't YAML: illegal placement of ':' indicator
  --> flows/f/flow.yml:2:5
   |
 2 | home: in
   |     ^
   = help: the `[` in line 1 isn't closed
");

wrong!(a_variable_in_braces, flow("home: {path: ${IN}, type: csv}\nstore: out\n"), @r"
error: this isn't YAML: while parsing a flow mapping, did not find expected ',' or '}'
  --> flows/f/flow.yml:1:15
   |
 1 | home: {path: ${IN}, type: csv}
   |               ^
   = help: put quotes around a ${VARIABLE} inside { } or [ ]
");

wrong!(a_secret_in_a_path, flow("home: in\nstore: 'out/${TOKEN}'\nentities: [a, b]\n").env("TOKEN", "hunter2"), @r"
error: `path` of the parquet store of flow `f` holds a secret
  --> flows/f/flow.yml:2:8
   |
 2 | store: ***
   |        ^^^
   = help: where data is read and settles is shown and remembered in clear; use a variable whose name doesn't look secret, or put the secret elsewhere
");

wrong!(an_unused_connection, Project::of("connections:\n  a: {type: sqk}\n  b: {type: sql, hots: x}\nflows: {f: {home: in, store: out}}\n"), @r"
error: there is no home or store of type `sqk`
  --> hygge.yml:2:13
   |
 2 |   a: {type: sqk}
   |             ^^^
   = help: did you mean `sql`?

error: a sql connection has no key `hots`
  --> hygge.yml:3:18
   |
 3 |   b: {type: sql, hots: x}
   |                  ^^^^
   = help: did you mean `host`?
");

wrong!(a_tag, flow("home: !secret in\nstore: out\n"), @r"
error: YAML tag `!secret` means nothing here
  --> flows/f/flow.yml:1:7
   |
 1 | home: !secret in
   |       ^^^^^^^^^^
   = help: write the value without a tag
");

wrong!(a_list_instead_of_a_map, flow("- home: in\n- store: out\n"), @r"
error: a flow must be a map, not a list
  --> flows/f/flow.yml:1:1
   |
 1 | - home: in
   | ^
");

wrong!(a_broken_file_hides_no_other, Project::of("nmae: x\n").file("flows/a/flow.yml", "home: [\n").file("flows/b/flow.yml", "home: in\nstore: {path: out, compresion: zstd}\n").file("flows/c/flow.yml", "home: in\nstore: out/c\n").file("flows/c/entities/x.yml", "a: b: c\n").file("flows/c/entities/y.yml", "storr: x\n"), @r"
error: this isn't YAML: a value is missing
  --> flows/a/flow.yml:2:1
   |
 2 | 
   | ^
   = help: the `[` in line 1 isn't closed

error: the parquet store has no key `compresion`
  --> flows/b/flow.yml:2:20
   |
 2 | store: {path: out, compresion: zstd}
   |                    ^^^^^^^^^^
   = help: did you mean `compression`?

error: this isn't YAML: mapping values are not allowed in this context
  --> flows/c/entities/x.yml:1:5
   |
 1 | a: b: c
   |     ^
   = help: check the indentation, and put quotes around a value that holds `: `

error: an entity has no key `storr`
  --> flows/c/entities/y.yml:1:1
   |
 1 | storr: x
   | ^^^^^
   = help: did you mean `store`?

error: hygge.yml has no key `nmae`
  --> hygge.yml:1:1
   |
 1 | nmae: x
   | ^^^^
   = help: did you mean `name`?
");

wrong!(a_broken_project_file, Project::of("name: [\n").file("flows/a/flow.yml", "home: {connection: crm}\nstor: out\n"), @r"
error: a flow has no key `stor`
  --> flows/a/flow.yml:2:1
   |
 2 | stor: out
   | ^^^^
   = help: did you mean `store`?

error: this isn't YAML: a value is missing
  --> hygge.yml:2:1
   |
 2 | 
   | ^
   = help: the `[` in line 1 isn't closed
");

wrong!(incremental_without_a_column, flow("home: {path: in, incremental: {strategy: append}}\nstore: out\n"), @r"
error: `incremental` needs a `column`
  --> flows/f/flow.yml:1:18
   |
 1 | home: {path: in, incremental: {strategy: append}}
   |                  ^^^^^^^^^^^
   = help: name the column that grows, such as an id or the time of the last change
");

wrong!(merge_without_a_key, flow("home: {path: in, incremental: {column: id, strategy: merge}}\nstore: out\n"), @r"
error: `strategy: merge` needs a `key`
  --> flows/f/flow.yml:1:54
   |
 1 | home: {path: in, incremental: {column: id, strategy: merge}}
   |                                                      ^^^^^
   = help: name the column or columns that tell rows apart: `key: id`
");

wrong!(a_key_without_a_strategy, flow("home: {path: in, incremental: {column: id, key: id}}\nstore: out\n"), @r"
error: a key without a strategy can mean two things
  --> flows/f/flow.yml:1:44
   |
 1 | home: {path: in, incremental: {column: id, key: id}}
   |                                            ^^^
   = help: say `strategy: merge` to replace rows with the same key, or `strategy: append` to add every change
");

wrong!(files_with_a_column, flow("home: {path: in, incremental: {strategy: files, column: id}}\nstore: out\n"), @r"
error: `strategy: files` has no use for `column`
  --> flows/f/flow.yml:1:49
   |
 1 | home: {path: in, incremental: {strategy: files, column: id}}
   |                                                 ^^^^^^
   = help: leave `column` out, or use `strategy: append` or `merge`
");

wrong!(a_lookback_that_is_none, flow("home: {path: in, incremental: {column: id, lookback: a while}}\nstore: out\n"), @r"
error: `lookback` must be a number in the column's unit, or a duration like 90s, 5m, 2h or 1d
  --> flows/f/flow.yml:1:54
   |
 1 | home: {path: in, incremental: {column: id, lookback: a while}}
   |                                                      ^^^^^^^
");

wrong!(incremental_as_a_word, flow("home: {path: in, incremental: true}\nstore: out\n"), @r"
error: `incremental` must be a map, not true
  --> flows/f/flow.yml:1:31
   |
 1 | home: {path: in, incremental: true}
   |                               ^^^^
");

wrong!(an_unknown_strategy, flow("home: {path: in, incremental: {column: id, strategy: upsert}}\nstore: out\n"), @r#"
error: `strategy` must be `append`, `merge` or `files`, not "upsert"
  --> flows/f/flow.yml:1:54
   |
 1 | home: {path: in, incremental: {column: id, strategy: upsert}}
   |                                                      ^^^^^^
"#);

wrong!(a_mode_without_incremental, flow("mode: incremental\nhome: in\nstore: out\n"), @r"
error: `f.f`: an incremental run needs `home.incremental`
  --> flows/f/flow.yml:1:7
   |
 1 | mode: incremental
   |       ^^^^^^^^^^^
   = help: say `incremental: {column: …}` in the home, or use `mode: full`
");

wrong!(the_command_line_asks_for_what_can_not_be, flow("home: in\nstore: out\n").mode(hygge_core::Mode::Incremental), @r"
error: `f.f`: an incremental run needs `home.incremental`
  --> flows/f/flow.yml:1:7
   |
 1 | home: in
   |       ^^
   = help: say `incremental: {column: …}` in the home, or use `mode: full`
");

wrong!(merge_into_a_store_that_can_not, flow("home: {path: in, incremental: {column: id, strategy: merge, key: id}}\nstore: {type: csv, path: out}\n"), @r"
error: `f.f`: this store can't merge by key
  --> flows/f/flow.yml:2:26
   |
 2 | store: {type: csv, path: out}
   |                          ^^^
  ::: flows/f/flow.yml:1:54
   |
 1 | home: {path: in, incremental: {column: id, strategy: merge, key: id}}
   |                                                      ^^^^^ asked for here
   = help: use a parquet store, or `strategy: append`
");

wrong!(append_to_a_single_file, flow("home:\n  path: in\n  incremental: {column: id}\nstore: out/all.parquet\n"), @r"
error: `f.f`: this store can't append to what it holds
  --> flows/f/flow.yml:4:8
   |
 4 | store: out/all.parquet
   |        ^^^^^^^^^^^^^^^
  ::: flows/f/flow.yml:3:16
   |
 3 |   incremental: {column: id}
   |                ^ asked for here
   = help: give the store a folder instead of a single file, or use `mode: full`
");

wrong!(new_files_of_a_database, flow("home: {type: sql, host: h, table: t, incremental: {strategy: files}}\nstore: out\n"), @r"
error: the sql home can't tell new files from old ones
  --> flows/f/flow.yml:1:62
   |
 1 | home: {type: sql, host: h, table: t, incremental: {strategy: files}}
   |                                                              ^^^^^
   = help: use `strategy: append` or `merge` with a `column`
");

wrong!(a_change_stream_into_files, flow("home: {type: changes}\nstore: out\n"), @r"
error: `f.f` reads a change stream, and the parquet store can't take one
  --> flows/f/flow.yml:2:8
   |
 2 | store: out
   |        ^^^
  ::: flows/f/flow.yml:1:1
   |
 1 | home: {type: changes}
   | ^^^^ read here
   = help: write it to a store that applies inserts, updates and deletes
");

wrong!(what_a_kind_refuses, flow("home: {type: parquet, path: in, delimiter: ;}\nstore: out\n"), @r"
error: parquet files have no delimiter
  --> flows/f/flow.yml:1:44
   |
 1 | home: {type: parquet, path: in, delimiter: ;}
   |                                            ^
   = help: leave it out
");

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

wrong!(a_placeholder_that_is_not_closed, flow("home: in\nstore: ou{t\n"), @r#"
error: the `{` in "ou{t" is never closed
  --> flows/f/flow.yml:2:8
   |
 2 | store: ou{t
   |        ^^^^
   = help: take it out, or write {entity}, {flow} or {run_date}
"#);

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

wrong!(an_entity_twice, flow("home: in\nstore: out\nentities: [a, b, a]\n").file("flows/f/entities/b.yml", ""), @r"
error: entity `f.b` is there twice
  --> flows/f/flow.yml:3:15
   |
 3 | entities: [a, b, a]
   |               ^
  ::: flows/f/entities/b.yml:1:1
   |
 1 | 
   | ^ first here
   = help: keep one of the two, or give it another name

error: entity `f.a` is there twice
  --> flows/f/flow.yml:3:18
   |
 3 | entities: [a, b, a]
   |                  ^
  ::: flows/f/flow.yml:3:12
   |
 3 | entities: [a, b, a]
   |            ^ first here
   = help: keep one of the two, or give it another name
");

wrong!(a_flow_twice, Project::of("flows: {f: {home: in, store: x}}\n").file("flows/f/flow.yml", "home: in\nstore: out\n"), @r"
error: flow `f` is there twice
  --> flows/f/flow.yml:1:1
   |
 1 | home: in
   | ^
  ::: hygge.yml:1:9
   |
 1 | flows: {f: {home: in, store: x}}
   |         ^ also here
   = help: keep one of the two
");

wrong!(a_name_that_can_not_be, Project::of("flows: {a.b: {home: in, store: x}}\n").file("flows/f/flow.yml", "home: in\nstore: out\nentities: [x/y, '']\n"), @r#"
error: entity name "x/y" has a character that can't be in a name: / \ * ? [ ] { } " < > | : , $
  --> flows/f/flow.yml:3:12
   |
 3 | entities: [x/y, '']
   |            ^^^

error: entity name "" is empty
  --> flows/f/flow.yml:3:17
   |
 3 | entities: [x/y, '']
   |                 ^^

error: flow name "a.b" has a dot, which stands between flow and entity
  --> hygge.yml:1:9
   |
 1 | flows: {a.b: {home: in, store: x}}
   |         ^^^
"#);

wrong!(an_entity_without_a_name, flow("home: in\nstore: out\nentities:\n- home: in/a\n"), @r"
error: this entity has no `name`
  --> flows/f/flow.yml:4:3
   |
 4 | - home: in/a
   |   ^
   = help: add `name: …`, or write it as `<name>: {…}` in a map
");

wrong!(no_entities, flow("home: in\nstore: out\nentities: []\n"), @r"
error: `entities` is empty
  --> flows/f/flow.yml:3:1
   |
 3 | entities: []
   | ^^^^^^^^
   = help: leave it out: then the flow is one entity
");

wrong!(an_unknown_connection, Project::of("connections: {crm: {type: sql, host: h}}\nflows: {f: {home: {connection: cmr, table: t}, store: out}}\n"), @r"
error: there is no connection `cmr`
  --> hygge.yml:2:32
   |
 2 | flows: {f: {home: {connection: cmr, table: t}, store: out}}
   |                                ^^^
   = help: did you mean `crm`?
");

wrong!(a_mistake_in_a_connection, Project::of("connections:\n  crm: {type: sql, host: h, prot: 5}\nflows: {f: {home: {connection: crm, table: t}, store: out}}\n"), @r"
error: the sql home has no key `prot`
  --> hygge.yml:2:29
   |
 2 |   crm: {type: sql, host: h, prot: 5}
   |                             ^^^^
   = help: did you mean `port`?
");

wrong!(a_flow_that_is_a_file, Project::of("flows: {f: {home: in, store: out}}\n").file("flows/sales.yml", ""), @r"
error: flows/sales.yml is a file, but a flow is a folder
  = help: move it to flows/sales/flow.yml
");

wrong!(a_flow_without_its_file, Project::of("flows: {f: {home: in, store: out}}\n").file("flows/sales/flows.yml", ""), @r"
error: flows/sales has no flow.yml
  = help: rename flows/sales/flows.yml to flow.yml
");

wrong!(no_flows, Project::of("name: empty\n"), @r"
error: this project has no flows
  = help: add flows/<flow>/flow.yml, or `flows:` to hygge.yml
");

wrong!(no_such_flows_dir, Project::of("flows_dir: pipelines\n"), @r"
error: pipelines can't be read: no such file or directory
  --> hygge.yml:1:12
   |
 1 | flows_dir: pipelines
   |            ^^^^^^^^^
");

wrong!(wrong_vars, flow("home: in\nstore: out\n").var("x").var("flw.f.home=x").var("flow.g.home=x").var("flow.f").var("flow.f.stor.path=x").var("flow.f.entities.g.mode=full").var("flow.f.mode=al"), @r#"
error: `--var` must begin with `flow.`
  --> --var:1:1
   |
 1 | flw.f.home=x
   | ^^^^^^^^^^^^
   = help: write `--var flow.<name>.<path>=value`, such as `--var flow.sales.store.path=out`

error: `--var` needs a `=`
  --> --var:1:1
   |
 1 | x
   | ^
   = help: write `--var flow.<name>.<path>=value`, such as `--var flow.sales.store.path=out`

error: there is no flow `g`
  --> --var:1:6
   |
 1 | flow.g.home=x
   |      ^
   = help: `hygge list` shows all flows

error: `--var` has no key `stor`
  --> --var:1:8
   |
 1 | flow.f.stor.path=x
   |        ^^^^
   = help: did you mean `store`?

error: `mode` must be `full` or `incremental`, not "al"
  --> --var:1:13
   |
 1 | flow.f.mode=al
   |             ^^

error: flow `f` has no entity `g`
  --> --var:1:17
   |
 1 | flow.f.entities.g.mode=full
   |                 ^
   = help: `hygge list` shows all entities
"#);

wrong!(a_var_with_a_mistake_for_the_store, flow("home: in\nstore: out\n").var("flow.f.store.row_group_rows=0").var("flow.f.home.password=hunter2"), @r"
error: the files home has no key `password`
  --> --var:1:13
   |
 1 | flow.f.home.password=***
   |             ^^^^^^^^
   = help: there are: allow_empty, connection, delimiter, format, header, incremental, null_values, path, type

error: `row_group_rows` must be at least 1, not 0
  --> --var:1:29
   |
 1 | flow.f.store.row_group_rows=0
   |                             ^
");

wrong!(wrong_selections, flow("home: in\nstore: out\nentities: [flights, planes]\n").flow("g").entity("flights").entity("f.plains,f.*"), @r"
error: no entity is named `f.plains`
  = help: did you mean `f.planes`?

error: no entity is named `flights`
  = help: did you mean `f.flights`?

error: no flow is named `g`
  = help: there are: f
");

wrong!(not_a_flow_name_in_the_flow, flow("name: f\nhome: in\nstore: out\npath: x\n"), @r"
error: a flow has no key `name`
  --> flows/f/flow.yml:1:1
   |
 1 | name: f
   | ^^^^
   = help: leave it out: a flow has the name of its folder, or of its key in `flows`

error: a flow has no key `path`
  --> flows/f/flow.yml:4:1
   |
 4 | path: x
   | ^^^^
   = help: this belongs into `home` or `store`
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
   = help: there are: compression, connection, delimiter, emptied_by_others, partition_by, path, row_group_rows, type
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

wrong!(many_entities_with_one_slip, flow("home: {path: in, incremental: {column: id, strategy: merge, key: id}}\nstore: {type: csv, path: out}\nentities: [a, b, c, d]\n"), @r"
error: `f.a`: this store can't merge by key (and 3 more entities)
  --> flows/f/flow.yml:2:26
   |
 2 | store: {type: csv, path: out}
   |                          ^^^
  ::: flows/f/flow.yml:1:54
   |
 1 | home: {path: in, incremental: {column: id, strategy: merge, key: id}}
   |                                                      ^^^^^ asked for here
   = help: use a parquet store, or `strategy: append`
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

wrong!(words_that_yaml_takes_otherwise, Project::of("options: {concurrency: '5'}\nflows: {f: {home: {path: in, header: yes}, store: {path: out, row_group_rows: '5'}}}\n"), @r#"
error: `options.concurrency` must be a whole number, not "5"
  --> hygge.yml:1:24
   |
 1 | options: {concurrency: '5'}
   |                        ^^^
   = help: take the quotes away

error: `header` must be true or false, not "yes"
  --> hygge.yml:2:38
   |
 2 | flows: {f: {home: {path: in, header: yes}, store: {path: out, row_group_rows: '5'}}}
   |                                      ^^^
   = help: write `true`

error: `row_group_rows` must be a whole number, not "5"
  --> hygge.yml:2:79
   |
 2 | flows: {f: {home: {path: in, header: yes}, store: {path: out, row_group_rows: '5'}}}
   |                                                                               ^^^
   = help: take the quotes away
"#);

wrong!(a_transform_that_is_none, flow("home: in\nstore: out\ntransforms:\n  - type: maks\n    columns: [a]\n  - columns: [b]\n  - type: mask\n    colums: [c]\n"), @r#"
error: there is no transform of type `maks`
  --> flows/f/flow.yml:4:11
   |
 4 |   - type: maks
   |           ^^^^
   = help: did you mean `mask`?

error: the transform needs a `type`
  --> flows/f/flow.yml:6:5
   |
 6 |   - columns: [b]
   |     ^
   = help: there are: mask

error: the mask transform needs `columns`
  --> flows/f/flow.yml:7:5
   |
 7 |   - type: mask
   |     ^

error: the mask transform has no key `colums`
  --> flows/f/flow.yml:8:5
   |
 8 |     colums: [c]
   |     ^^^^^^
   = help: did you mean `columns`?
"#);

wrong!(transforms_that_are_no_list, flow("home: in\nstore: out\ntransforms: mask\n"), @r#"
error: `transforms` must be a list, not "mask"
  --> flows/f/flow.yml:3:13
   |
 3 | transforms: mask
   |             ^^^^
"#);

wrong!(a_transform_that_quotes_a_secret, flow("home: in\nstore: out\ntransforms:\n  - type: mask\n    columns: []\n    key: hunter2\n"), @r#"
error: nothing to mask with "***"
  --> flows/f/flow.yml:5:5
   |
 5 |     columns: []
   |     ^^^^^^^
"#);
