use hygge_core::EntityId;

use crate::node::{Node, Value};
use crate::{Problem, nearest};

/// What `{entity}`, `{flow}` and `{run_date}` stand for.
pub(crate) struct Placeholders<'a> {
    pub(crate) id: &'a EntityId,
    /// Without one, `{run_date}` stays.
    pub(crate) today: Option<jiff::civil::Date>,
}

const NAMES: [&str; 3] = ["entity", "flow", "run_date"];

impl Placeholders<'_> {
    fn value(&self, name: &str) -> Option<String> {
        match name {
            "entity" => Some(self.id.entity.clone()),
            "flow" => Some(self.id.flow.clone()),
            "run_date" => self.today.map(|today| today.to_string()),
            _ => None,
        }
    }

    /// Fills every text of a tree.
    pub(crate) fn fill(&self, node: &mut Node) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Map(map) => map.entries.iter_mut().for_each(|e| self.fill(&mut e.value)),
            Value::Text { text, .. } if text.contains('{') => *text = self.text(text),
            _ => {}
        }
    }

    pub(crate) fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, name, after)) = next(rest) {
            out.push_str(before);
            match self.value(name) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("{{{name}}}")),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// Whether a text has `{run_date}`.
pub(crate) fn names_date(text: &str) -> bool {
    text.contains("{run_date}")
}

/// Whether a text has `{entity}`.
pub(crate) fn names_entity(text: &str) -> bool {
    text.contains("{entity}")
}

/// A text as it looks when placeholders are filled, for telling a folder from a glob.
pub(crate) fn filled(text: &str) -> String {
    text.replace("{flow}", "x").replace("{run_date}", "x")
}

/// What in a path looks like a placeholder and isn't one. `{a,b}` is a glob.
pub(crate) fn unknown(node: &Node) -> Option<Problem> {
    let mut rest = node.as_text()?;
    while let Some((_, name, after)) = next(rest) {
        if !NAMES.contains(&name) {
            let problem = Problem::at(&node.at, format!("unknown placeholder {{{name}}}"));
            return Some(match nearest(name, NAMES) {
                Some(near) => problem.advise(format!("did you mean {{{near}}}?")),
                None => problem.advise("there are {entity}, {flow} and {run_date}"),
            });
        }
        rest = after;
    }
    None
}

/// A `{` in a path that is to be written to, and no `}` after it.
pub(crate) fn unclosed(node: &Node) -> Option<Problem> {
    let text = node.as_text()?;
    let open = text.rfind('{')?;
    // Of `${` variables have told already.
    if text[open..].contains('}') || text[..open].ends_with('$') {
        return None;
    }
    let problem = Problem::at(&node.at, format!("the `{{` in {text:?} is never closed"));
    let name = &text[open + 1..];
    let near = nearest(name, NAMES).or_else(|| {
        let begun = |whole: &&str| !name.is_empty() && whole.starts_with(name);
        NAMES.into_iter().find(begun)
    });
    Some(match near {
        Some(near) => problem.advise(format!("did you mean {{{near}}}?")),
        None => problem.advise("take it out, or write {entity}, {flow} or {run_date}"),
    })
}

/// The next `{word}`, with what stands before and after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find('{') {
        let open = from + at;
        if let Some(length) = text[open + 1..].find(['}', '{']) {
            let name = &text[open + 1..open + 1 + length];
            let word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let escaped = text[..open].ends_with('$');
            if word && !escaped && text[open + 1 + length..].starts_with('}') {
                return Some((&text[..open], name, &text[open + 2 + length..]));
            }
        }
        from = open + 1;
    }
    None
}
