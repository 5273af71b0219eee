//! What a plugin is tried with by `run` and `test`: settings and grants from the command line.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hygge_core::{Settings, Veil};
use hygge_plugins::{Description, Wanted};
use serde_json::{Map, Value};

use super::Here;
use crate::args::Global;
use crate::complaint::Complaint;
use crate::console::Console;

/// What a plugin is, when it is several things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Where data lives
    Home,
    /// Where data settles
    Store,
    /// What happens on the way
    Transform,
}

const HEADING: &str = "Settings and grants";

/// A plugin, its settings, and what it may do.
#[derive(Debug, Args)]
pub(super) struct Tried {
    /// A .wasm file, or the name of a plugin of this project
    file: String,
    /// What it is tried as, when it is several things
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub(super) part: Option<Part>,
    /// A setting as in a flow: path=out, columns.email.how=hash, 'rows=${ROWS}' (repeatable)
    #[arg(long = "config", value_name = "KEY=VALUE", help_heading = HEADING)]
    config: Vec<String>,
    /// Settings from a file of YAML or JSON
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    config_file: Option<PathBuf>,
    /// Let it send requests there: `https://api.example.com` (repeatable)
    #[arg(long = "grant-http", value_name = "ORIGIN", help_heading = HEADING)]
    http: Vec<String>,
    /// Let it use this environment variable as a secret for that host (repeatable)
    #[arg(long = "grant-secret", value_name = "NAME=HOST", help_heading = HEADING)]
    secrets: Vec<String>,
    /// Let it read this folder (repeatable)
    #[arg(long = "grant-read", value_name = "DIR", help_heading = HEADING)]
    read: Vec<String>,
    /// Let it write into this folder (repeatable)
    #[arg(long = "grant-write", value_name = "DIR", help_heading = HEADING)]
    write: Vec<String>,
    /// Let it see this environment variable (repeatable)
    #[arg(long = "grant-env", value_name = "NAME", help_heading = HEADING)]
    env: Vec<String>,
    /// Grants and limits from a file, as below `plugins: NAME:` in hygge.yml
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    grants: Option<PathBuf>,
}

impl Tried {
    /// The file: as it is named, or of this project.
    pub(super) fn path(&self, global: &Global) -> Result<PathBuf, Complaint> {
        let path = Path::new(&self.file);
        if path.is_file() {
            return Ok(path.to_owned());
        }
        match Here::find(global) {
            Ok(here) => Ok(here.plugin(&self.file)?.1),
            Err(_) => Err(Complaint::usage(format!("there is no file {}", self.file))
                .advise("name a .wasm file, or a plugin while in a project")),
        }
    }

    /// The settings as they are written.
    pub(super) fn config(&self) -> Result<Value, Complaint> {
        let mut all = match &self.config_file {
            Some(file) => read(file)?,
            None => Map::new(),
        };
        for written in &self.config {
            let (key, value) = parts(written, "--config", "KEY=VALUE")?;
            let value = serde_saphyr::from_str(value)
                .map_err(|_| Complaint::usage(format!("--config {written}: not a value")))?;
            put(&mut all, key, value)
                .map_err(|why| Complaint::usage(format!("--config {written}: {why}")))?;
        }
        Ok(Value::Object(all))
    }

    /// The settings that it is tried with. What is secret among them is hidden from then on.
    pub(super) fn settings(
        &self,
        written: &Value,
        description: &Description,
        console: &Console,
    ) -> Result<Settings, Complaint> {
        let parts = [
            (Part::Home, &description.home),
            (Part::Store, &description.store),
            (Part::Transform, &description.transform),
        ];
        let tried = |part| self.part.is_none_or(|wanted| wanted == part);
        let schemas: Vec<&Value> = parts
            .iter()
            .filter(|(part, _)| tried(*part))
            .filter_map(|(_, part)| part.as_ref().map(|part| &part.config))
            .collect();
        let filled = hygge_project::fill(written, &schemas, &|name| std::env::var(name).ok())
            .map_err(|problems| {
                let advice = problems.first().and_then(|problem| problem.advice.clone());
                let told = problems.into_iter().map(|problem| problem.message);
                let complaint = Complaint::usage(told.collect::<Vec<_>>().join("\n       "));
                match advice {
                    Some(advice) => complaint.advise(advice),
                    None => complaint,
                }
            })?;
        let settings = Settings::new(filled.settings, filled.secrets);
        let secrets = settings.secret_values().map(str::to_owned);
        console.veil(Veil::over(secrets.collect::<Vec<_>>()));
        Ok(settings)
    }

