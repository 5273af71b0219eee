use crate::node::{Map, Node, Value};

/// Lays a more specific map over another: maps merge key by key, anything else is replaced, and
/// null unsets. Every value keeps the place where it was written.
pub(crate) fn over(under: &mut Map, specific: Map) {
    for entry in specific.entries {
        match under.get_mut(&entry.key) {
            Some(node) => {
                merge(node, entry.value);
                if let Some(found) = under.entries.iter_mut().find(|e| e.key == entry.key) {
                    found.at = entry.at;
                }
            }
            None => under.entries.push(entry),
        }
    }
}

fn merge(under: &mut Node, specific: Node) {
    match (&mut under.value, specific) {
        (
            Value::Map(below),
            Node {
                value: Value::Map(above),
                at,
                ..
            },
        ) => {
            over(below, above);
            under.at = at;
        }
        (_, specific) => *under = specific,
    }
}
