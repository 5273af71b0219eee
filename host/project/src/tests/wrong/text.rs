//! Variables, secrets, and YAML that is none.

use super::flow;
use crate::tests::Project;

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
error: there is no home, store or database of type `sqk`
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

wrong!(a_variable_that_is_missing_beside_other_mistakes, flow("home: {path: '${UNSET}/x'}\nafter: ${AFTER}\nentities: ${ALL}\n"), @r"
error: flow `f` has no store
  --> flows/f/flow.yml:1:1
   |
 1 | home: {path: '${UNSET}/x'}
   | ^
   = help: say where, such as `store: data/out`

error: environment variable UNSET isn't set
  --> flows/f/flow.yml:1:14
   |
 1 | home: {path: '${UNSET}/x'}
   |              ^^^^^^^^^^^^
   = help: set it, or give a default: ${UNSET:-default}

error: environment variable AFTER isn't set
  --> flows/f/flow.yml:2:8
   |
 2 | after: ${AFTER}
   |        ^^^^^^^^
   = help: set it, or give a default: ${AFTER:-default}

error: environment variable ALL isn't set
  --> flows/f/flow.yml:3:11
   |
 3 | entities: ${ALL}
   |           ^^^^^^
   = help: set it, or give a default: ${ALL:-default}
");

wrong!(a_brace_that_never_closes_is_one_mistake, flow("home: '${UNSET'\nstore: out\n"), @r"
error: `${` without its `}`
  --> flows/f/flow.yml:1:7
   |
 1 | home: '${UNSET'
   |       ^^^^^^^^^
   = help: write ${NAME} or ${NAME:-default}; $${ stands for a plain ${
");
