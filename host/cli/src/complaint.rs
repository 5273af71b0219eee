use std::process::ExitCode;

use hygge_core::{Fault, code};
use hygge_project::{Problem, Problems};
use serde_json::{Map, Value, json};

use crate::console::Paint;
use crate::run_log::stamped;

/// How the program ends; the table is in docs/cli.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All well.
    Well,
    /// A flow failed, or `debug` found something wrong.
    Failed,
    /// The command line or the configuration is wrong; nothing was moved.
    Usage,
    /// A person or the system stopped the run.
    Interrupted,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a verb can't do what was asked: what is wrong, and the way out.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) exit: Exit,
    /// One line, or several when the problems of a whole project are shown.
    pub(crate) message: String,
    pub(crate) advice: Option<String>,
    /// What is wrong with the project's files, when that is it: then the message is theirs, and
    /// needs no head.
    problems: Vec<Problem>,
    /// The file and line that a fault names.
    place: (Option<String>, Option<u64>),
}

impl Complaint {
    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
            advice: None,
            problems: Vec::new(),
            place: (None, None),
        }
    }

    /// Something didn't work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            message: message.into(),
            advice: None,
            problems: Vec::new(),
            place: (None, None),
        }
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// All of it in one line, for a warning.
    pub(crate) fn line_of_text(&self) -> String {
        match &self.advice {
            Some(advice) => format!("{}; {advice}", self.message),
            None => self.message.clone(),
        }
    }

    pub(crate) fn show(&self, paint: &Paint) -> String {
        let message = self.message.trim_end();
        let mut text = match self.problems.as_slice() {
            [] => format!("{} {message}\n", paint.bad("error:")),
            _ => format!("{message}\n"),
        };
        if let Some(advice) = &self.advice {
            text.push_str(&format!("{} {advice}\n", paint.strong("next:")));
        }
        text
    }
}

impl Complaint {
    /// The same for programs: one line of JSON, of an event `error`.
    pub(crate) fn line(&self, now: jiff::Timestamp) -> String {
        let problems = match self.problems.as_slice() {
            [] => vec![json!({
                "message": self.message, "advice": self.advice,
                "file": self.place.0, "line": self.place.1, "column": null,
            })],
            problems => problems.iter().map(told).collect(),
        };
        let mut fields = Map::new();
        fields.insert("event".into(), "error".into());
        fields.insert("exit".into(), self.exit.number().into());
        fields.insert("problems".into(), problems.into());
        stamped(fields, now)
    }
}

fn told(problem: &Problem) -> Value {
    let place = problem.place.as_ref();
    json!({
        "message": problem.message,
        "advice": problem.advice,
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

/// The project's files are wrong. Their message is whole: it has heads and advice of its own.
impl From<Problems> for Complaint {
    fn from(problems: Problems) -> Self {
        let message = problems.to_string();
        Self {
            problems: problems.0,
            ..Self::usage(message)
        }
    }
}

impl From<Fault> for Complaint {
    fn from(fault: Fault) -> Self {
        let place = (
            fault.attribute("file").map(str::to_owned),
            fault.attribute("line").and_then(|line| line.parse().ok()),
        );
        Self {
            place,
            exit: if fault.code == code::CONFIG {
                Exit::Usage
            } else {
                Exit::Failed
            },
            message: fault.message,
            advice: fault.advice,
            problems: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_on_a_line_of_its_own() {
        let fault = Fault::new(code::LOCKED, "nyc.flights is held by run x").advise("wait for it");
        let complaint = Complaint::from(fault);
        assert_eq!(complaint.exit, Exit::Failed);
        assert_eq!(
            complaint.show(&Paint::plain()),
            "error: nyc.flights is held by run x\nnext: wait for it\n"
        );
    }
}
