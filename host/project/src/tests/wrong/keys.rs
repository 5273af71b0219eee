//! Keys, types and values.

use super::flow;
use crate::tests::Project;

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

error: `options.memory` must be at least 8 MiB
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

wrong!(a_placeholder_that_is_not_closed, flow("home: in\nstore: ou{t\n"), @r#"
error: the `{` in "ou{t" is never closed
  --> flows/f/flow.yml:2:8
   |
 2 | store: ou{t
   |        ^^^^
   = help: take it out, or write {entity}, {flow} or {run_date}
"#);

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
   = help: use a store that merges (parquet, or mssql without `direct`), or `strategy: append`
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

wrong!(a_setting_that_is_wrong_leaves_the_others, Project::of("flows_dir: pipelines\noptions: 5\n").file("pipelines/f/flow.yml", "home: in\nstore: out\n"), @r"
error: `options` must be a map, not 5
  --> hygge.yml:2:10
   |
 2 | options: 5
   |          ^
");

wrong!(a_format_beside_its_type, flow("home: in\nstore: {type: csv, path: out, format: csv}\n"), @r"
error: the csv store has no key `format`
  --> flows/f/flow.yml:2:31
   |
 2 | store: {type: csv, path: out, format: csv}
   |                               ^^^^^^
   = help: leave it out: `type` is the format; `type: files` takes one
");

wrong!(a_text_where_a_list_or_a_map_is_wanted, flow("home: in\nstore: out\nentities: orders\n"), @r#"
error: `entities` must be a list or a map, not "orders"
  --> flows/f/flow.yml:3:11
   |
 3 | entities: orders
   |           ^^^^^^
   = help: write `[orders]`
"#);

wrong!(a_text_where_a_list_is_wanted, flow("home: in\nstore: {path: out, partition_by: day}\n"), @r#"
error: `partition_by` must be a list, not "day"
  --> flows/f/flow.yml:2:34
   |
 2 | store: {path: out, partition_by: day}
   |                                  ^^^
   = help: write `[day]`
"#);
