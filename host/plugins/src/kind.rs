//! Plugins as the registry knows them.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hygge_component::Part;
use hygge_core::{
    BuildContext, Capabilities, Fault, Home, HomeKind, HomePlan, Place, Problem, Result, Settings,
    Store, StoreKind, StorePlan, Transform, TransformKind, code,
};
use jsonschema::Validator;
use serde_json::Value;

use crate::home::PluginHome;
use crate::plugin::Plugin;
use crate::schema;
use crate::store::PluginStore;
use crate::transform::PluginTransform;

/// A part of a plugin under the plugin's name.
#[derive(Debug)]
struct Named {
    plugin: Arc<Plugin>,
    part: Part,
    /// What its settings are looked at with: when they are planned, and again before use.
    validator: OnceLock<Result<Validator, String>>,
}

impl Named {
    fn new(plugin: &Arc<Plugin>, part: Option<&Part>) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            part: part.cloned().unwrap_or_default(),
            validator: OnceLock::new(),
        }
    }

    /// Checks the settings against the plugin's own schema, all of it, and what it may do.
    fn check(&self, settings: &Settings) -> Result<(), Vec<Problem>> {
        let whole = |message: String, advice: Option<String>| {
            vec![Problem {
                pointer: String::new(),
                message,
                advice,
            }]
        };
        let name = &self.plugin.name;
        let made = || schema::validator(&self.part.config);
        let validator = self.validator.get_or_init(made).as_ref().map_err(|why| {
            let wrong = format!("the schema of {name}'s settings is wrong: {why}");
            whole(wrong, None)
        })?;
        let problems: Vec<Problem> = validator
            .iter_errors(settings.expose())
            .map(|error| {
                let pointer = error.instance_path().to_string();
                // The words of the error quote the value, which may be secret.
                let secret = settings.secrets().any(|each| each == pointer);
                let message = match secret {
                    true => "this isn't what the plugin's schema says".to_owned(),
                    false => crate::fault::clean(&error.to_string(), 500),
                };
                Problem {
                    pointer,
                    message,
                    advice: None,
                }
            })
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let wanted = &self.plugin.description.grants;
        match self.plugin.grants.missing(wanted, &self.plugin.key) {
            None => Ok(()),
            Some(missing) => Err(whole(
                format!("{name} {}", missing.what()),
                Some(missing.advice()),
            )),
        }
    }

    fn describe(&self, settings: &Settings) -> String {
        let location = self.part.location.as_ref();
        let value = location.and_then(|key| settings.redacted().get(key).cloned());
        match value.as_ref().and_then(Value::as_str) {
            Some(value) => format!("{} {value}", self.plugin.name),
            None => self.plugin.name.clone(),
        }
    }

    /// Where it reads or writes, so that two can't unknowingly share it: below a folder that it is
    /// granted that path, else whatever its setting names, among all that this plugin reaches.
    fn place(&self, settings: &Settings, granted: &[(String, PathBuf)]) -> Option<Place> {
        let named = settings
            .expose()
            .get(self.part.location.as_ref()?)?
            .as_str()?;
        let path = self.plugin.grants.root().join(named);
        let within = granted.iter().any(|(_, folder)| path.starts_with(folder));
        Some(match within {
            true => Place::files(&path),
            false => Place::Named {
                system: format!("plugin {}", self.plugin.name),
                name: named.to_owned(),
            },
        })
    }

    fn config(&self, settings: &Settings) -> Result<String> {
        match self.check(settings) {
            Ok(()) => {
                let secrets = settings.secrets();
                for value in secrets.filter_map(|at| settings.expose().pointer(at)?.as_str()) {
                    self.plugin.veil.hide(value);
                }
                Ok(settings.expose().to_string())
            }
            Err(problems) => {
                let mut fault = Fault::new(code::CONFIG, problems[0].message.clone());
                fault.advice = problems[0].advice.clone();
                Err(fault)
            }
        }
    }
}

/// A type of Home that a plugin brings.
#[derive(Debug)]
pub(crate) struct PluginHomeKind(Named);

