use std::collections::BTreeMap;

use hygge_core::Place;

/// Places by where they are, so that thousands of entities needn't be compared with each other.
/// What it finds still has to be asked whether it overlaps.
#[derive(Debug, Default)]
pub(crate) struct Index {
    files: BTreeMap<String, Vec<usize>>,
    named: BTreeMap<(String, String), Vec<usize>>,
}

impl Index {
    pub(crate) fn of<'a>(places: impl Iterator<Item = Option<&'a Place>>) -> Self {
        let mut index = Self::default();
        for (number, place) in places.enumerate() {
            match place {
                None => {}
                Some(Place::Files { root, .. }) => {
                    index.files.entry(slashed(root)).or_default().push(number);
                }
                Some(Place::Named { system, name }) => {
                    index
                        .named
                        .entry(lower(system, name))
                        .or_default()
                        .push(number);
                }
            }
        }
        index
    }

    /// Every place that may overlap, in order.
    pub(crate) fn near(&self, place: &Place) -> Vec<usize> {
        let mut found: Vec<usize> = match place {
            Place::Named { system, name } => {
                let found = self.named.get(&lower(system, name));
                found.into_iter().flatten().copied().collect()
            }
            Place::Files { root, .. } => {
                let root = slashed(root);
                let above = root
                    .match_indices('/')
                    .map(|(at, _)| &root[..=at])
                    .filter(|above| *above != root)
                    .filter_map(|above| self.files.get(above));
                let within = self
                    .files
                    .range(root.clone()..)
                    .take_while(|(other, _)| other.starts_with(&root))
                    .map(|(_, numbers)| numbers);
                above.chain(within).flatten().copied().collect()
            }
        };
        found.sort_unstable();
        found
    }
}

/// With a slash at the end, so that what begins with it is in it.
fn slashed(root: &str) -> String {
    format!("{}/", root.trim_end_matches('/'))
}

fn lower(system: &str, name: &str) -> (String, String) {
    (system.to_ascii_lowercase(), name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places() -> impl Strategy<Value = Place> {
        let part = prop_oneof![Just("a"), Just("ab"), Just("b"), Just("*"), Just("a*")];
        prop_oneof![
            prop::collection::vec(part, 0..4).prop_map(|parts| {
                let path = format!("/{}", parts.join("/"));
                if path.contains('*') {
                    Place::glob("/".as_ref(), &path)
                } else {
                    Place::files(path.as_ref())
                }
            }),
            "[aA]b?".prop_map(|name| Place::Named {
                system: "s".into(),
                name
            }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_that_overlaps_is_missed(all in prop::collection::vec(places(), 0..12), one in places()) {
            let index = Index::of(all.iter().map(Some));
            let near = index.near(&one);
            for (number, place) in all.iter().enumerate() {
                if place.overlaps(&one) {
                    prop_assert!(near.contains(&number), "{} {}", place, one);
                }
            }
        }
    }
}
