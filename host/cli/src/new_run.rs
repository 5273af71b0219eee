use std::hash::{BuildHasher, RandomState};

use hygge_core::{RunId, quoted};
use hygge_state::Holder;

/// An id for a run that begins now.
pub(crate) fn id(began: jiff::Timestamp) -> RunId {
    // The standard library's hash keys are random for each process and differ within it; ids
    // tell apart runs of one millisecond, they keep no secret.
    RunId::new(began, RandomState::new().hash_one(std::process::id()))
}

/// This machine's name.
pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "this machine".to_owned())
}

/// This process, at work on behalf of that run.
pub(crate) fn holder(run: &RunId) -> Holder {
    Holder {
        run: run.clone(),
        pid: std::process::id(),
        host: host(),
        since: jiff::Timestamp::now(),
    }
}

/// The command line for the history: the values of `--var` may be secrets and are left out.
pub(crate) fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut hide = false;
    for argument in arguments {
        let shown = if std::mem::take(&mut hide) {
            redacted(&argument)
        } else if let Some(var) = argument.strip_prefix("--var=") {
            format!("--var={}", redacted(var))
        } else {
            hide = argument == "--var";
            argument
        };
        parts.push(quoted(&shown));
    }
    parts.join(" ")
}

fn redacted(var: &str) -> String {
    let name = var.split_once('=').map_or(var, |(name, _)| name);
    format!("{name}={}", hygge_core::REDACTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_vars_are_left_out() {
        let line = |arguments: &[&str]| command(arguments.iter().map(|a| (*a).to_owned()));
        assert_eq!(
            line(&["start", "--var", "flow.a.store.password=hunter2", "--full"]),
            "start --var flow.a.store.password=*** --full"
        );
        assert_eq!(line(&["go", "--var=flow.a.b=x y"]), "go --var=flow.a.b=***");
        assert_eq!(
            line(&["start", "--entity", "a b.*"]),
            "start --entity 'a b.*'"
        );
        assert_eq!(line(&["start", "--var", "oops"]), "start --var oops=***");
    }

    #[test]
    fn ids_differ() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        assert_ne!(id(now), id(now));
    }
}
