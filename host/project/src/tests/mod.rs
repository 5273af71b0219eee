//! Whole projects in a temporary folder, with connectors that only plan.

mod docs;
mod kinds;
mod merging;
mod plans;
mod roots;
mod schemas;
mod secrets;
mod wrong;

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Load, Plan, Problems, Selection, load};

/// A project to load: files, variables and what the command line says.
#[derive(Default)]
pub(super) struct Project {
    files: Vec<(String, String)>,
    env: BTreeMap<String, String>,
    vars: Vec<String>,
    selection: Selection,
    mode: Option<hygge_core::Mode>,
}

impl Project {
    /// A project of one hygge.yml.
    pub(super) fn of(text: &str) -> Self {
        Self::default().file("hygge.yml", text)
    }

    pub(super) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub(super) fn var(mut self, text: &str) -> Self {
        self.vars.push(text.into());
        self
    }

    pub(super) fn flow(mut self, pattern: &str) -> Self {
        self.selection.flows.push(pattern.into());
        self
    }

    pub(super) fn entity(mut self, pattern: &str) -> Self {
        self.selection.entities.push(pattern.into());
        self
    }

    pub(super) fn mode(mut self, mode: hygge_core::Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    pub(super) fn load(&self) -> Result<Plan, Problems> {
        let folder = tempfile::Builder::new()
            .prefix("project")
            .tempdir()
            .unwrap();
        self.load_in(folder.path())
    }

    pub(super) fn load_in(&self, root: &Path) -> Result<Plan, Problems> {
        for (name, text) in &self.files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let request = Load {
            root,
            env: &|name| self.env.get(name).cloned(),
            vars: &self.vars,
            selection: self.selection.clone(),
            wild: &crate::Wild::new(),
            mode: self.mode,
            today: jiff::civil::date(2026, 11, 22),
        };
        load(&request, &kinds::registry())
    }

    /// The plan of a project that is right.
    #[track_caller]
    pub(super) fn plan(&self) -> Plan {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// What is said about a project that is wrong.
    #[track_caller]
    pub(super) fn wrong(&self) -> String {
        match self.load() {
            Ok(plan) => panic!("this is right: {plan:#?}"),
            Err(problems) => problems.to_string(),
        }
    }
}
