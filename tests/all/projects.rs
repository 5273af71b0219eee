//! Project files with slips and damage in them: there is a plan, or there are problems that say
//! where; never a panic, and never a long wait.

use std::fs;
use std::time::{Duration, Instant};

use hygge_project::{Load, Selection, load};
use tempfile::TempDir;

use crate::harness::{Chance, say};

/// One project with everything that may stand in one.
const PROJECT: &[(&str, &str)] = &[
    (
        "hygge.yml",
        "name: nyc\n\
         description: everything there is\n\
         options:\n  concurrency: 4\n  memory: 64 MiB\n  retries: 2\n  on_error: continue\n\
         defaults:\n  home: &base {type: csv, header: true, null_values: ['', NA]}\n  mode: full\n\
         connections:\n  lake:\n    type: parquet\n    compression: {codec: zstd, level: 3}\n\
         flows:\n  small:\n    home: {<<: *base, path: in/small}\n    store: out/small\n    entities: {a: , b: {mode: full}}\n",
    ),
    (
        "flows/sales/flow.yml",
        "# Orders, as they come.\n\
         after: [small]\n\
         defaults:\n  store:\n    connection: lake\n\
         home:\n  type: parquet\n  path: \"landing/{entity}/{run_date}\"\n  allow_empty: true\n\
         store:\n  path: ${LAKE:-lake}/sales\n  row_group_rows: 100000\n\
         entities:\n  - orders\n  - name: items\n    home:\n      incremental:\n        column: updated_at\n        strategy: merge\n        key: [order, item]\n        lookback: 5m\n",
    ),
    (
        "flows/sales/entities/customers.yml",
        "description: |\n  who buys,\n  and since when\nhome: {path: 'landing/customers.parquet'}\nstore: {path: lake/customers, partition_by: [country]}\nmode: full\n",
    ),
];

/// What YAML, or what hygge reads in it, may trip over.
const EDGES: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xc3",
    b"\t",
    b"\n",
    b"\r\n",
    b"{",
    b"[",
    b"\"",
    b"'",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"${",
    b"}",
    b"!!str ",
    b"|",
    b"~",
    b"#",
    b"---\n",
    b"\xef\xbb\xbf",
    b"9e99",
    b"-9223372036854775809",
    b"{entity}",
    b"../",
];

/// A bit, a character, an end, or lines that changed places, went away or came twice.
fn slip(content: &[u8], chance: &mut Chance) -> Vec<u8> {
    let below = |chance: &mut Chance, length: usize| {
        usize::try_from(chance.below(length.max(1) as u64)).unwrap()
    };
    let mut bytes = content.to_vec();
    if bytes.is_empty() {
        return bytes;
    }
    let mut lines: Vec<&[u8]> = content.split_inclusive(|b| *b == b'\n').collect();
    let (line, other) = (below(chance, lines.len()), below(chance, lines.len()));
    let at = below(chance, bytes.len());
    match chance.below(7) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 | 2 => {
            let edge = EDGES[below(chance, EDGES.len())];
            let taken = below(chance, 3).min(bytes.len() - at);
            bytes.splice(at..at + taken, edge.iter().copied());
        }
        3 => bytes.truncate(at),
        4 => {
            lines.swap(line, other);
            return lines.concat();
        }
        5 => {
            lines.remove(line);
            return lines.concat();
        }
        _ => {
            lines.insert(other, lines[line]);
            return lines.concat();
        }
    }
    bytes
}

#[test]
fn with_slips_are_planned_or_told_where() {
    let tries: u64 = std::env::var("HYGGE_TEST_TRIES").map_or(200, |text| text.parse().unwrap());
    let mut chance = Chance::new(Chance::seed("projects"), "projects");
    let registry = hygge::registry();
    let folder = TempDir::with_prefix("hygge-slips-").unwrap();
    let planned = || {
        let request = Load {
            root: folder.path(),
            env: &|_| None,
            vars: &[],
            selection: Selection::default(),
            wild: &hygge_project::Wild::new(),
            mode: None,
            today: jiff::civil::date(2026, 11, 22),
        };
        load(&request, &registry)
    };
    for (name, content) in PROJECT {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    planned().unwrap_or_else(|problems| panic!("{problems}"));
    let (mut plans, mut refused) = (0, 0);
    for nth in 0..tries {
        let which = usize::try_from(nth).unwrap() % PROJECT.len();
        let (name, content) = PROJECT[which];
        let mut bytes = content.as_bytes().to_vec();
        for _ in 0..=chance.below(3) {
            bytes = slip(&bytes, &mut chance);
        }
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        let shown = || String::from_utf8_lossy(&bytes).into_owned();
        let began = Instant::now();
        match planned() {
            Ok(_) => plans += 1,
            Err(problems) => {
                refused += 1;
                assert!(!problems.0.is_empty(), "try {nth}, {name}:\n{}", shown());
                for problem in &problems.0 {
                    let placed = problem.place.as_ref().is_some_and(|place| place.line > 0);
                    // What isn't there has no line.
                    let told = placed || problem.message == "this project has no flows";
                    assert!(told, "try {nth}, {name}: {problem}\n{}", shown());
                    assert!(!problem.message.contains('\n'), "{problem}");
                }
            }
        }
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(5),
            "try {nth}, {name}: {took:?}\n{}",
            shown()
        );
        fs::write(&path, content).unwrap();
    }
    say(&format!("{plans} planned, {refused} refused"));
    assert!(plans > 0 && refused > 0);
}
