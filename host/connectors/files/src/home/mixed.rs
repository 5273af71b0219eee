//! Values of NDJSON that no type holds together, and which files they are in.

use hygge_core::{Fault, code};

use super::read::ndjson::{Keys, Mixed, Shape};

/// The fault for a column of several types, with the files that tell them apart.
pub(crate) fn fault(name: &str, shape: &Shape, mixed: &Mixed, files: &[(&str, &Keys)]) -> Fault {
    let Mixed { path, what } = mixed;
    let files = whose(name, files).join(" and ");
    let fault = Fault::new(
        code::SCHEMA,
        format!("{files}: column {path:?} holds {what}"),
    )
    .with("column", name);
    match shape.is_plain() {
        true => fault.advise(format!(
            "declare the column, for example `schema: {{{name}: string}}`"
        )),
        false => fault.advise("no type holds both: write them in one form, or as two columns"),
    }
}

/// The file that has both, or the first two of which one has the one and one the other.
fn whose<'a>(name: &str, files: &[(&'a str, &Keys)]) -> Vec<&'a str> {
    let mixed = |all: &Keys| {
        let found = all.shapes.iter().find(|(key, _)| key == name);
        found.is_some_and(|(_, shape)| shape.data_type(name).is_err())
    };
    let mut so_far = Keys::default();
    for (index, (file, keys)) in files.iter().enumerate() {
        if mixed(keys) {
            return vec![file];
        }
        so_far.join((*keys).clone());
        if mixed(&so_far) {
            let other = files[..index].iter().find(|(_, earlier)| {
                let mut both = (*earlier).clone();
                both.join((*keys).clone());
                mixed(&both)
            });
            return other
                .map(|(other, _)| *other)
                .into_iter()
                .chain([*file])
                .collect();
        }
    }
    // What a single row shows is in a file.
    files.iter().map(|(file, _)| *file).take(1).collect()
}
