use std::path::Path;
use std::sync::Arc;

use hygge_core::{
    BuildContext, Fault, Home, HomeKind, HomePlan, Place, Problem, Result, Settings, TYPE_NAMES,
    code, not_a_path, parse_type,
};

use super::FilesHome;
use super::list;
use super::read::csv::values;
use super::settings::HomeSettings;
use crate::config::Format;

/// `type: files`, or one of its short forms.
#[derive(Debug)]
pub struct FilesHomeKind {
    format: Option<Format>,
}

impl FilesHomeKind {
    /// The kind for any format, or for one.
    pub fn new(format: Option<Format>) -> Self {
        Self { format }
    }

    fn parse(&self, settings: &Settings) -> Result<HomeSettings> {
        let mut parsed: HomeSettings = settings.parse()?;
        if parsed.format.is_none() {
            parsed.format = self.format;
        }
        Ok(parsed)
    }

    /// The format, as far as it is known before the files are.
    fn known_format(settings: &HomeSettings) -> Option<Format> {
        settings
            .format
            .or_else(|| Format::of(Path::new(&settings.path)))
    }
}

impl HomeKind for FilesHomeKind {
    fn name(&self) -> &str {
        self.format.map_or("files", Format::name)
    }

    fn summary(&self) -> &str {
        match self.format {
            None => "files in any format, told by their names",
            Some(Format::Parquet) => "Parquet files",
            Some(Format::Csv) => "CSV files, also .gz and .zst",
            Some(Format::Ndjson) => "files with one JSON object a line, also .gz and .zst",
            Some(Format::Arrow) => "Arrow IPC files and streams",
        }
    }

    fn schema(&self) -> serde_json::Value {
        let mut schema = schemars::schema_for!(HomeSettings).to_value();
        if let Some(format) = self.format
            && let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut())
        {
            properties.retain(|name, _| name != "format" && HomeSettings::applies(name, format));
            if let Some(whole) = schema.as_object_mut() {
                whole.remove("$defs");
            }
        }
        schema
    }

    fn location(&self) -> Option<&str> {
        Some("path")
    }

    fn plan(&self, settings: &Settings, cx: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        let parsed = self.parse(settings).map_err(|fault| {
            vec![problem(
                fault.attribute("setting").unwrap_or_default(),
                &fault.message,
                None,
            )]
        })?;
        let problems = problems(&parsed, self.format);
        if !problems.is_empty() {
            return Err(problems);
        }
        let place = if list::is_glob(&parsed.path) {
            Place::glob(&cx.root, &parsed.path)
        } else {
            Place::files(&cx.root.join(&parsed.path))
        };
        let what = Self::known_format(&parsed).map_or("files".to_owned(), |f| f.to_string());
        Ok(HomePlan {
            place: Some(place),
            describe: format!("{what} {}", parsed.path),
            operations: false,
            watermarks: true,
            files: true,
            changes: false,
            max_open: None,
            splits: None,
            many: false,
        })
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Home>> {
        let parsed = self.parse(settings)?;
        if let Some(problem) = problems(&parsed, self.format).into_iter().next() {
            let mut fault = Fault::new(code::CONFIG, problem.message);
            fault.advice = problem.advice;
            return Err(fault);
        }
        Ok(Arc::new(FilesHome::new(parsed, cx)?))
    }
}

fn problem(pointer: &str, message: impl Into<String>, advice: Option<&str>) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        message: message.into(),
        advice: advice.map(str::to_owned),
    }
}

/// What is wrong with settings that have the right form.
fn problems(settings: &HomeSettings, short: Option<Format>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some((why, advice)) = not_a_path(&settings.path) {
        problems.push(problem("/path", why, Some(&advice)));
    }
    if list::is_glob(&settings.path)
        && let Err(why) = list::matcher(&settings.path)
    {
        problems.push(problem(
            "/path",
            format!("{} is not a valid glob: {why}", settings.path),
            Some("* matches within a name, ** any number of folders, {a,b} either"),
        ));
    }
    if let (Some(short), Some(format)) = (short, settings.format)
        && short != format
    {
        problems.push(problem(
            "/format",
            format!("format: {format} contradicts type: {short}"),
            Some("leave out `format`"),
        ));
    }
    if let Some(format) = FilesHomeKind::known_format(settings) {
        for name in settings.specific() {
            if !HomeSettings::applies(name, format) {
                problems.push(problem(
                    &format!("/{name}"),
                    format!("{name} doesn't apply to {format} files"),
                    Some("leave it out"),
                ));
            }
        }
    }
    if let Err((name, why)) = settings.csv() {
        problems.push(problem(&format!("/{name}"), why, None));
    }
    if settings.infer_rows == Some(0) {
        problems.push(problem(
            "/infer_rows",
            "infer_rows must be at least 1",
            None,
        ));
    }
    if settings.split_size.is_some_and(|size| size.0 == 0) {
        problems.push(problem(
            "/split_size",
            "split_size must be at least 1 byte",
            None,
        ));
    }
    for (column, name) in settings.schema.iter().flatten() {
        let pointer = format!("/schema/{}", column.replace('~', "~0").replace('/', "~1"));
        match parse_type(name) {
            None => problems.push(Problem {
                pointer,
                message: format!("{name:?} is not a type"),
                advice: Some(format!("use {TYPE_NAMES}")),
            }),
            Some(data_type)
                if FilesHomeKind::known_format(settings) == Some(Format::Csv)
                    && !values::supports(&data_type) =>
            {
                problems.push(problem(
                    &pointer,
                    format!("CSV values can't be {name}"),
                    Some("use string"),
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(columns) = &settings.columns
        && let Some(twice) = columns
            .iter()
            .enumerate()
            .find_map(|(n, name)| columns[..n].contains(name).then_some(name))
    {
        problems.push(problem(
            "/columns",
            format!("columns names {twice:?} twice"),
            None,
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cx() -> BuildContext {
        BuildContext {
            root: "/p".into(),
            work: "/p/.hygge".into(),
            entity: None,
            run: None,
        }
    }

    fn plan(short: Option<Format>, settings: serde_json::Value) -> Result<HomePlan, Vec<Problem>> {
        FilesHomeKind::new(short).plan(&Settings::new(settings, []), &cx())
    }

    #[test]
    fn short_types_know_only_their_settings() {
        let properties = |format| {
            let schema = FilesHomeKind::new(format).schema();
            schema["properties"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(properties(Some(Format::Parquet)), ["path", "split_size"]);
        assert!(properties(Some(Format::Csv)).contains(&"delimiter".to_owned()));
        assert!(properties(None).contains(&"format".to_owned()));
    }

    #[test]
    fn all_problems_are_told_with_their_place() {
        let problems = plan(
            Some(Format::Csv),
            json!({"path": "in/*.csv", "delimiter": "ab", "schema": {"a/b": "int", "c": "list<int64>", "d": "nothing"}}),
        )
        .unwrap_err();
        let pointers: Vec<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
        assert_eq!(pointers, ["/delimiter", "/schema/c", "/schema/d"]);
        let problems = plan(None, json!({"path": "a.parquet", "header": true})).unwrap_err();
        assert_eq!(problems[0].message, "header doesn't apply to parquet files");
    }

    #[test]
    fn a_plan_says_where_it_reads() {
        let plan = plan(None, json!({"path": "in/2026-*/x.csv.gz"})).unwrap();
        assert_eq!(plan.describe, "csv in/2026-*/x.csv.gz");
        assert_eq!(plan.place.unwrap().to_string(), "/p/in/2026-*/x.csv.gz");
    }
}
