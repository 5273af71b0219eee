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
    let Some((path, value)) = text.split_once('=') else {
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
    let value = match yaml::plain(value) {
        Value::Text { text, .. } => Value::Text { text, loose: true },
        typed => typed,
    };
    let mut node = Node::new(
        value,
        At::new(&source, 1, column, first_line.chars().count()),
    );
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

/// The parts between dots; a name that has one stands in double quotes.
fn split(path: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    path.split(move |c: char| {
        quoted ^= c == '"';
        c == '.' && !quoted
    })
}
