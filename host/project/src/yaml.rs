use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Number;

use crate::Problem;
use crate::node::{Entry, Map, Node, Value};
use crate::source::{At, Source};

/// Aliases can make a small file stand for a huge tree; no project needs as many values.
const MOST_NODES: usize = 200_000;
const MOST_DEPTH: usize = 64;

/// Reads YAML 1.2 (core schema, anchors, aliases and merge keys) into a tree that knows where
/// everything was written. An empty file is an empty map. Duplicate keys don't hide each other:
/// all are reported.
pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader {
        source,
        events: Parser::new_from_str(&source.text),
        anchors: HashMap::new(),
        nodes: 0,
        problems: Vec::new(),
    };
    match reader.document() {
        Ok(node) if reader.problems.is_empty() => Ok(node),
        Ok(_) => Err(reader.problems),
        Err(problem) => {
            reader.problems.push(*problem);
            Err(reader.problems)
        }
    }
}

/// A plain scalar by the rules of the core schema.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true, text.to_owned()),
        "false" | "False" | "FALSE" => return Value::Bool(false, text.to_owned()),
        _ => {}
    }
    match number(text) {
        Some(number) => Value::Number(number, text.to_owned()),
        None => Value::Text {
            text: text.to_owned(),
            loose: false,
        },
    }
}

