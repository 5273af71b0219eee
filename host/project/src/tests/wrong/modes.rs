//! How much a run takes, and what home and store can do.

use super::flow;

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
error: `strategy` must be `append`, `merge`, `files` or `change_tracking`, not "upsert"
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
   = help: use a store that merges (parquet, or mssql without `direct`), or `strategy: append`
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
