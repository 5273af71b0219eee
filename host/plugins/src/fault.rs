//! From what a guest did wrong, or says went wrong, to a fault with its name on it.

use std::borrow::Cow;
use std::time::Duration;

pub(crate) use hygge_component::clean;
use hygge_core::Fault;
use wasmtime::Trap;

use crate::contract::types;
use crate::guest::Guest;
use crate::limits::MESSAGE;
use crate::plugin::Plugin;
use crate::writes::Full;

/// Most attributes of a fault or a log line.
pub(crate) const ATTRIBUTES: usize = 64;

/// Codes of what plugins do wrong.
pub(crate) mod code {
    /// The plugin crashed.
    pub(crate) const TRAP: &str = "plugin.trap";
    /// A call took longer than it may.
    pub(crate) const TIMEOUT: &str = "plugin.timeout";
    /// It wanted more memory than it may have.
    pub(crate) const MEMORY: &str = "plugin.memory";
    /// It wrote more to disk than it may.
    pub(crate) const QUOTA: &str = "plugin.quota";
    /// What it gave isn't what the contract says.
    pub(crate) const INVALID: &str = "plugin.invalid";
    /// The file can't be used as a plugin.
    pub(crate) const LOAD: &str = "plugin.load";
    /// It isn't allowed to.
    pub(crate) const DENIED: &str = "plugin.denied";
}

/// Which plugin it was.
fn named(fault: Fault, plugin: &Plugin) -> Fault {
    plugin.tally.fault();
    fault
        .with("plugin", &plugin.name)
        .with("plugin_version", &plugin.version)
        .with("plugin_digest", &plugin.digest)
}

/// What a guest says went wrong.
pub(crate) fn told(fault: &types::Fault, plugin: &Plugin) -> Fault {
    let code = plugin.veil.line(&fault.code, 64);
    let message = plugin.veil.line(&fault.message, MESSAGE);
    let mut told = Fault::new(
        code::INVALID,
        match message.is_empty() {
            true => format!("{} failed and didn't say why", plugin.name),
            false => format!("{}: {message}", plugin.name),
        },
    );
    if !code.is_empty() {
        told.code = Cow::Owned(code);
    }
    told.retryable = fault.retryable;
    told.retry_after = fault
        .after_ms
        .map(|ms| Duration::from_millis(ms.min(3_600_000)));
    for attribute in fault.attributes.iter().take(ATTRIBUTES) {
        let value = plugin.veil.line(&attribute.value, 1_024);
        match attribute.name.as_str() {
            "advice" => told.advice = Some(value),
            name => told = told.with(&plugin.veil.line(name, 64), value),
        }
    }
    named(told, plugin)
}

/// A guest that gave what it may not give.
pub(crate) fn invalid(plugin: &Plugin, message: impl std::fmt::Display) -> Fault {
    let fault = Fault::new(
        code::INVALID,
        plugin.veil.over(&format!("{} {message}", plugin.name)),
    )
    .advise(format!(
        "this is a defect in {}: its author can mend it",
        plugin.file.display()
    ));
    named(fault, plugin)
}

/// A call that didn't end in time.
pub(crate) fn timeout(plugin: &Plugin, what: &str, time: Duration) -> Fault {
    let fault = Fault::new(
        code::TIMEOUT,
        format!("{} took longer than {time:?} in `{what}`", plugin.name),
    )
    .advise(format!(
        "if it needs that long, give it more: `plugins: {{{}: {{limits: {{call_timeout: …}}}}}}`",
        plugin.key
    ))
    .retryable();
    named(fault, plugin)
}

/// A call that didn't come back.
pub(crate) fn trapped(guest: &Guest, what: &str, time: Duration, error: &wasmtime::Error) -> Fault {
    let plugin = &guest.plugin;
    let name = &plugin.name;
    let trap = error.downcast_ref::<Trap>();
    if matches!(trap, Some(Trap::Interrupt)) {
        return timeout(plugin, what, time);
    }
    if guest.meter.refused {
        let limit = plugin.grants.limits.memory >> 20;
        let fault = Fault::new(
            code::MEMORY,
            format!("{name} wanted more than its {limit} MiB of memory in `{what}`"),
        )
        .advise(format!(
            "if it needs that much, give it more: `plugins: {{{}: {{limits: {{memory: …}}}}}}`",
            plugin.key
        ));
        return named(fault, plugin);
    }
    if error.downcast_ref::<Full>().is_some() {
        let limit = shown(plugin.grants.limits.write);
        let fault = Fault::new(
            code::QUOTA,
            format!("{name} wanted to write more than its {limit} of this run in `{what}`"),
        )
        .advise(format!(
            "if it may write that much, give it more: `plugins: {{{}: {{limits: {{write: …}}}}}}`",
            plugin.key
        ));
        return named(fault, plugin);
    }
    let why = match (guest.log.panic(), trap) {
        (Some(panic), _) => panic,
        (None, Some(trap)) => trap.to_string(),
        (None, None) => clean(&error.root_cause().to_string(), 1_000),
    };
    named(
        Fault::new(code::TRAP, format!("{name} crashed in `{what}`: {why}")),
        plugin,
    )
}

/// A size in the largest unit that shows it in full.
fn shown(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = units
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// A file that can't be used.
pub(crate) fn load(message: impl Into<String>) -> Fault {
    Fault::new(code::LOAD, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_they_are_written() {
        assert_eq!(shown(10 << 30), "10 GiB");
        assert_eq!(shown(1_536 << 10), "1536 KiB");
        assert_eq!(shown(1_000), "1000 bytes");
    }
}
