//! What a file says of itself, without running any of it.

use wasmparser::{BinaryReaderError, Encoding, Parser, Payload, Validator, WasmFeatures};

use crate::FILE;
use crate::SERVED;
use crate::describe::Description;
use crate::line::clean;

/// The custom section with the description.
pub(crate) const SECTION: &str = "hygge:describe";

/// What stands in a component's binary.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// The description, when the file is sealed.
    pub description: Option<Description>,
    /// The section as it stands.
    pub sealed: Option<Vec<u8>>,
    /// The version of the contract it was built for.
    pub contract: String,
    /// Whether it exports each of the interfaces.
    pub home: bool,
    /// As `home`.
    pub store: bool,
    /// As `home`.
    pub transform: bool,
    /// Everything it imports, by name.
    pub imports: Vec<String>,
}

/// Reads a component, or says in one line why it can't be a plugin.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, String> {
    if bytes.len() as u64 > FILE {
        return Err(format!("it is larger than {} MiB", FILE >> 20));
    }
    let found = scan(bytes)?;
    let mut versions: Vec<&str> = Vec::new();
    let exports = |interface: &str| {
        found
            .exports
            .iter()
            .any(|name| parts(name).is_some_and(|(each, _)| each == interface))
    };
    for name in found.exports.iter().chain(&found.imports) {
        if let Some((_, version)) = parts(name)
            && !versions.contains(&version)
        {
            versions.push(version);
        }
    }
    let served = SERVED.join(", ");
    let [contract] = versions[..] else {
        return Err(match versions.len() {
            0 => "it exports nothing of hygge:plugin, so it isn't a plugin".to_owned(),
            _ => format!(
                "it mixes versions of the contract: {}",
                clean(&versions.join(", "), 200)
            ),
        });
    };
    if !SERVED.contains(&line(contract)) {
        return Err(format!(
            "it was built for version {} of the plugin contract, this hygge serves {served}",
            clean(contract, 40)
        ));
    }
    if !exports("describe") {
        return Err("it doesn't export hygge:plugin/describe".to_owned());
    }
    let [home, store, transform] = ["home", "store", "transform"].map(exports);
    if !(home || store || transform) {
        return Err("it exports neither a home nor a store nor a transform".to_owned());
    }
    let sealed = found.section()?;
    let description = sealed.as_deref().map(Description::read).transpose()?;
    if let Some(description) = &description {
        for (what, says, does) in [
            ("home", description.home.is_some(), home),
            ("store", description.store.is_some(), store),
            ("transform", description.transform.is_some(), transform),
        ] {
            match (says, does) {
                (true, false) => return Err(format!("it describes a {what}, but exports none")),
                (false, true) => return Err(format!("it exports a {what}, but describes none")),
                _ => {}
            }
        }
    }
    Ok(Inspected {
        description,
        sealed,
        contract: contract.to_owned(),
        home,
        store,
        transform,
        imports: found.imports,
    })
}

/// The interface and version in `hygge:plugin/home@0.1.0`.
fn parts(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("hygge:plugin/")?.split_once('@')
}

/// The part of a version within which everything stays compatible: `0.1` of `0.1.3`.
fn line(version: &str) -> &str {
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    let end = version
        .match_indices('.')
        .nth(parts - 1)
        .map_or(version.len(), |(at, _)| at);
    &version[..end]
}

/// Looks at every byte of a component: whether it is WebAssembly throughout. Compiling does that
/// again; this says so to whoever adds a file, before anything uses it.
pub fn validate(bytes: &[u8]) -> Result<(), String> {
    // What an engine can do is its own affair.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(bytes).map(drop).map_err(broken)
}

#[expect(clippy::needless_pass_by_value, reason = "taken as `map_err` gives it")]
fn broken(error: BinaryReaderError) -> String {
    format!("it is damaged: {}", clean(error.message(), 300))
}

#[derive(Default)]
struct Found {
    exports: Vec<String>,
    imports: Vec<String>,
    top: Vec<Vec<u8>>,
    nested: Vec<Vec<u8>>,
}

impl Found {
    /// The component's own section wins; else exactly one of the modules in it may have one.
    fn section(&self) -> Result<Option<Vec<u8>>, String> {
        match (&self.top[..], &self.nested[..]) {
            ([one], _) | ([], [one]) => Ok(Some(one.clone())),
            ([], []) => Ok(None),
            ([], _) => Err(format!("several of its modules have a section {SECTION}")),
            _ => Err(format!("it has several sections {SECTION}")),
        }
    }
}

fn scan(bytes: &[u8]) -> Result<Found, String> {
    if !bytes.starts_with(b"\0asm") {
        return Err("it is damaged: it doesn't begin as WebAssembly does".to_owned());
    }
    let mut found = Found::default();
    // What each of the nested things is, the component itself first.
    let mut within: Vec<Encoding> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(broken)? {
            Payload::Version { encoding, .. } => {
                if within.is_empty() && encoding == Encoding::Module {
                    return Err(
                        "it is a core module, not a component; a plugin is built for \
                                wasm32-wasip2 or encoded with wasm-tools"
                            .to_owned(),
                    );
                }
                within.push(encoding);
            }
            Payload::End(_) => drop(within.pop()),
            Payload::ComponentImportSection(section) if within.len() == 1 => {
                for import in section {
                    found
                        .imports
                        .push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if within.len() == 1 => {
                for export in section {
                    found
                        .exports
                        .push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                match (within.len(), within.last()) {
                    (1, _) => found.top.push(section.data().to_vec()),
                    (_, Some(Encoding::Module)) => found.nested.push(section.data().to_vec()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compatible_within_a_line() {
        assert_eq!(line("0.1.0"), "0.1");
        assert_eq!(line("0.12.3-rc1"), "0.12");
        assert_eq!(line("1.4.2"), "1");
        assert_eq!(line("0.1"), "0.1");
    }

    #[test]
    fn what_only_begins_well_is_told() {
        let empty = b"\0asm\x0d\0\x01\0";
        assert_eq!(validate(empty), Ok(()));
        // A core module in it, with a function type and no end of it.
        let cut = [&empty[..], b"\x01\x0b\0asm\x01\0\0\0\x01\x01\x05"].concat();
        let why = validate(&cut).unwrap_err();
        assert!(why.starts_with("it is damaged: "), "{why}");
    }

    #[test]
    fn what_is_no_component_is_told_in_a_line() {
        assert!(inspect(b"").unwrap_err().starts_with("it is damaged"));
        assert!(
            inspect(b"PK\x03\x04zip")
                .unwrap_err()
                .starts_with("it is damaged")
        );
        let module = inspect(b"\0asm\x01\0\0\0").unwrap_err();
        assert!(module.starts_with("it is a core module"), "{module}");
        let empty = inspect(b"\0asm\x0d\0\x01\0").unwrap_err();
        assert!(
            empty.starts_with("it exports nothing of hygge:plugin"),
            "{empty}"
        );
    }
}
