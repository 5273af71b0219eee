//! Settings that stand in no project: written on a command line, and meant as in a flow.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::Problem;
use crate::check::Check;
use crate::node::Node;
use crate::source::{At, Source};
use crate::variable::{Lookup, substitute};

/// Settings with their variables filled in.
#[derive(Debug)]
pub struct Filled {
    /// The settings.
    pub settings: Json,
    /// JSON pointers to what is secret among them.
    pub secrets: BTreeSet<String>,
}

/// Fills variables in as in a project's files. What came whole from one, and a number where only
/// text will do, becomes what these schemas want; whether it fits is for whoever has them to say.
pub fn fill(written: &Json, schemas: &[&Json], env: Lookup<'_>) -> Result<Filled, Vec<Problem>> {
    let at = At::start(&Source::new("--config", ""));
    let mut node = Node::of_json(written, &at);
    let mut problems = Vec::new();
    substitute(&mut node, env, &mut problems);
    if problems.is_empty() {
        // A variable that isn't set is told when its value is looked at, by any schema.
        problems = Check::run("it", &Json::Bool(true), &mut node, &at);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for schema in schemas {
        // Told in the words of the plugin's own schema, once it is settled which part is tried.
        drop(Check::run("it", schema, &mut node, &at));
    }
    let (settings, secrets) = node.json();
    Ok(Filled { settings, secrets })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn env(name: &str) -> Option<String> {
        let set = [("N", "5"), ("API_TOKEN", "s3cret"), ("YES", "true")];
        let found = set.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn variables_become_what_is_wanted() {
        let schema = json!({"type": "object", "properties": {
            "rows": {"type": "integer"}, "name": {"type": "string"}, "all": {"type": "boolean"},
            "token": {"type": "string"}, "list": {"type": "array", "items": {"type": "number"}},
        }});
        let written = json!({
            "rows": "${N}", "name": "${N}", "all": "${YES}", "token": "Bearer ${API_TOKEN}",
            "list": ["${N}", "${NOWHERE:-2.5}"], "other": "${N}",
        });
        let filled = fill(&written, &[&schema], &env).unwrap();
        let expected = json!({
            "rows": 5, "name": "5", "all": true, "token": "Bearer s3cret", "list": [5, 2.5],
            "other": "5",
        });
        assert_eq!(filled.settings, expected);
        assert_eq!(filled.secrets.into_iter().collect::<Vec<_>>(), ["/token"]);
    }

    #[test]
    fn what_can_t_be_filled_is_told() {
        let told = |written: Json| fill(&written, &[], &env).unwrap_err()[0].message.clone();
        let unset = "environment variable NOWHERE isn't set";
        assert_eq!(told(json!({"a": ["x${NOWHERE}"]})), unset);
        assert_eq!(told(json!({"a": "${N"})), "`${` without its `}`");
        let plain = fill(&json!({"a": "$${N}"}), &[], &env).unwrap();
        assert_eq!(plain.settings, json!({"a": "${N}"}));
    }
}