impl PluginHomeKind {
    pub(crate) fn new(plugin: &Arc<Plugin>) -> Self {
        Self(Named::new(plugin, plugin.description.home.as_ref()))
    }
}

impl HomeKind for PluginHomeKind {
    fn name(&self) -> &str {
        &self.0.plugin.name
    }

    fn summary(&self) -> &str {
        &self.0.plugin.description.summary
    }

    fn edition(&self) -> Option<String> {
        Some(self.0.plugin.digest.to_string())
    }

    fn schema(&self) -> Value {
        self.0.part.config.clone()
    }

    fn location(&self) -> Option<&str> {
        self.0.part.location.as_deref()
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<HomePlan, Vec<Problem>> {
        self.0.check(settings)?;
        let part = &self.0.part;
        let grants = &self.0.plugin.grants;
        let readable = [&grants.read[..], &grants.write[..]].concat();
        Ok(HomePlan {
            place: self.0.place(settings, &readable),
            describe: self.0.describe(settings),
            operations: part.able("operations"),
            watermarks: part.able("watermarks"),
            files: false,
            changes: false,
            max_open: None,
            splits: None,
            many: false,
        })
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Home>> {
        let config = self.0.config(settings)?;
        Ok(Arc::new(PluginHome::new(
            Arc::clone(&self.0.plugin),
            config,
            cx.entity.as_ref(),
        )))
    }
}

/// A type of Store that a plugin brings.
#[derive(Debug)]
pub(crate) struct PluginStoreKind(Named);

impl PluginStoreKind {
    pub(crate) fn new(plugin: &Arc<Plugin>) -> Self {
        Self(Named::new(plugin, plugin.description.store.as_ref()))
    }
}

impl StoreKind for PluginStoreKind {
    fn name(&self) -> &str {
        &self.0.plugin.name
    }

    fn summary(&self) -> &str {
        &self.0.plugin.description.summary
    }

    fn edition(&self) -> Option<String> {
        Some(self.0.plugin.digest.to_string())
    }

    fn schema(&self) -> Value {
        self.0.part.config.clone()
    }

    fn location(&self) -> Option<&str> {
        self.0.part.location.as_deref()
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<StorePlan, Vec<Problem>> {
        self.0.check(settings)?;
        let part = &self.0.part;
        Ok(StorePlan {
            place: self.0.place(settings, &self.0.plugin.grants.write),
            describe: self.0.describe(settings),
            capabilities: Capabilities {
                append: part.able("append"),
                replace: part.able("replace"),
                upsert: part.able("upsert"),
                operations: part.able("operations"),
                single: part.able("single"),
                encoded: None,
            },
            max_open: None,
            writers: None,
        })
    }

    fn build(&self, settings: &Settings, cx: &BuildContext) -> Result<Arc<dyn Store>> {
        let config = self.0.config(settings)?;
        Ok(Arc::new(PluginStore::new(
            Arc::clone(&self.0.plugin),
            config,
            self.0.describe(settings),
            &cx.work,
        )))
    }
}

/// A type of transform that a plugin brings.
#[derive(Debug)]
pub(crate) struct PluginTransformKind(Named);

impl PluginTransformKind {
    pub(crate) fn new(plugin: &Arc<Plugin>) -> Self {
        Self(Named::new(plugin, plugin.description.transform.as_ref()))
    }
}

impl TransformKind for PluginTransformKind {
    fn name(&self) -> &str {
        &self.0.plugin.name
    }

    fn summary(&self) -> &str {
        &self.0.plugin.description.summary
    }

    fn edition(&self) -> Option<String> {
        Some(self.0.plugin.digest.to_string())
    }

    fn schema(&self) -> Value {
        self.0.part.config.clone()
    }

    fn plan(&self, settings: &Settings, _: &BuildContext) -> Result<String, Vec<Problem>> {
        self.0.check(settings)?;
        Ok(self.0.describe(settings))
    }

    fn build(&self, settings: &Settings, _: &BuildContext) -> Result<Arc<dyn Transform>> {
        let config = self.0.config(settings)?;
        Ok(Arc::new(PluginTransform::new(
            Arc::clone(&self.0.plugin),
            config,
        )))
    }
}
