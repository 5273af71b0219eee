use regex::Regex;
use serde_json::Value as Json;

use crate::config::belongs;
use crate::node::{Entry, Map, Node, Value};
use crate::source::At;
use crate::wording::{about, in_words, not, or, slip, whole};
use crate::{Problem, nearest, secrecy, yaml};

/// Checks a tree against a JSON Schema and says everything that is wrong with it, in words for
/// someone who never heard of JSON Schema.
///
/// Understands what schemars makes of config types: `type`, `properties`, `required`,
/// `additionalProperties`, `items`, `enum`, `const`, `anyOf`, `oneOf`, `allOf`, `$ref`, bounds, and a `pattern`
/// that says by `x-form` what it is called. On the way, values that came whole from a variable become the type that is wanted, numbers
/// become text where only text will do, and fields with `format: password` are marked secret.
pub(crate) struct Check<'a> {
    /// Where `$ref` starts from.
    root: &'a Json,
    /// What is checked: `a csv home`.
    what: &'a str,
    problems: Vec<Problem>,
}

/// A schema's parts that hold together: itself, what it refers to, all of its `allOf`, and the
/// chosen ones of its `anyOf` or `oneOf`.
type Parts<'a> = Vec<&'a Json>;

impl<'a> Check<'a> {
    /// Checks a tree; `key` is where its name stands.
    pub(crate) fn run(what: &'a str, schema: &'a Json, node: &mut Node, key: &At) -> Vec<Problem> {
        let mut check = Self {
            root: schema,
            what,
            problems: Vec::new(),
        };
        check.node(node, schema, "", key);
        check.problems
    }

    fn node(&mut self, node: &mut Node, schema: &'a Json, name: &str, key: &At) {
        let mut parts = Parts::new();
        self.flatten(schema, &mut parts);
        // Checked when the layers are merged.
        let by_type = parts.iter().any(|part| part.get("x-by-type").is_some());
        if let Value::Unset(problems) = &node.value {
            if !by_type {
                self.problems.extend(problems.iter().cloned());
            }
            return;
        }
        if by_type {
            self.type_of(node, &parts, name, key);
            return;
        }
        if parts.iter().any(|part| part["format"] == "password") {
            (node.secret, node.credential) = (true, true);
        }
        coerce(node, &self.allowed(&parts));
        let mut index = 0;
        while let Some(part) = parts.get(index).copied() {
            index += 1;
            let Some(branches) = alternatives(part) else {
                continue;
            };
            match self.choose(node, branches, name, key) {
                Some(branch) => self.flatten(branch, &mut parts),
                None => return,
            }
        }
        if parts.iter().any(|part| part["format"] == "password") {
            (node.secret, node.credential) = (true, true);
        }
        coerce(node, &self.allowed(&parts));
        if !self.type_of(node, &parts, name, key) || !self.one_of(node, &parts, name, key) {
            return;
        }
        self.bounds(node, &parts, name, key);
        match &mut node.value {
            Value::Map(map) => self.map(map, &parts, name, key),
            Value::List(items) => {
                let schema = parts.iter().find_map(|part| part.get("items"));
                for (index, item) in items.iter_mut().enumerate() {
                    let at = item.at.clone();
                    let name = format!("{name}[{index}]");
                    self.node(item, schema.unwrap_or(&Json::Bool(true)), &name, &at);
                }
            }
            _ => {}
        }
    }

