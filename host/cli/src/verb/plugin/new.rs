use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::tried::Part;
use crate::args::Global;
use crate::complaint::{Complaint, Exit};
use crate::console::Console;
use crate::verb::Ended;

const EXAMPLES: &str = "\
Examples:
  hygge plugin new --kind home crm                A home, as crate in the folder crm
  hygge plugin new --kind transform upper
  hygge plugin new --kind store archive --sdk ~/src/hygge/sdk/rust

The crate works as it is: README.md in it says how to build, test and use it. It needs the source of
hygge for the SDK, which is found when hygge was built on this machine.";

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Rust, with the SDK of this hygge
    Rust,
}

/// Begin a plugin: a crate that builds, has a test and can be added
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct NewArgs {
    /// What it is called, also in `type:`; a folder of that name is made
    name: String,
    /// What it will be
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Part,
    /// The language it is written in
    #[arg(long, value_enum, default_value_t = Language::Rust, value_name = "LANG")]
    lang: Language,
    /// The folder of the SDK [default: sdk/rust in the source of this hygge]
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// A kind of plugin: its code, and how it is tried and used.
struct Template {
    kind: &'static str,
    code: &'static str,
    summary: &'static str,
    tests_with: &'static str,
    try_it: &'static str,
    used: &'static str,
}

const HOME: Template = Template {
    kind: "home",
    code: include_str!("../../../plugin-template/home.rs"),
    summary: "Gives rows that greet",
    tests_with: "",
    try_it: "\
hygge plugin run {{built}} --config rows=3
hygge plugin test {{built}}",
    used: "home: {type: {{name}}, rows: 1000}
store: {type: parquet, path: lake/{{name}}}",
};

const TRANSFORM: Template = Template {
    kind: "transform",
    code: include_str!("../../../plugin-template/transform.rs"),
    summary: "Makes a text upper case",
    tests_with: "",
    try_it: "hygge plugin test {{built}} --config column=text",
    used: "home: {type: parquet, path: data}
transforms: [{type: {{name}}, column: city}]
store: {type: parquet, path: lake/{{name}}}",
};

const STORE: Template = Template {
    kind: "store",
    code: include_str!("../../../plugin-template/store.rs"),
    summary: "Writes Arrow files into a granted folder",
    tests_with: "tempfile = \"3\"\n",
    try_it: "hygge plugin test {{built}} --config path=out/table --grant-write out",
    used: "home: {type: parquet, path: data}
store: {type: {{name}}, path: out/{{name}}}   # needs `plugins: {{{name}}: {write: [out]}}` in hygge.yml",
};

const CARGO: &str = include_str!("../../../plugin-template/Cargo.toml.in");
const README: &str = include_str!("../../../plugin-template/README.md");
const IGNORED: &str = include_str!("../../../plugin-template/gitignore");

pub(super) fn run(args: &NewArgs, _: &Global, console: &Console) -> Ended {
    let Language::Rust = args.lang;
    let name = &args.name;
    check(name)?;
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Complaint::usage(format!("{name} is there already"))
            .advise("choose another name, or go elsewhere"));
    }
    let sdk = sdk(args.sdk.as_deref())?;
    let template = match args.kind {
        Part::Home => HOME,
        Part::Store => STORE,
        Part::Transform => TRANSFORM,
    };
    let built = format!("target/wasm32-wasip2/debug/{}.wasm", name.replace('-', "_"));
    let fill = |text: &str| {
        text.replace("{{try}}", template.try_it)
            .replace("{{use}}", template.used)
            .replace(
                "{{dev-dependencies}}\n",
                &format!("{}\n", template.tests_with),
            )
            .replace("{{name}}", name)
            .replace("{{kind}}", template.kind)
            .replace("{{summary}}", template.summary)
            .replace("{{built}}", &built)
            .replace("{{sdk}}", &sdk.display().to_string())
    };
    let files = [
        ("Cargo.toml", fill(CARGO)),
        ("README.md", fill(README)),
        (".gitignore", fill(IGNORED)),
        ("src/lib.rs", fill(template.code)),
    ];
    let written = write(folder, &files).and_then(|()| {
        // The versions that the SDK is tested with; without them cargo takes the newest.
        let tested = sdk.join("../../Cargo.lock");
        match tested.is_file() {
            true => std::fs::copy(tested, folder.join("Cargo.lock")).map(|_| ()),
            false => Ok(()),
        }
    });
    written.map_err(|error| Complaint::failed(format!("can't write {name}: {error}")))?;
    console.out(&format!(
        "{name} is there: a {} in Rust. Next:\n  cd {name}\n  cargo build --target wasm32-wasip2\n{}\n\
         README.md in it says more.\n",
        template.kind,
        fill(template.try_it)
            .lines()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    ));
    Ok(Exit::Well)
}

fn write(folder: &Path, files: &[(&str, String)]) -> std::io::Result<()> {
    for (path, text) in files {
        let path = folder.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// The name is that of a crate, and stands in `type:`.
fn check(name: &str) -> Result<(), Complaint> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    let taken = [
        "test",
        "core",
        "std",
        "alloc",
        "self",
        "super",
        "crate",
        "hygge-sdk",
        "serde",
    ];
    let built_in = crate::registry::registry();
    let known = built_in.home(name).is_some() || built_in.store(name).is_some();
    match fits && !taken.contains(&name) && !known {
        true => Ok(()),
        false if known => Err(Complaint::usage(format!("hygge has a type {name} itself"))
            .advise("choose another name: the two could not be told apart in a flow")),
        false => Err(
            Complaint::usage(format!("{name:?} can't be the name of a plugin")).advise(
                "choose one of lower-case letters, digits and `-`, beginning with a letter: crm",
            ),
        ),
    }
}

/// The folder of the SDK: the one that is named, or that of the source this hygge was built from.
fn sdk(named: Option<&Path>) -> Result<PathBuf, Complaint> {
    let is_one = |folder: &Path| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|text| text.contains("name = \"hygge-sdk\""))
    };
    let whole = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if let Some(folder) = named {
        return match is_one(folder) {
            true => Ok(whole(folder)),
            false => Err(
                Complaint::usage(format!("there is no SDK in {}", folder.display()))
                    .advise("name the folder sdk/rust of the source of hygge"),
            ),
        };
    }
    let here = std::env::current_dir().unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = [here.as_path(), &program, source];
    let above = all.iter().flat_map(|path| path.ancestors());
    above
        .map(|folder| folder.join("sdk/rust"))
        .find(|folder| is_one(folder))
        .map(|folder| whole(&folder))
        .ok_or_else(|| {
            Complaint::usage("the SDK isn't found: it isn't on crates.io yet")
                .advise("clone the source of hygge, and name its folder: --sdk PATH/sdk/rust")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_be_no_crate_or_type_are_refused() {
        assert!(check("my-crm").is_ok());
        for bad in ["", "Crm", "2crm", "crm!", "test", "parquet", "a/b", ".."] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
