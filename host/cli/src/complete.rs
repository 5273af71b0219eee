//! What a shell completes: names of flows and entities, of the project that the words before them
//! mean. Where there is none, or it isn't in order, nothing is offered, and nothing said.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::CompletionCandidate;

use crate::args::Global;
use crate::project;
use crate::verb::schema;

/// The flows that a list of names may go on with.
pub(crate) fn flows(current: &OsStr) -> Vec<CompletionCandidate> {
    let plan = project::known(&global());
    let names = plan.into_iter().flat_map(|plan| plan.flows);
    offered(current, names.map(|flow| flow.name))
}

/// The entities that a list of names may go on with.
pub(crate) fn entities(current: &OsStr) -> Vec<CompletionCandidate> {
    let plan = project::known(&global());
    let ids = plan.iter().flat_map(hygge_project::Plan::entities);
    offered(current, ids.map(|entity| entity.id.to_string()))
}

/// The kinds of file that `hygge schema` knows, and the entities.
pub(crate) fn kinds_and_entities(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = offered(current, schema::KINDS.map(str::to_owned).into_iter());
    all.extend(entities(current));
    all
}

/// What names may stand in the place of the last of those written so far.
fn offered(current: &OsStr, names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let begun = current.rfind(',').map_or(0, |comma| comma + 1);
    let (before, begun) = current.split_at(begun);
    let names = names.filter(|name| name.starts_with(begun) && as_it_is(name));
    names
        .map(|name| CompletionCandidate::new(format!("{before}{name}")))
        .collect()
}

/// Whether every shell takes a name as it is. They put what is offered into the command line
/// unquoted, so that a name with a blank would be two, and one with a `;` a command, which whoever
/// wrote the project chose. Who means such a name quotes it by hand.
fn as_it_is(name: &str) -> bool {
    // An option, a home folder (`~`), and in zsh a program (`=`) are told by the first character.
    name.starts_with(|first: char| first.is_alphanumeric() || first == '_')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "_.-+@%:,/=".contains(c))
}

/// `--project`, of the words that are being completed: they stand behind `--`.
fn global() -> Global {
    let mut words = env::args_os().skip_while(|word| word != "--").skip(1);
    let mut project = None;
    while let Some(word) = words.next() {
        if word == "--project" {
            project = words.next().map(PathBuf::from);
        } else if let Some(folder) = word.to_str().and_then(|w| w.strip_prefix("--project=")) {
            project = Some(PathBuf::from(OsString::from(folder)));
        }
    }
    Global {
        project,
        verbose: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_names_is_completed() {
        let offered = |current: &str| -> Vec<String> {
            let names = ["sales.lines", "sales.orders", "stock"].map(str::to_owned);
            let offered = offered(OsStr::new(current), names.into_iter());
            let values = offered.iter().map(|each| each.get_value().to_str());
            values.map(|value| value.unwrap().to_owned()).collect()
        };
        assert_eq!(offered("st"), ["stock"]);
        assert_eq!(offered("stock,sales.o"), ["stock,sales.orders"]);
        assert_eq!(offered("").len(), 3);
        assert!(offered("x").is_empty());
    }

    #[test]
    fn a_name_that_a_shell_takes_apart_is_not_offered() {
        for name in ["crm.orders", "日本.x", "a_b.c-d+e@f%g:h,i/j=k"] {
            assert!(as_it_is(name), "{name}");
        }
        let apart = [
            "crm.zz;touch PWNED #",
            "my flow.x",
            "a.$(b)",
            "a.`b`",
            "a.b&",
            "a.b|c",
            "a.b>c",
            "a.'b",
            "a.\"b",
            "a.b\\c",
            "a.b!c",
            "a.{b,c}",
            "a.b*",
            "a.b?",
            "a.[b]",
            "a.b\nc",
            "-a.b",
            "~a.b",
            "=a.b",
            "#a.b",
            "a.b~",
            "a.b^c",
            "(a).b",
            "",
        ];
        for name in apart {
            assert!(!as_it_is(name), "{name}");
        }
    }
}