    fn flatten(&self, schema: &'a Json, parts: &mut Parts<'a>) {
        if parts.len() > 64 {
            return;
        }
        parts.push(schema);
        if let Some(target) = schema.get("$ref").and_then(Json::as_str)
            && let Some(found) = target.strip_prefix('#').and_then(|p| self.root.pointer(p))
        {
            self.flatten(found, parts);
        }
        for each in schema
            .get("allOf")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            self.flatten(each, parts);
        }
    }

    /// The types that a value may have by what is known so far; empty for any.
    fn allowed(&self, parts: &Parts<'a>) -> Vec<&'a str> {
        let mut allowed: Option<Vec<&str>> = None;
        for part in parts {
            let types: Vec<&str> = if let Some(types) = types(part) {
                types
            } else if let Some(branches) = alternatives(part) {
                let mut any = Vec::new();
                for branch in branches {
                    let mut inner = Parts::new();
                    self.flatten(branch, &mut inner);
                    let types = self.allowed(&inner);
                    if types.is_empty() {
                        any.clear();
                        break;
                    }
                    any.extend(types);
                }
                if any.is_empty() {
                    continue;
                }
                any
            } else {
                continue;
            };
            allowed = Some(match allowed {
                None => types,
                Some(before) => before.into_iter().filter(|t| types.contains(t)).collect(),
            });
        }
        allowed.unwrap_or_default()
    }

    /// The branch that fits, or that was most likely meant; reports when there is none.
    fn choose(
        &mut self,
        node: &Node,
        branches: &'a [Json],
        name: &str,
        key: &At,
    ) -> Option<&'a Json> {
        let mut best: Option<(usize, &Json)> = None;
        for branch in branches {
            let mut parts = Parts::new();
            self.flatten(branch, &mut parts);
            let mut tried = node.clone();
            coerce(&mut tried, &self.allowed(&parts));
            let types = self.allowed(&parts);
            if !types.is_empty() && !types.iter().any(|t| is(&tried, t)) {
                continue;
            }
            let mut trial = Self {
                root: self.root,
                what: self.what,
                problems: Vec::new(),
            };
            trial.node(&mut tried, branch, name, key);
            // A value that isn't set fits everywhere.
            let wrong = trial.problems.iter().filter(|p| !p.unset).count();
            if wrong == 0 {
                return Some(branch);
            }
            let tag_fits = tag_fits(&tried, &parts);
            let constant = parts
                .iter()
                .any(|part| part.get("const").is_some() || part.get("enum").is_some());
            if tag_fits && !constant && best.is_none_or(|(least, _)| wrong < least) {
                best = Some((wrong, branch));
            }
        }
        if let Some((_, branch)) = best {
            return Some(branch);
        }
        let words = self.words(branches);
        let tags = self.tags(branches);
        if let Some((tag, values)) = tags
            && let Some(found) = node.get(&tag)
        {
            let name = join(name, &tag);
            self.not_among(found, &name, &values);
        } else if !words.is_empty() && node.as_text().is_some() {
            self.not_among(node, name, &words);
        } else {
            let mut wanted: Vec<&str> = Vec::new();
            let mut of_texts = false;
            for branch in branches {
                let mut parts = Parts::new();
                self.flatten(branch, &mut parts);
                of_texts |= parts.iter().any(|part| self.takes_texts(part));
                wanted.extend(self.allowed(&parts));
            }
            self.wrong_type(node, &wanted, of_texts, name, key);
        }
        None
    }

    /// Every text that the branches name as a constant.
    fn words(&self, branches: &'a [Json]) -> Vec<&'a str> {
        let mut words = Vec::new();
        for branch in branches {
            let mut parts = Parts::new();
            self.flatten(branch, &mut parts);
            for part in parts {
                words.extend(part.get("const").and_then(Json::as_str));
                let listed = part.get("enum").and_then(Json::as_array);
                words.extend(listed.into_iter().flatten().filter_map(Json::as_str));
                if let Some(inner) = alternatives(part) {
                    words.extend(self.words(inner));
                }
            }
        }
        words
    }

    /// The key whose constant tells the branches apart, and its values.
    fn tags(&self, branches: &'a [Json]) -> Option<(String, Vec<&'a str>)> {
        let mut tag: Option<String> = None;
        let mut values = Vec::new();
        for branch in branches {
            let mut parts = Parts::new();
            self.flatten(branch, &mut parts);
            let (key, value) = parts.iter().find_map(|part| constant_property(part))?;
            if tag.as_ref().is_some_and(|tag| tag != key) {
                return None;
            }
            tag = Some(key.clone());
            values.push(value);
        }
        tag.map(|tag| (tag, values))
    }

    fn type_of(&mut self, node: &Node, parts: &Parts<'a>, name: &str, key: &At) -> bool {
        for part in parts {
            if let Some(types) = types(part)
                && !types.iter().any(|t| is(node, t))
            {
                let of_texts = parts.iter().any(|part| self.takes_texts(part));
                self.wrong_type(node, &types, of_texts, name, key);
                return false;
            }
        }
        true
    }

    /// Whether a list's items may be texts.
    fn takes_texts(&self, list: &'a Json) -> bool {
        let mut items = Parts::new();
        if let Some(item) = list.get("items") {
            self.flatten(item, &mut items);
        }
        self.allowed(&items).contains(&"string")
    }

    fn wrong_type(&mut self, node: &Node, types: &[&str], of_texts: bool, name: &str, key: &At) {
        let mut wanted: Vec<&str> = types.iter().filter_map(|t| in_words(t)).collect();
        wanted.dedup();
        let subject = self.subject(name);
        let message = format!("{subject} must be {}{}", or(&wanted), not(node));
        let mut problem = about(node, key, message);
        if let Some(advice) = slip(node, types, of_texts) {
            problem = problem.advise(advice);
        }
        self.problems.push(problem);
    }

    fn one_of(&mut self, node: &Node, parts: &Parts<'a>, name: &str, key: &At) -> bool {
        for part in parts {
            let constant = part.get("const").map(std::slice::from_ref);
            let listed = part.get("enum").and_then(Json::as_array).map(Vec::as_slice);
            let Some(values) = constant.or(listed) else {
                continue;
            };
            let json = node.json().0;
            if !values.contains(&json) {
                let words: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
                if words.is_empty() {
                    let all: Vec<String> = values.iter().map(ToString::to_string).collect();
                    let all: Vec<&str> = all.iter().map(String::as_str).collect();
                    let message = format!("{} must be {}", self.subject(name), or(&all));
                    self.problems.push(about(node, key, message));
                } else {
                    self.not_among(node, name, &words);
                }
                return false;
            }
        }
        true
    }

    fn not_among(&mut self, node: &Node, name: &str, words: &[&str]) {
        let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        let message = format!(
            "{} must be {}{}",
            self.subject(name),
            or(&listed),
            not(node)
        );
        let mut problem = about(node, &node.at, message);
        let near = node.as_text().filter(|_| !node.secret);
        if let Some(near) = near.and_then(|text| nearest(text, words.iter().copied())) {
            problem = problem.advise(format!("did you mean `{near}`?"));
        }
        self.problems.push(problem);
    }

    fn bounds(&mut self, node: &Node, parts: &Parts<'a>, name: &str, key: &At) {
        for part in parts {
            let bound = |key: &str| part.get(key).filter(|bound| bound.is_number());
            let wrong = match &node.value {
                Value::Number(number, _) => {
                    let value = number.as_f64().unwrap_or(f64::NAN);
                    let broken = |key: &str, holds: fn(f64, f64) -> bool| {
                        bound(key).filter(|b| b.as_f64().is_some_and(|b| !holds(value, b)))
                    };
                    let unsigned = part["format"]
                        .as_str()
                        .is_some_and(|format| format.starts_with("uint"));
                    if let Some(least) = broken("minimum", |v, b| v >= b) {
                        Some(format!("at least {}", whole(least)))
                    } else if unsigned && value < 0.0 {
                        Some("at least 0".to_owned())
                    } else if let Some(most) = broken("maximum", |v, b| v <= b) {
                        Some(format!("at most {}", whole(most)))
                    } else if let Some(least) = broken("exclusiveMinimum", |v, b| v > b) {
                        Some(format!("more than {}", whole(least)))
                    } else {
                        broken("exclusiveMaximum", |v, b| v < b)
                            .map(|most| format!("less than {}", whole(most)))
                    }
                }
                Value::Text { text, .. } => {
                    let length = text.chars().count() as u64;
                    let least = bound("minLength").and_then(Json::as_u64).unwrap_or(0);
                    let most = bound("maxLength")
                        .and_then(Json::as_u64)
                        .unwrap_or(u64::MAX);
                    if length < least && length == 0 {
                        Some("something, not an empty text".to_owned())
                    } else if (length < least || length > most) && least == most {
                        let s = if least == 1 { "" } else { "s" };
                        Some(format!("exactly {least} character{s}"))
                    } else if length < least {
                        Some(format!("at least {least} characters"))
                    } else if length > most {
                        Some(format!("at most {most} characters"))
                    } else {
                        form(part)
                            .filter(|(form, _)| !form.is_match(text))
                            .map(|(_, what)| what)
                    }
                }
                Value::List(items) => bound("minItems")
                    .and_then(Json::as_u64)
                    .filter(|least| (items.len() as u64) < *least)
                    .map(|least| format!("a list of at least {least}")),
                Value::Map(map) => bound("minProperties")
                    .and_then(Json::as_u64)
                    .filter(|least| (map.entries.len() as u64) < *least)
                    .map(|least| format!("a map of at least {least}")),
                _ => None,
            };
            if let Some(wrong) = wrong {
                let mut message = format!("{} must be {wrong}", self.subject(name));
                if matches!(node.value, Value::Number(..)) || part.get("x-form").is_some() {
                    message.push_str(&not(node));
                }
                self.problems.push(about(node, key, message));
                return;
            }
        }
    }

    fn map(&mut self, map: &mut Map, parts: &Parts<'a>, name: &str, key: &At) {
        let mut known: Vec<&str> = Vec::new();
        let mut other: Option<&'a Json> = None;
        let mut closed = false;
        for part in parts {
            if let Some(properties) = part.get("properties").and_then(Json::as_object) {
                known.extend(properties.keys().map(String::as_str));
            }
            for additional in ["additionalProperties", "unevaluatedProperties"] {
                match part.get(additional) {
                    Some(Json::Bool(false)) => closed = true,
                    Some(schema @ Json::Object(_)) => other = Some(schema),
                    _ => {}
                }
            }
        }
        for entry in &mut map.entries {
            // It stays in the tree: it unsets what less specific layers say.
            if entry.value.is_null() && (other.is_some() || known.contains(&entry.key.as_str())) {
                continue;
            }
            let path = join(name, &entry.key);
            let schemas: Vec<&'a Json> = parts
                .iter()
                .filter_map(|part| part.get("properties")?.get(&entry.key))
                .collect();
            if schemas.is_empty() {
                match other {
                    Some(schema) => self.node(&mut entry.value, schema, &path, &entry.at),
                    None if closed => self.unknown(entry, name, &known, parts),
                    None => self.node(&mut entry.value, &Json::Bool(true), &path, &entry.at),
                }
            }
            for schema in schemas {
                self.node(&mut entry.value, schema, &path, &entry.at);
            }
        }
        let mut missing: Vec<&str> = Vec::new();
        for part in parts {
            let required = part.get("required").and_then(Json::as_array);
            for wanted in required.into_iter().flatten().filter_map(Json::as_str) {
                if !map.has(wanted) && !missing.contains(&wanted) {
                    missing.push(wanted);
                }
            }
        }
        for wanted in missing {
            let message = format!("{} needs `{wanted}`", self.subject(name));
            self.problems.push(Problem::at(key, message).missing());
        }
    }

    fn unknown(&mut self, entry: &mut Entry, name: &str, known: &[&str], parts: &Parts<'a>) {
        let Entry { key, at, value } = entry;
        let mut problem = if name.is_empty() {
            Problem::at(at, format!("{} has no key `{key}`", self.what))
        } else {
            Problem::at(at, format!("`{name}` has no key `{key}`"))
        };
        let mut known = known.to_vec();
        known.sort_unstable();
        known.dedup();
        let near = nearest(key, known.iter().copied());
        // A secret under a misspelt name is one all the same.
        if near.is_some_and(|near| secrecy::key(near) || self.is_password(near, parts)) {
            value.secret = true;
            problem.mask(&value.at);
        }
        self.problems.push(match near {
            _ if belongs(key, &known).is_some() => {
                problem.advise(belongs(key, &known).unwrap_or_default())
            }
            Some(near) => problem.advise(format!("did you mean `{near}`?")),
            None if known.is_empty() => problem.advise("leave it out"),
            None => problem.advise(format!("there are: {}", known.join(", "))),
        });
    }

    /// Whether a key of a map is for a secret, which its name may not tell.
    fn is_password(&self, key: &str, parts: &Parts<'a>) -> bool {
        let mut found = Parts::new();
        for schema in parts
            .iter()
            .filter_map(|part| part.get("properties")?.get(key))
        {
            self.flatten(schema, &mut found);
            for branch in alternatives(schema).into_iter().flatten() {
                self.flatten(branch, &mut found);
            }
        }
        found.iter().any(|part| part["format"] == "password")
    }

    fn subject(&self, name: &str) -> String {
        if name.is_empty() {
            self.what.to_owned()
        } else {
            format!("`{name}`")
        }
    }
}

