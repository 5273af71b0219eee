//! Names of files and folders that hygge makes up.

use std::fmt::Write as _;

use hygge_core::{EntityId, RunId, SplitId};
use xxhash_rust::xxh3::xxh3_64;

/// A file name may have 255 bytes; what is added to a segment needs some of them.
const LONGEST: usize = 120;

/// How Hive names the partition of NULL.
pub(crate) const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// The data file `seq` of a split. Sorts by run, then in split order, and no other run, split
/// or file has it.
pub(crate) fn part(run: &RunId, split: &SplitId, seq: u32, extension: &str) -> String {
    format!("part-{run}-{}-{seq:05}.{extension}", plain(&split.0))
}

/// The folder an attempt at a split is staged in, below that of its run.
pub(crate) fn attempt(split: &SplitId, attempt: u32) -> String {
    format!("{}-{attempt}", plain(&split.0))
}

/// The folder of everything staged for an entity. The dot stands only between the two names,
/// so that no two entities share one.
pub(crate) fn entity(id: &EntityId) -> String {
    format!(
        "{}.{}",
        plain(&id.flow).replace('.', "%2E"),
        plain(&id.entity)
    )
}

/// `column=value`, as Hive writes it.
pub(crate) fn partition(column: &str, value: Option<&str>) -> String {
    let value = value.map_or_else(|| NULL_PARTITION.to_owned(), hive);
    format!("{}={value}", hive(column))
}

/// Escapes what Hive escapes in partition folders.
fn hive(text: &str) -> String {
    escape(text, |c| {
        !c.is_control() && !"\"#%'*/:=?\\{}[]^".contains(c)
    })
}

/// Letters, digits, `_`, `-` and `.` as they are, everything else escaped; cut when too long.
fn plain(text: &str) -> String {
    let escaped = escape(text, |c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if escaped.len() <= LONGEST {
        return escaped;
    }
    // Escaped text is ASCII, so any cut is between two characters.
    format!(
        "{}%{:016x}",
        &escaped[..LONGEST - 17],
        xxh3_64(text.as_bytes())
    )
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut bytes = [0; 4];
    for c in text.chars() {
        if keep(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut bytes).bytes() {
                // Writing to a string can't fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sort_in_split_order() {
        let run = RunId::parse("20261122t170908z-4f2k9a").unwrap();
        let names: Vec<String> = [(0, 0), (0, 1), (1, 0), (12, 0)]
            .map(|(split, seq)| part(&run, &SplitId::nth(split), seq, "parquet"))
            .to_vec();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(
            names[1],
            "part-20261122t170908z-4f2k9a-000000-00001.parquet"
        );
    }

    #[test]
    fn no_two_entities_share_a_folder() {
        let one = entity(&EntityId::new("a.b", "c"));
        let two = entity(&EntityId::new("a", "b.c"));
        assert_ne!(one, two);
        assert_eq!(entity(&EntityId::new("a/..", "ü")), "a%2F%2E%2E.%C3%BC");
        assert!(entity(&EntityId::new("x".repeat(300), "y".repeat(300))).len() < 255);
    }

    #[test]
    fn partitions_are_named_as_hive_does() {
        assert_eq!(partition("day", Some("2013-01-01")), "day=2013-01-01");
        assert_eq!(partition("a b", Some("x/y=ü%")), "a b=x%2Fy%3Dü%25");
        assert_eq!(partition("a", None), "a=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(partition("a", Some("")), "a=");
    }
}
