use crate::node::{Node, Value};
use crate::source::At;
use crate::{Problem, secrecy};

/// Looks a variable up.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts variables in the place of `${VAR}` and `${VAR:-default}` in every value of a tree; keys
/// stay as they are. `$${` stands for `${`.
pub(crate) fn substitute(node: &mut Node, lookup: Lookup<'_>, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                substitute(item, lookup, problems);
            }
        }
        Value::Map(map) => {
            for entry in &mut map.entries {
                substitute(&mut entry.value, lookup, problems);
                node_key(&entry.key, &mut entry.value);
            }
        }
        Value::Text { text, .. } if text.contains("${") => {
            let mut found = Found::default();
            match expand(text, lookup, &mut found) {
                Ok(expanded) => {
                    let whole = found.count == 1 && found.outside == 0;
                    node.secret |= found.secret;
                    node.value = if found.unset.is_empty() {
                        Value::Text {
                            text: expanded,
                            loose: whole,
                        }
                    } else {
                        Value::Unset(found.unset.iter().map(|v| unset(v, &node.at)).collect())
                    };
                }
                Err(wrong) => {
                    let problem = Problem::at(&node.at, wrong)
                        .advise("write ${NAME} or ${NAME:-default}; $${ stands for a plain ${");
                    // No use to look at it any further.
                    node.value = Value::Unset(vec![problem.clone()]);
                    problems.push(problem);
                }
            }
        }
        _ => {}
    }
}

fn node_key(key: &str, value: &mut Node) {
    if secrecy::key(key) && value.as_text().is_some() {
        value.secret = true;
    }
}

fn unset(variable: &str, at: &At) -> Problem {
    let mut problem = Problem::at(at, format!("environment variable {variable} isn't set")).advise(
        format!("set it, or give a default: ${{{variable}:-default}}"),
    );
    problem.unset = true;
    problem
}

#[derive(Default)]
struct Found {
    unset: Vec<String>,
    secret: bool,
    /// References at the top.
    count: usize,
    /// Characters that no reference stands for.
    outside: usize,
}

fn expand(text: &str, lookup: Lookup<'_>, found: &mut Found) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            found.outside += at + 1;
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        found.outside += at;
        let inside = &rest[at + 2..];
        let Some(end) = closing(inside) else {
            return Err("`${` without its `}`".into());
        };
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        if !is_name(name) {
            return Err(format!("`{name}` can't be the name of a variable"));
        }
        found.count += 1;
        found.secret |= secrecy::variable(name);
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        let value = lookup(name).filter(|value| default.is_none() || !value.is_empty());
        match (value, default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => {
                let mut nested = Found::default();
                out.push_str(&expand(default, lookup, &mut nested)?);
                found.secret |= nested.secret;
                found.unset.append(&mut nested.unset);
            }
            (None, None) => found.unset.push(name.to_owned()),
        }
        rest = &inside[end + 1..];
    }
    found.outside += rest.len();
    out.push_str(rest);
    Ok(out)
}

/// Where the brace closes that was opened just before.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
