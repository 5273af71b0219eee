use std::fmt;
use std::path::PathBuf;

use hygge_core::{EntityId, Veil};

use crate::secrecy;
use crate::source::At;

/// One thing that is wrong with a project, where it was written and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one line.
    pub message: String,
    /// The way out.
    pub advice: Option<String>,
    /// Where; none when it isn't in any file.
    pub place: Option<Excerpt>,
    /// Other places that have to do with it, and what they are.
    pub related: Vec<(String, Excerpt)>,
    /// A variable isn't set; no problem for flows that don't run.
    pub(crate) unset: bool,
    /// Something isn't there; it may only be misspelt.
    pub(crate) missing: bool,
    /// The entity that the message names.
    about: Option<EntityId>,
}

/// A place in a YAML file, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The file, relative to the project root; `--var` for the command line.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub length: usize,
    /// The line as it was written, without secrets.
    pub text: String,
}

impl Excerpt {
    pub(crate) fn of(at: &At) -> Self {
        let text = secrecy::hide(at.text());
        Self {
            file: at.source.file.clone(),
            line: at.line,
            column: at.column,
            length: at.length,
            text,
        }
    }
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            advice: None,
            place: None,
            related: Vec::new(),
            unset: false,
            missing: false,
            about: None,
        }
    }

    pub(crate) fn at(at: &At, message: impl Into<String>) -> Self {
        Self {
            place: Some(Excerpt::of(at)),
            ..Self::new(message)
        }
    }

    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    #[must_use]
    pub(crate) fn relate(mut self, label: impl Into<String>, at: &At) -> Self {
        self.related.push((label.into(), Excerpt::of(at)));
        self
    }

    #[must_use]
    pub(crate) fn missing(mut self) -> Self {
        self.missing = true;
        self
    }

    /// Hides secrets in the words.
    pub(crate) fn cover(&mut self, veil: &Veil) {
        veil.cover(&mut self.message);
        if let Some(advice) = &mut self.advice {
            veil.cover(advice);
        }
    }

    /// Cuts a secret off, with what follows it, wherever its line is shown.
    pub(crate) fn mask(&mut self, secret: &At) {
        let related = self.related.iter_mut().map(|(_, excerpt)| excerpt);
        for excerpt in self.place.iter_mut().chain(related) {
            if excerpt.file == secret.source.file && excerpt.line == secret.line {
                excerpt.mask(secret);
            }
        }
    }

    /// Says which entity this is about, so that the same of many is told once.
    #[must_use]
    pub(crate) fn about(mut self, id: &EntityId) -> Self {
        self.about = Some(id.clone());
        self
    }

    /// What tells two problems apart: the place and the words, whatever the entity.
    fn key(&self) -> (Option<(&PathBuf, usize, usize)>, String) {
        let place = self.place.as_ref();
        let message = match &self.about {
            Some(id) => self.message.replace(&format!("`{id}`"), "`*`"),
            None => self.message.clone(),
        };
        (place.map(|p| (&p.file, p.line, p.column)), message)
    }
}
/// The form without colours:
///
/// ```text
/// error: `retries` must be a whole number, not "three"
///   --> hygge.yml:4:12
///    |
///  4 |   retries: three
///    |            ^^^^^
///    = help: ...
/// ```
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        let places = || self.place.iter().chain(self.related.iter().map(|(_, e)| e));
        let width = places()
            .map(|p| p.line.to_string().len())
            .max()
            .unwrap_or(0)
            + 1;
        if let Some(place) = &self.place {
            place.draw(f, width, "-->", "")?;
        }
        for (label, place) in &self.related {
            place.draw(f, width, ":::", label)?;
        }
        if let Some(advice) = &self.advice {
            writeln!(f, "{:width$} = help: {advice}", "")?;
        }
        Ok(())
    }
}

impl Excerpt {
    fn mask(&mut self, secret: &At) {
        let value: String = secret
            .text()
            .chars()
            .skip(secret.column - 1)
            .take(secret.length)
            .collect();
        let shown = self.text.trim_end_matches(hygge_core::REDACTED);
        if secrecy::is_reference(&value)
            || shown.chars().count() < secret.column
            || !secret.text().starts_with(shown)
        {
            return;
        }
        self.text = self.text.chars().take(secret.column - 1).collect();
        self.text.push_str(hygge_core::REDACTED);
        if self.column == secret.column {
            self.length = hygge_core::REDACTED.len();
        }
    }

    fn draw(
        &self,
        f: &mut fmt::Formatter<'_>,
        width: usize,
        arrow: &str,
        label: &str,
    ) -> fmt::Result {
        let (file, line, column) = (self.file.display(), self.line, self.column);
        writeln!(f, "{:width$}{arrow} {file}:{line}:{column}", "")?;
        // A tab is as wide in the caret's line as in the one above.
        let before: String = self
            .text
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let rest = self.text.chars().count().saturating_sub(column - 1);
        let carets = "^".repeat(self.length.min(rest).max(1));
        let label = if label.is_empty() {
            String::new()
        } else {
            format!(" {label}")
        };
        writeln!(f, "{:width$} |", "")?;
        writeln!(f, "{line:>width$} | {}", self.text)?;
        writeln!(f, "{:width$} | {before}{carets}{label}", "")
    }
}

/// Everything that is wrong with a project, in order of file and line, each thing once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub(crate) fn sorted(mut self) -> Self {
        self.0.sort_by_cached_key(|problem| {
            let (place, message) = problem.key();
            let place = place.map(|(file, line, column)| (file.clone(), line, column));
            (place, message)
        });
        let mut kept: Vec<Problem> = Vec::new();
        let mut more = 0;
        let close = |last: Option<&mut Problem>, more: usize| {
            if let Some(last) = last.filter(|last| last.about.is_some() && more > 0) {
                let s = if more == 1 { "y" } else { "ies" };
                last.message
                    .push_str(&format!(" (and {more} more entit{s})"));
            }
        };
        for problem in self.0 {
            if kept.last().is_some_and(|last| last.key() == problem.key()) {
                more += 1;
            } else {
                close(kept.last_mut(), more);
                more = 0;
                kept.push(problem);
            }
        }
        close(kept.last_mut(), more);
        Self(kept)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
