//! Names: of entities, flows, connections and transforms, and what the command line asks for.

use super::flow;
use crate::tests::Project;

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

wrong!(a_var_that_lists_entities, flow("home: in\nstore: out\nentities: [x, y, z]\n").var("flow.f.entities=[x, y]"), @r"
error: `--var` can't say which entities a flow has, only what one of them has
  --> --var:1:17
   |
 1 | flow.f.entities=[x, y]
   |                 ^^^^^^
   = help: to run only these, write `--entity f.x,f.y`; to set something for one, `--var flow.f.entities.<entity>.<path>=value`
");

wrong!(a_var_that_names_an_entity, flow("home: in\nstore: out\nentities: [x, y, z]\n").var("flow.f.entities=x"), @r"
error: `--var` can't say which entities a flow has, only what one of them has
  --> --var:1:17
   |
 1 | flow.f.entities=x
   |                 ^
   = help: to run only these, write `--entity f.x`; to set something for one, `--var flow.f.entities.<entity>.<path>=value`
");

wrong!(a_var_that_lists_an_entity_that_is_none, flow("home: in\nstore: out\nentities: [x, y, z]\n").var("flow.f.entities=[x, w]"), @r"
error: `--var` can't say which entities a flow has, only what one of them has
  --> --var:1:17
   |
 1 | flow.f.entities=[x, w]
   |                 ^^^^^^
   = help: write `w` under `entities` of flow `f`; to set something for one, `--var flow.f.entities.<entity>.<path>=value`
");

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

wrong!(a_transform_that_is_none, flow("home: in\nstore: out\ntransforms:\n  - type: maks\n    columns: [a]\n  - columns: [b]\n  - type: mask\n    colums: [c]\n  - mask: {columns: [d]}\n"), @r#"
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

error: the transform needs a `type`
  --> flows/f/flow.yml:9:5
   |
 9 |   - mask: {columns: [d]}
   |     ^
   = help: write `type: mask`, with its settings beside it
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
