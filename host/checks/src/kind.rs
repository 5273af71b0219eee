//! What all built-in checks share: from settings to a check.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use hygge_core::{
    BoundCheck, BuildContext, BuiltCheck, Check, CheckKind, Fault, Problem, Result, Settings,
    Severity, code, columns_instead, not_a_path,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The settings of a check, and what they look for.
pub trait Spec: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static {
    /// What `type:` names.
    const NAME: &'static str;
    /// One line for lists.
    const SUMMARY: &'static str;
    /// Whether it can tell of single rows that they fail.
    const OF_ROWS: bool;
    /// Whether another process can judge by what it saw.
    const STORABLE: bool = true;

    /// What is wrong with settings that have the right form.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// What it looks for, in a few words.
    fn describe(&self) -> String;

    /// Binds to the schema of the rows that will come.
    fn bind(&self, schema: &SchemaRef, cx: &BuildContext) -> Result<Arc<dyn BoundCheck>>;
}

/// The settings that every check has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Common {
    severity: Severity,
    rejects: Option<String>,
}

/// A type of check, told by its settings.
#[derive(Debug)]
pub struct Kind<S>(PhantomData<fn() -> S>);

impl<S> Default for Kind<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<S: Spec> Kind<S> {
    fn read(settings: &Settings) -> Result<(Common, S), Vec<Problem>> {
        let unread = |fault: Fault| {
            vec![Problem {
                pointer: fault.attribute("setting").unwrap_or_default().to_owned(),
                message: fault.message.clone(),
                advice: None,
            }]
        };
        let common: Common = settings.parse().map_err(unread)?;
        let mut own = settings.expose().clone();
        if let Some(map) = own.as_object_mut() {
            map.retain(|key, _| !matches!(key.as_str(), "severity" | "rejects"));
        }
        let secrets = settings.secrets().map(str::to_owned);
        let spec: S = Settings::new(own, secrets).parse().map_err(unread)?;
        let mut problems = spec.problems();
        let folder = common.rejects.as_deref();
        problems.extend(folder.and_then(not_a_path).map(|(why, advice)| Problem {
            advice: Some(advice),
            ..problem("rejects", why)
        }));
        match problems.is_empty() {
            true => Ok((common, spec)),
            false => Err(problems),
        }
    }
}

impl<S: Spec> CheckKind for Kind<S> {
    fn name(&self) -> &str {
        S::NAME
    }

    fn summary(&self) -> &str {
        S::SUMMARY
    }

    fn schema(&self) -> Value {
        let mut schema = schemars::schema_for!(S).to_value();
        let properties = &mut schema["properties"];
        properties["severity"] = json!({
            "description": "What a failure means: `fail` commits nothing, `warn` tells. Default: fail.",
            "enum": ["fail", "warn"],
        });
        if S::OF_ROWS {
            properties["rejects"] = json!({
                "description": "A folder for rows that fail: the first thousand go into a file there, as NDJSON.",
                "type": "string",
                "minLength": 1,
            });
        }
        schema
    }

    fn storable(&self) -> bool {
        S::STORABLE
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<String, Vec<Problem>> {
        let (common, spec) = Self::read(settings)?;
        Ok(match common.severity {
            Severity::Fail => spec.describe(),
            Severity::Warn => format!("{} (warn)", spec.describe()),
        })
    }

    fn build(&self, settings: &Settings, _: &BuildContext) -> Result<BuiltCheck> {
        let (common, spec) = Self::read(settings).map_err(|problems| {
            let message = problems.first().map(|each| each.message.clone());
            Fault::new(code::CONFIG, message.unwrap_or_default())
        })?;
        Ok(BuiltCheck {
            check: Arc::new(Native(spec)),
            severity: common.severity,
            rejects: common.rejects,
        })
    }
}

#[derive(Debug)]
struct Native<S>(S);

impl<S: Spec> Check for Native<S> {
    fn bind(&self, schema: &SchemaRef, cx: &BuildContext) -> Result<Arc<dyn BoundCheck>> {
        self.0.bind(schema, cx)
    }
}

/// The place of a column in the rows that come.
pub(crate) fn find(check: &str, name: &str, schema: &Schema) -> Result<usize> {
    schema.index_of(name).map_err(|_| {
        let message = format!("the {check} check names a column that isn't there: {name}");
        Fault::new(code::SCHEMA, message)
            .with("column", name)
            .advise(columns_instead(name, schema))
    })
}

/// A problem at a place in the settings.
pub(crate) fn problem(key: &str, message: impl Into<String>) -> Problem {
    Problem {
        pointer: format!("/{key}"),
        message: message.into(),
        advice: None,
    }
}
