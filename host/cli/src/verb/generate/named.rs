use std::collections::BTreeMap;

use hygge_core::CatalogueTable;
use sha2::{Digest, Sha256};

/// The schema that is meant where none is said.
pub(super) const DEFAULT_SCHEMA: &str = "dbo";

/// As many bytes as a name has at most: that of an entity has no more letters.
const MOST: usize = 100;

/// What the entities are called. A table's name is its own whatever else is selected, or comes to be
/// there later: what is read under a name goes on in what was written under it.
pub(super) fn names(tables: &[CatalogueTable]) -> Vec<String> {
    let names: Vec<String> = tables.iter().map(name).collect();
    // Some file systems don't tell upper from lower case. The one all in lower case keeps its name.
    let mut folded = BTreeMap::<String, usize>::new();
    for name in &names {
        *folded.entry(name.to_lowercase()).or_default() += 1;
    }
    let named = names.into_iter().zip(tables).map(|(name, table)| {
        let lower = name.to_lowercase();
        match lower != name && folded.get(&lower).is_some_and(|times| *times > 1) {
            true => marked(&name, table),
            false => name,
        }
    });
    named.collect()
}

fn name(table: &CatalogueTable) -> String {
    let (called, dotted) = match &table.schema {
        Some(schema) if schema != DEFAULT_SCHEMA => (
            format!("{schema}.{}", table.name),
            schema.contains('.') || table.name.contains('.'),
        ),
        // It could be that of another schema's.
        Some(_) => (table.name.clone(), table.name.contains('.')),
        None => (table.name.clone(), false),
    };
    let plain = plain(&called);
    match plain == called && !dotted {
        true => plain,
        false => marked(&plain, table),
    }
}

/// A name that says of which table it is, where its letters alone don't.
fn marked(name: &str, table: &CatalogueTable) -> String {
    let whole = format!(
        "{}\0{}",
        table.schema.as_deref().unwrap_or_default(),
        table.name
    );
    let digest = Sha256::digest(whole.as_bytes());
    let mark: String = digest
        .iter()
        .take(3)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let room = MOST - mark.len() - 1;
    format!("{}_{mark}", &name[..name.floor_char_boundary(room)])
}

/// A table's name as that of an entity, which can't have every character, and no more of them than
/// leave room in the names of files.
fn plain(name: &str) -> String {
    let odd = |c: char| c.is_control() || "/\\*?[]{}\"<>|:,$".contains(c);
    let name = &name[..name.floor_char_boundary(MOST)];
    let name = name.trim_start_matches(['.', ' ', '-']);
    match name.trim_end_matches(['.', ' ']) {
        // Nothing that could be read back as a file.
        "" => "_".to_owned(),
        name => name.replace(odd, "_"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn named(tables: &[(&str, &str)]) -> Vec<String> {
        let table = |(schema, name): &(&str, &str)| CatalogueTable {
            schema: (!schema.is_empty()).then(|| (*schema).to_owned()),
            name: (*name).to_owned(),
            written: format!("{schema}.{name}"),
            view: false,
            columns: Vec::new(),
            key: None,
        };
        let tables: Vec<CatalogueTable> = tables.iter().map(table).collect();
        names(&tables)
    }

    #[test]
    fn a_name_depends_on_nothing_but_its_table() {
        let odd = [
            ("n", "a/b"),
            ("n", "a:b"),
            ("n", "a*b"),
            ("dbo", "CRONUS$Item"),
            ("dbo", "sales.orders"),
            ("a.b", "c"),
            ("a", "b.c"),
        ];
        let plain = [
            ("n", "a_b"),
            ("n", "a_b_2"),
            ("dbo", "CRONUS_Item"),
            ("sales", "orders"),
            ("", "a.b"),
        ];
        assert_eq!(
            named(&plain),
            ["n.a_b", "n.a_b_2", "CRONUS_Item", "sales.orders", "a.b"]
        );
        let all = [&odd[..], &plain[..]].concat();
        let together = named(&all);
        let alone: Vec<String> = all.iter().flat_map(|table| named(&[*table])).collect();
        assert_eq!(together, alone);
        let different: BTreeSet<String> = together.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(different.len(), all.len(), "{together:?}");
    }

    #[test]
    fn names_that_differ_in_case_only_are_told_apart() {
        let both = named(&[("dbo", "A"), ("dbo", "a")]);
        assert_eq!(both[1], "a");
        assert!(both[0].starts_with("A_"), "{both:?}");
        assert_eq!(named(&[("dbo", "A")]), ["A"]);
    }

    #[test]
    fn long_names_have_room_in_those_of_files() {
        let long = ["表".repeat(100), format!("{}い", "表".repeat(99))];
        let named = named(&[("", &long[0]), ("", &long[1])]);
        assert!(named.iter().all(|name| name.len() <= 100), "{named:?}");
        assert_ne!(named[0], named[1]);
    }

    #[test]
    fn what_is_mended_has_room_for_what_tells_it_from_others() {
        let long = [
            "L".repeat(101),
            format!("CRONUS${}", "b".repeat(88)),
            "M".repeat(100),
            "m".repeat(100),
        ];
        let tables: Vec<_> = long.iter().map(|name| ("dbo", name.as_str())).collect();
        let named = named(&tables);
        assert!(named.iter().all(|name| name.len() <= 100), "{named:?}");
        let different: BTreeSet<String> = named.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(different.len(), 4, "{named:?}");
        assert_eq!(named[3], long[3]);
    }
}