fn alternatives(schema: &Json) -> Option<&[Json]> {
    let found = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    found.as_array().map(Vec::as_slice)
}

/// What a text must look like, and what that is called. A pattern without a name is no matter of
/// a person who writes YAML: it is left to whoever takes the value.
fn form(schema: &Json) -> Option<(Regex, String)> {
    let called = schema.get("x-form")?.as_str()?;
    let pattern = Regex::new(schema.get("pattern")?.as_str()?).ok()?;
    Some((pattern, called.to_owned()))
}

fn types(schema: &Json) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Json::String(one) => Some(vec![one]),
        Json::Array(many) => Some(many.iter().filter_map(Json::as_str).collect()),
        _ => None,
    }
}

fn constant_property(schema: &Json) -> Option<(&String, &str)> {
    schema
        .get("properties")?
        .as_object()?
        .iter()
        .find_map(|(key, property)| Some((key, property.get("const")?.as_str()?)))
}

fn tag_fits(node: &Node, parts: &Parts<'_>) -> bool {
    parts.iter().all(|part| match constant_property(part) {
        Some((key, value)) => node.get(key).and_then(Node::as_text) == Some(value),
        None => true,
    })
}

pub(crate) fn is(node: &Node, wanted: &str) -> bool {
    match (&node.value, wanted) {
        (Value::Number(number, _), "integer") => number.is_i64() || number.is_u64(),
        (Value::Null, "null")
        | (Value::Bool(..), "boolean")
        | (Value::Number(..), "number")
        | (Value::Text { .. }, "string")
        | (Value::List(_), "array")
        | (Value::Map(_), "object")
        | (Value::Unset(_), _) => true,
        _ => false,
    }
}

/// See [`Check`].
fn coerce(node: &mut Node, allowed: &[&str]) {
    if allowed.is_empty() || allowed.iter().any(|t| is(node, t)) {
        return;
    }
    match &node.value {
        Value::Text { text, loose: true } => {
            let typed = Node::new(yaml::plain(text.trim()), node.at.clone());
            if allowed.iter().any(|t| is(&typed, t)) {
                node.value = typed.value;
            }
        }
        Value::Number(_, text) | Value::Bool(_, text) if allowed.contains(&"string") => {
            node.value = Value::Text {
                text: text.clone(),
                loose: false,
            };
        }
        _ => {}
    }
}

fn join(name: &str, key: &str) -> String {
    if name.is_empty() {
        key.to_owned()
    } else {
        format!("{name}.{key}")
    }
}
