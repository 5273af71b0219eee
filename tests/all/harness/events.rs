use serde_json::Value;

use super::Outcome;

/// The events of a run with `--output json`.
pub(crate) struct Events(Vec<Value>);

impl Events {
    /// Reads stdout, one event a line.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}\n{outcome}"))
        };
        Self(outcome.stdout.lines().map(parse).collect())
    }

    /// Those of one kind.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |event| event["event"] == kind)
    }

    /// How the entity ended; `id` is `flow.entity`.
    pub(crate) fn finished(&self, id: &str) -> &Value {
        let (flow, entity) = id.split_once('.').unwrap();
        self.all("entity_finished")
            .find(|event| event["id"]["flow"] == flow && event["id"]["entity"] == entity)
            .unwrap_or_else(|| panic!("{id} never finished: {:#?}", self.0))
    }

    /// Rows committed for an entity.
    pub(crate) fn rows(&self, id: &str) -> u64 {
        self.finished(id)["rows"].as_u64().unwrap()
    }

    /// Rows read for an entity.
    pub(crate) fn rows_read(&self, id: &str) -> u64 {
        self.finished(id)["rows_read"].as_u64().unwrap()
    }

    /// The message of what made the entity fail.
    pub(crate) fn fault(&self, id: &str) -> &str {
        self.finished(id)["fault"]["message"].as_str().unwrap()
    }
}
