//! The schema of a plugin's settings is data that anybody may have written, and whoever checks
//! settings by it follows it from schema to schema, before any code of the plugin runs. Here it is
//! made sure that this ends: soon, and without a stack as deep as the file is long.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::line::clean;

/// How deep settings may be nested for what follows to hold.
const LEVELS: u8 = 6;
/// Most schemas that checking one setting of each name may lead through, each counted as often as
/// it is come by.
const MOST: u64 = 100_000;
/// Most patterns, and how many schemas each counts for: to make one ready takes its time.
const PATTERNS: usize = 100;
const PATTERN: u64 = 100;
/// Most schemas that may follow one another by `$ref`, `allOf` and the like for a single value.
const CHAIN: usize = 64;

/// Whether settings can be checked by this schema in little time; else what is wrong with it.
pub(crate) fn bounded(schema: &Value) -> Result<(), String> {
    let mut walk = Walk {
        root: schema,
        anchors: HashMap::new(),
        patterns: 0,
        known: HashMap::new(),
    };
    walk.name(schema, true)?;
    if walk.patterns > PATTERNS {
        return Err(format!("it has more than {PATTERNS} patterns"));
    }
    let mut reached = vec![schema];
    let mut seen = HashSet::new();
    while let Some(each) = reached.pop() {
        if !seen.insert(address(each)) {
            continue;
        }
        if walk.leads(each, LEVELS, 0)?.schemas > MOST {
            return Err(format!(
                "it leads through more than {MOST} schemas, once each `$ref` is followed"
            ));
        }
        reached.extend(walk.same_value(each)?);
        reached.extend(of_parts(each));
    }
    Ok(())
}

struct Walk<'a> {
    root: &'a Value,
    /// What `#name` means.
    anchors: HashMap<&'a str, &'a Value>,
    patterns: usize,
    /// What one leads through, by the levels that are left; none while it is looked at.
    known: HashMap<(usize, u8), Option<Leads>>,
}

/// What a schema leads through, itself counted.
#[derive(Clone, Copy)]
struct Leads {
    schemas: u64,
    /// How many follow one another for a single value.
    chain: usize,
}

impl<'a> Walk<'a> {
    /// Finds what has a name, and counts patterns. A schema within the schema would change where `#` leads.
    fn name(&mut self, schema: &'a Value, root: bool) -> Result<(), String> {
        match schema {
            Value::Object(map) => {
                if !root && map.get("$id").is_some_and(Value::is_string) {
                    return Err("another schema is embedded in it by `$id`".to_owned());
                }
                self.patterns += patterns(schema);
                for key in ["$anchor", "$dynamicAnchor"] {
                    if let Some(Value::String(name)) = map.get(key)
                        && self.anchors.insert(name, schema).is_some()
                    {
                        return Err(format!("two places in it are named {:?}", clean(name, 100)));
                    }
                }
                map.values().try_for_each(|each| self.name(each, false))
            }
            Value::Array(list) => list.iter().try_for_each(|each| self.name(each, false)),
            _ => Ok(()),
        }
    }

    fn leads(&mut self, schema: &'a Value, levels: u8, before: usize) -> Result<Leads, String> {
        let key = (address(schema), levels);
        match self.known.get(&key) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err("a `$ref` in it leads back to itself".to_owned()),
            None => drop(self.known.insert(key, None)),
        }
        let mut leads = Leads {
            schemas: 1 + patterns(schema) as u64 * PATTERN,
            chain: 1,
        };
        for each in self.same_value(schema)? {
            // Not followed further than it may lead: this too is done by recursion.
            let next = match before + 1 < CHAIN {
                true => self.leads(each, levels, before + 1)?,
                false => return Err(too_long()),
            };
            leads.schemas = leads.schemas.saturating_add(next.schemas);
            leads.chain = leads.chain.max(next.chain + 1);
        }
        if leads.chain > CHAIN {
            return Err(too_long());
        }
        if let Some(levels) = levels.checked_sub(1) {
            for each in of_parts(schema) {
                let next = self.leads(each, levels, 0)?;
                leads.schemas = leads.schemas.saturating_add(next.schemas);
            }
        }
        self.known.insert(key, Some(leads));
        Ok(leads)
    }

    /// The schemas that the same value is checked by as well.
    fn same_value(&self, schema: &'a Value) -> Result<Vec<&'a Value>, String> {
        let mut found = inner(
            schema,
            &["not", "if", "then", "else"],
            &["allOf", "anyOf", "oneOf"],
            &["dependentSchemas"],
        );
        for key in ["$ref", "$dynamicRef"] {
            if let Some(Value::String(target)) = schema.get(key) {
                found.push(self.target(target)?);
            }
        }
        Ok(found)
    }

    fn target(&self, written: &str) -> Result<&'a Value, String> {
        let nowhere = || {
            let shown = clean(written, 100);
            format!("{shown:?} leads to nothing in it")
        };
        let name = written.strip_prefix('#').ok_or_else(nowhere)?;
        let found = self.root.pointer(name);
        found
            .or_else(|| self.anchors.get(name).copied())
            .ok_or_else(nowhere)
    }
}

fn too_long() -> String {
    format!("more than {CHAIN} schemas follow one another for a single value")
}

/// The schemas that what is within a value is checked by.
fn of_parts(schema: &Value) -> Vec<&Value> {
    inner(
        schema,
        &[
            "additionalProperties",
            "contains",
            "items",
            "propertyNames",
            "unevaluatedItems",
            "unevaluatedProperties",
        ],
        &["items", "prefixItems"],
        &["patternProperties", "properties"],
    )
}

