use crate::node::{Map, Node, Value};
use crate::source::{At, Source};
use crate::{Problem, Problems, secrecy, yaml};

/// One `--var flow.<name>.<path>=value`: the most specific layer of a flow.
#[derive(Debug)]
pub(crate) struct Var {
    pub(crate) flow: String,
    /// Where the flow is named.
    pub(crate) at: At,
    /// A tree with that one value.
    pub(crate) node: Node,
}

/// Reads what follows `--var`. The value is typed as a variable's is: by what is wanted.
pub(crate) fn read(text: &str) -> Result<Var, Problems> {
    let source = Source::new("--var", text);
    let first_line = text.lines().next().unwrap_or_default();
    let wrong = |message: &str| {
        let whole = At::new(&source, 1, 1, first_line.chars().count());
        let problem = Problem::at(&whole, message).advise(
            "write `--var flow.<name>.<path>=value`, such as `--var flow.sales.store.path=out`",
        );
        Err(problem.into())
    };
    let mut quoted = false;
    let mut plain = |c: char| {
        quoted ^= c == '"';
        c == '=' && !quoted
    };
    let Some((path, value)) = text
        .find(&mut plain)
        .map(|at| (&text[..at], &text[at + 1..]))
    else {
        return wrong("`--var` needs a `=`");
    };
    let mut column = 1;
    let mut parts = Vec::new();
    for part in split(path) {
        let length = part.chars().count();
        let bare = part.strip_prefix('"').and_then(|p| p.strip_suffix('"'));
        parts.push((bare.unwrap_or(part), At::new(&source, 1, column, length)));
        column += length + 1;
    }
    if parts.iter().any(|(part, _)| part.trim().is_empty()) {
        return wrong("`--var` has an empty part before its `=`");
    }
    let [("flow", _), (flow, at), rest @ ..] = parts.as_slice() else {
        return wrong("`--var` must begin with `flow.`");
    };
    let Some((last, _)) = rest.last() else {
        return wrong("`--var` doesn't say what to set in the flow");
    };
    let whole = At::new(&source, 1, column, first_line.chars().count());
    let value = match several(value) {
        Some(several) => placed(several, &whole).value,
        None => match yaml::plain(value) {
            Value::Text { text, .. } => Value::Text { text, loose: true },
            typed => typed,
        },
    };
    let mut node = Node::new(value, whole);
    node.secret = secrecy::key(last);
    for (part, at) in rest.iter().rev() {
        let mut map = Map::default();
        map.set(part, at.clone(), node);
        node = Node::new(Value::Map(map), at.clone());
    }
    Ok(Var {
        flow: (*flow).to_owned(),
        at: at.clone(),
        node,
    })
}

/// A list or a map in YAML's short form: `[a, b]`, `{codec: zstd}`. `{entity}` is a text.
fn several(value: &str) -> Option<Node> {
    let value = value.trim();
    let list = value.starts_with('[') && value.ends_with(']');
    let map = value.starts_with('{') && value.ends_with('}') && value.contains(':');
    (list || map).then(|| yaml::parse(&Source::new("--var", value)).ok())?
}

/// A tree of another source, with every part of it at one place.
fn placed(node: Node, at: &At) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| placed(item, at)).collect()),
        Value::Map(mut map) => {
            for entry in &mut map.entries {
                entry.at = at.clone();
                let value = std::mem::replace(&mut entry.value, Node::new(Value::Null, at.clone()));
                entry.value = placed(value, at);
                entry.value.secret |= secrecy::key(&entry.key) && entry.value.as_text().is_some();
            }
            Value::Map(map)
        }
        single => single,
    };
    Node {
        value,
        at: at.clone(),
        ..node
    }
}

/// The parts between dots; a name that has one stands in double quotes.
fn split(path: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    path.split(move |c: char| {
        quoted ^= c == '"';
        c == '.' && !quoted
    })
}