fn number(text: &str) -> Option<Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |c: char| c.is_ascii_digit();
    if !unsigned.starts_with(|c| digits(c) || c == '.') || !unsigned.contains(digits) {
        return None;
    }
    if unsigned.chars().all(digits) {
        let text = text.strip_prefix('+').unwrap_or(text);
        return match text.parse::<u64>() {
            Ok(number) => Some(number.into()),
            Err(_) => text.parse::<i64>().ok().map(Number::from),
        };
    }
    // Rust reads more than YAML does ("infinity"); the characters were looked at above.
    let floats = |c: char| digits(c) || matches!(c, '.' | 'e' | 'E' | '-' | '+');
    if !unsigned.chars().all(floats) {
        return None;
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

type Read<T> = Result<T, Box<Problem>>;

struct Reader<'a> {
    source: &'a Arc<Source>,
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Read<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(Box::new(
                        Problem::at(&self.at(span), "a second YAML document begins here")
                            .advise("keep one document a file"),
                    ));
                }
                Event::DocumentStart(_) => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        let at = At::start(self.source);
        Ok(match root {
            None => Node::new(Value::Map(Map::default()), at),
            Some(node) if node.is_null() => Node::new(Value::Map(Map::default()), at),
            Some(node) => node,
        })
    }

    fn next(&mut self) -> Read<(Event<'a>, Span)> {
        match self.events.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => Err(Box::new(self.syntax(error.info(), *error.marker()))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn at(&self, span: Span) -> At {
        let length = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            // More than a line: up to the end of the first.
            let line = self.source.text.lines().nth(span.start.line().max(1) - 1);
            let line = line.map_or(0, |text| text.trim_end().chars().count());
            line.saturating_sub(span.start.col())
        };
        At::new(
            self.source,
            span.start.line().max(1),
            span.start.col() + 1,
            length,
        )
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Read<Node> {
        let at = self.at(span);
        self.nodes += 1;
        if depth > MOST_DEPTH || self.nodes > MOST_NODES {
            return Err(Box::new(Problem::at(
                &at,
                "this YAML is nested too deep or too large",
            )));
        }
        let (node, anchor) = match event {
            Event::Alias(id) => {
                let Some(found) = self.anchors.get(&id).cloned() else {
                    return Err(Box::new(Problem::at(
                        &at,
                        "this alias refers to what holds it",
                    )));
                };
                self.nodes += size(&found);
                return Ok(found);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &at);
                let text_tag = tag.is_some_and(|tag| tag.suffix == "str");
                let value = if style == ScalarStyle::Plain && !text_tag {
                    plain(&text)
                } else {
                    Value::Text {
                        text: text.into_owned(),
                        loose: false,
                    }
                };
                (Node::new(value, at), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &at);
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                (Node::new(Value::List(items), at), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &at);
                let map = self.map(depth)?;
                (Node::new(Value::Map(map), at), anchor)
            }
            _ => return Err(Box::new(Problem::at(&at, "this YAML ends too early"))),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Read<Map> {
        let mut map = Map::default();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let name = match &key.value {
                Value::Null => Some("null"),
                _ => key.as_text(),
            };
            let Some(name) = name.map(str::to_owned) else {
                self.problems
                    .push(Problem::at(&key.at, "a key must be a single word or text"));
                continue;
            };
            if name == "<<" {
                merged.push((key.at, value));
                continue;
            }
            if let Some(first) = map.entry(&name) {
                self.problems.push(
                    Problem::at(&key.at, format!("`{name}` is given twice"))
                        .relate("first here", &first.at)
                        .advise("keep one of the two"),
                );
                continue;
            }
            map.entries.push(Entry {
                key: name,
                at: key.at,
                value,
            });
        }
        for (at, value) in merged {
            let maps = match value.value {
                Value::List(items) => items,
                _ => vec![value],
            };
            for node in maps {
                let Value::Map(below) = node.value else {
                    self.problems
                        .push(Problem::at(&at, "`<<` takes a map, or a list of maps"));
                    continue;
                };
                // What is written out wins, and an earlier map over a later one.
                for entry in below.entries {
                    if map.entry(&entry.key).is_none() {
                        map.entries.push(entry);
                    }
                }
            }
        }
        Ok(map)
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, at: &At) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(&*tag.suffix, "str" | "map" | "seq"))
        {
            self.problems.push(
                Problem::at(at, format!("YAML tag `{tag}` means nothing here"))
                    .advise("write the value without a tag"),
            );
        }
    }

    /// The scanner's own words are for people who know YAML's grammar; these are for the others.
    fn syntax(&self, info: &str, marker: Marker) -> Problem {
        let at = At::new(self.source, marker.line().max(1), marker.col() + 1, 1);
        let here = at.text().to_owned();
        // The scanner notices some mistakes only at the start of the next line.
        let line_above = self.source.text.lines().nth(at.line.saturating_sub(2));
        let tab = |text: &str| {
            let indent: String = text.chars().take_while(|c| c.is_whitespace()).collect();
            indent.contains('\t')
        };
        if let Some(number) = [at.line, at.line.saturating_sub(1)]
            .into_iter()
            .find(|n| *n > 0 && self.source.text.lines().nth(n - 1).is_some_and(tab))
        {
            return Problem::at(
                &At::new(self.source, number, 1, 1),
                "a tab is used to indent",
            )
            .advise("indent with spaces: YAML knows no other way");
        }
        let why = match info {
            info if info.contains("did not find expected node content") => {
                "a value is missing".to_owned()
            }
            info => first_lower(info),
        };
        let problem = Problem::at(&at, format!("this isn't YAML: {why}"));
        let in_braces = |text: &str| {
            text.contains("${")
                && (text.contains("{") && text.find('{') != text.find("${").map(|n| n + 1))
        };
        if in_braces(&here) || line_above.is_some_and(in_braces) {
            return problem.advise("put quotes around a ${VARIABLE} inside { } or [ ]");
        }
        if let Some((bracket, line)) = open_bracket(&self.source.text, marker.index()) {
            return problem.advise(format!("the `{bracket}` in line {line} isn't closed"));
        }
        if info.contains("mapping values are not allowed") {
            return problem
                .advise("check the indentation, and put quotes around a value that holds `: `");
        }
        if info.contains("simple key") {
            return problem.advise("a key needs a colon and a space after it: `key: value`");
        }
        if info.contains("quoted") {
            return problem.advise("check that the quote is closed");
        }
        problem.advise("check the indentation, brackets and quotes around here")
    }
}

/// The last bracket that is open at a place (in characters), with its line. Quotes are looked
/// through roughly, which is enough for advice.
fn open_bracket(text: &str, until: usize) -> Option<(char, usize)> {
    let mut open = Vec::new();
    let mut line = 1;
    let mut quote = None;
    let mut before = '\n';
    let mut comment = false;
    for c in text.chars().take(until + 1) {
        match (c, quote) {
            ('\n', _) => {
                line += 1;
                comment = false;
            }
            _ if comment => {}
            (c, Some(q)) => quote = (c != q).then_some(q),
            ('"' | '\'', None) if !before.is_alphanumeric() => quote = Some(c),
            ('#', None) if before.is_whitespace() => comment = true,
            ('[' | '{', None) => open.push((c, line)),
            (']' | '}', None) => {
                open.pop();
            }
            _ => {}
        }
        before = c;
    }
    open.pop()
}

fn first_lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(map) => 1 + map.entries.iter().map(|e| size(&e.value)).sum::<usize>(),
        _ => 1,
    }
}