/// The schemas below keys of one, of a list of them, and of a map of them.
fn inner<'a>(schema: &'a Value, one: &[&str], list: &[&str], map: &[&str]) -> Vec<&'a Value> {
    let one = one.iter().filter_map(|key| schema.get(key));
    let one = one.filter(|each| each.is_object());
    let list = list.iter().filter_map(|key| schema.get(key)?.as_array());
    let map = map.iter().filter_map(|key| schema.get(key)?.as_object());
    let map = map.flat_map(|map| map.values());
    one.chain(list.flatten()).chain(map).collect()
}

/// How many patterns a schema has of its own.
fn patterns(schema: &Value) -> usize {
    let own = schema.get("pattern").is_some_and(Value::is_string);
    let names = schema.get("patternProperties").and_then(Value::as_object);
    usize::from(own) + names.map_or(0, serde_json::Map::len)
}

/// Which of the values of a tree it is.
fn address(of: &Value) -> usize {
    std::ptr::from_ref(of) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    /// Definitions `0` to `last`, each made of the place of the next, and a root that is the first.
    fn chain(last: usize, link: impl Fn(Value) -> Value) -> Value {
        let next = |n: usize| json!({"$ref": format!("#/$defs/{n}")});
        let mut all: Map<String, Value> = (0..last)
            .map(|n| (n.to_string(), link(next(n + 1))))
            .collect();
        all.insert(last.to_string(), json!({"type": "object"}));
        json!({"$ref": "#/$defs/0", "$defs": all})
    }

    #[test]
    fn what_people_write_is_fine() {
        let condition = json!({"$ref": "#/$defs/condition"});
        let all: Vec<Value> = (0..500).map(|n| json!({"const": n})).collect();
        for fine in [
            json!({"type": "object"}),
            json!({"oneOf": all}),
            json!({
                "$defs": {"condition": {"anyOf": [
                    {"properties": {"not": condition}},
                    {"properties": {"and": {"type": "array", "items": condition}}},
                    {"properties": {"or": {"type": "array", "items": condition}}},
                    {"properties": {"column": {"type": "string"}, "is": {}}},
                ]}},
                "properties": {"where": condition, "$ref": {"type": "string"}},
            }),
            json!({"properties": {"a": {"$ref": "#name"}}, "$defs": {"b": {"$anchor": "name"}}}),
            chain(60, |next| next),
        ] {
            assert_eq!(bounded(&fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn what_never_ends_is_refused() {
        for round in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"anyOf": [{"type": "string"}, {"not": {"$ref": "#"}}]}),
            json!({"$dynamicRef": "#me", "$dynamicAnchor": "me"}),
            json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"if": {"$ref": "#/$defs/a"}}}}),
        ] {
            let why = bounded(&round).unwrap_err();
            assert!(why.ends_with("leads back to itself"), "{why}: {round}");
        }
        // However deep it stands.
        let mut deep = json!({"$ref": "#/$defs/a"});
        for _ in 0..20 {
            deep = json!({"properties": {"x": deep}});
        }
        deep["$defs"] = json!({"a": {"$ref": "#/$defs/a"}});
        assert!(bounded(&deep).is_err());
    }

    #[test]
    fn what_takes_long_is_refused() {
        let twice = |next: Value| json!({"allOf": [next, next]});
        let why = bounded(&chain(25, twice)).unwrap_err();
        assert!(why.contains("leads through more than"), "{why}");
        for long in [
            chain(10_000, |next| next),
            chain(10_000, |next| json!({"allOf": [next]})),
        ] {
            let why = bounded(&long).unwrap_err();
            assert!(why.contains("follow one another"), "{why}");
        }
        // Also when its end was looked at before.
        let mut ends = chain(150, |next| next);
        for n in (0..150).step_by(30).rev() {
            ends["properties"][format!("{:03}", 999 - n)] = json!({"$ref": format!("#/$defs/{n}")});
        }
        assert_eq!(bounded(&ends), Err(too_long()));
        let pattern = |n: usize| (format!("p{n}"), json!({"pattern": "^a{1,1000}$"}));
        let many: Map<String, Value> = (0..101).map(pattern).collect();
        let why = bounded(&json!({"properties": many})).unwrap_err();
        assert_eq!(why, "it has more than 100 patterns");
        // A hundred ways for each level of settings.
        let again = vec![json!({"properties": {"x": {"$ref": "#"}}}); 100];
        let why = bounded(&json!({"anyOf": again})).unwrap_err();
        assert!(why.contains("leads through more than"), "{why}");
    }

    #[test]
    fn nothing_is_looked_for_elsewhere() {
        for away in [
            "file:///etc/passwd",
            "http://127.0.0.1/x",
            "other",
            "#/$defs/none",
            "#none",
        ] {
            let why = bounded(&json!({"items": {"$ref": away}})).unwrap_err();
            assert!(why.ends_with("leads to nothing in it"), "{why}");
        }
        let twice = json!({"items": [{"$anchor": "a"}, {"$dynamicAnchor": "a"}]});
        assert!(bounded(&twice).unwrap_err().contains("named \"a\""));
        let embedded = json!({"properties": {"a": {"$id": "http://x/y", "$ref": "#"}}});
        assert!(bounded(&embedded).unwrap_err().contains("embedded"));
    }
}
