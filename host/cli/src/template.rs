use std::path::Path;

/// A file of the project that `hygge init` writes.
#[derive(Debug)]
pub(crate) struct TemplateFile {
    /// Where, relative to the project.
    pub(crate) path: &'static str,
    bytes: &'static [u8],
}

/// What stands for the project's name in the template's text files.
const NAME: &str = "{{name}}";

macro_rules! files {
    ($($path:literal from $source:literal,)*) => {
        &[$(TemplateFile {
            path: $path,
            bytes: include_bytes!(concat!("../template/", $source)),
        }),*]
    };
}

/// Everything that `hygge init` writes, in the order it is listed.
pub(crate) const FILES: &[TemplateFile] = files![
    "hygge.yml" from "hygge.yml",
    "README.md" from "README.md",
    ".gitignore" from "gitignore",
    "flows/nycflights/flow.yml" from "flows/nycflights/flow.yml",
    "flows/nycflights/entities/airlines.yml" from "flows/nycflights/entities/airlines.yml",
    "flows/nycflights/entities/airports.yml" from "flows/nycflights/entities/airports.yml",
    "flows/nycflights/entities/flights.yml" from "flows/nycflights/entities/flights.yml",
    "flows/nycflights/entities/planes.yml" from "flows/nycflights/entities/planes.yml",
    "flows/nycflights/entities/weather.yml" from "flows/nycflights/entities/weather.yml",
    "data/landing/airlines.csv" from "data/landing/airlines.csv",
    "data/landing/airports.parquet" from "data/landing/airports.parquet",
    "data/landing/flights/2013-01-01.parquet" from "data/landing/flights/2013-01-01.parquet",
    "data/landing/flights/2013-01-16.parquet" from "data/landing/flights/2013-01-16.parquet",
    "data/landing/planes.parquet" from "data/landing/planes.parquet",
    "data/landing/weather.parquet" from "data/landing/weather.parquet",
];

impl TemplateFile {
    /// Writes the file of a project of that name.
    pub(crate) fn write(&self, root: &Path, name: &str) -> std::io::Result<()> {
        let path = root.join(self.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match std::str::from_utf8(self.bytes) {
            Ok(text) if text.contains(NAME) => std::fs::write(path, text.replace(NAME, name)),
            _ => std::fs::write(path, self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_stays_lean() {
        let bytes: usize = FILES.iter().map(|file| file.bytes.len()).sum();
        assert!(bytes < 700_000, "{bytes} bytes");
    }

    #[test]
    fn every_file_of_the_template_is_written() {
        fn walk(folder: &Path, found: &mut Vec<String>, root: &Path) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found, root);
                } else {
                    let inner = path.strip_prefix(root).unwrap();
                    found.push(inner.display().to_string());
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("template");
        let mut there = Vec::new();
        walk(&root, &mut there, &root);
        there.retain(|path| path != "trim.py");
        there.sort();
        let mut written: Vec<String> = FILES
            .iter()
            .map(|file| file.path.replace(".gitignore", "gitignore"))
            .collect();
        written.sort();
        assert_eq!(there, written);
    }
}