    /// What it may do, in the words of hygge.yml.
    pub(super) fn granted(&self) -> Result<Value, Complaint> {
        let mut all = match &self.grants {
            Some(file) => read(file)?,
            None => Map::new(),
        };
        let lists = [
            ("http", &self.http),
            ("read", &self.read),
            ("write", &self.write),
            ("env", &self.env),
        ];
        for (key, more) in lists {
            if !more.is_empty() {
                let list = all.entry(key).or_insert_with(|| Value::Array(Vec::new()));
                let Value::Array(list) = list else {
                    return Err(Complaint::usage(format!(
                        "`{key}` of the grants isn't a list"
                    )));
                };
                list.extend(more.iter().cloned().map(Value::String));
            }
        }
        for written in &self.secrets {
            let (name, host) = parts(written, "--grant-secret", "NAME=HOST")?;
            let map = all
                .entry("secrets")
                .or_insert_with(|| Value::Object(Map::new()));
            put_in(map, name, Value::String(host.to_owned()))
                .map_err(|why| Complaint::usage(format!("--grant-secret {written}: {why}")))?;
        }
        Ok(Value::Object(all))
    }

    /// Refuses a plugin that wants more than it is given, with the words to add.
    pub(super) fn enough(
        &self,
        description: &Description,
        granted: &Value,
    ) -> Result<(), Complaint> {
        let given = |key: &str| -> Vec<String> {
            let url = |each: &Value| {
                let text = each.as_str().or_else(|| each["url"].as_str());
                text.map(str::to_owned)
            };
            let list = granted[key].as_array();
            list.into_iter().flatten().filter_map(url).collect()
        };
        let wanted = &description.grants;
        let bound_to = |name: &String| {
            let given = &granted["secrets"][name];
            given.as_str().or_else(|| given["host"].as_str())
        };
        // Bound to another host it would be refused where it is needed.
        let bound = |name: &String, host: &String| {
            bound_to(name).is_some_and(|given| given.eq_ignore_ascii_case(host))
        };
        let given = Wanted {
            http: given("http"),
            secrets: wanted
                .secrets
                .iter()
                .filter(|(name, host)| bound(name, host))
                .map(|(name, host)| (name.clone(), host.clone()))
                .collect(),
            read: [given("read"), given("write")].concat(),
            write: given("write"),
            env: given("env"),
        };
        let missing = wanted.beyond(&given);
        if missing.is_empty() {
            return Ok(());
        }
        let flag = |what: &str, all: &[String]| -> Vec<String> {
            all.iter()
                .map(|each| format!("--grant-{what} {each}"))
                .collect()
        };
        let secrets = missing.secrets.iter();
        let flags = [
            flag("http", &missing.http),
            secrets
                .map(|(name, host)| format!("--grant-secret {name}={host}"))
                .collect(),
            flag("read", &missing.read),
            flag("write", &missing.write),
            flag("env", &missing.env),
        ];
        let what = missing.secrets.iter().find_map(|(name, host)| {
            let given = bound_to(name)?;
            Some(format!(
                "the secret {name} for {host}, and it is bound to {given}"
            ))
        });
        let what = what.as_deref().unwrap_or("more than it is granted");
        Err(
            Complaint::usage(format!("{} wants {what}", description.name))
                .advise(format!("if it may: {}", flags.concat().join(" "))),
        )
    }
}

/// A map from a file of YAML, of which JSON is a part.
fn read(file: &Path) -> Result<Map<String, Value>, Complaint> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Complaint::usage(format!("can't read {shown}: {error}")))?;
    match serde_saphyr::from_str(&text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Complaint::usage(format!(
            "{shown} holds no keys with values"
        ))),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            Err(Complaint::usage(format!("{shown} can't be read: {why}")))
        }
    }
}

fn parts<'a>(written: &'a str, flag: &str, form: &str) -> Result<(&'a str, &'a str), Complaint> {
    written
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| Complaint::usage(format!("{flag} {written}: write {form}")))
}

/// Puts a value at `columns.email.how`.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), String> {
    match key.split_once('.') {
        None => {
            map.insert(key.to_owned(), value);
            Ok(())
        }
        Some((first, rest)) => {
            let inner = map
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            put_in(inner, rest, value)
        }
    }
}

fn put_in(into: &mut Value, key: &str, value: Value) -> Result<(), String> {
    match into {
        Value::Object(map) => put(map, key, value),
        _ => Err("what stands there already has no keys".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_put_where_their_dots_lead() {
        let mut map = Map::new();
        put(&mut map, "columns.email.how", json!("hash")).unwrap();
        put(&mut map, "columns.name", json!({"how": "redact"})).unwrap();
        put(&mut map, "rows", json!(3)).unwrap();
        let expected = json!({
            "columns": {"email": {"how": "hash"}, "name": {"how": "redact"}}, "rows": 3
        });
        assert_eq!(Value::Object(map.clone()), expected);
        assert!(put(&mut map, "rows.more", json!(1)).is_err());
    }
}
