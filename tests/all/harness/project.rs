use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Command, Content, Orders};

/// A project in a folder that goes away with it.
pub(crate) struct Project {
    folder: TempDir,
    root: PathBuf,
}

impl Project {
    /// A folder with a `hygge.yml` that has only a name.
    pub(crate) fn new() -> Self {
        let project = Self::bare();
        project.write("hygge.yml", "name: test\n");
        project
    }

    /// An empty folder.
    pub(crate) fn bare() -> Self {
        let folder = TempDir::with_prefix("hygge-test-").unwrap();
        let root = folder.path().canonicalize().unwrap();
        Self { folder, root }
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file, and the folders it stands in.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Writes `flows/NAME/flow.yml`.
    pub(crate) fn flow(&self, name: &str, yaml: &str) -> &Self {
        self.write(&format!("flows/{name}/flow.yml"), yaml)
    }

    /// Writes orders as a Parquet file.
    pub(crate) fn orders(&self, path: &str, orders: &Orders) -> &Self {
        self.write(path, orders.parquet())
    }

    /// Copies a file of `tests/fixtures`.
    pub(crate) fn fixture(&self, name: &str, path: &str) -> &Self {
        self.write(path, fs::read(fixture(name)).unwrap())
    }

    /// Everything below it, with relative paths, sorted; folders end in `/`.
    pub(crate) fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.root, &mut |path, is_folder| {
            let relative = path.strip_prefix(&self.root).unwrap().to_str().unwrap();
            found.push(format!("{relative}{}", if is_folder { "/" } else { "" }));
        });
        found.sort();
        found
    }

    /// The program on this project, with arguments separated by spaces.
    pub(crate) fn hygge(&self, arguments: &str) -> Command {
        Command::new(&self.root, arguments.split_whitespace())
    }

    /// Count and content hash of the Parquet files at a path.
    pub(crate) fn content(&self, path: &str) -> Content {
        Content::of(&self.path(path)).unwrap()
    }

    /// Keeps the folder for looking at by hand; for use while a test is being mended.
    #[expect(dead_code, reason = "called while a test is being mended")]
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// Where a fixture stands.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// Calls `each` with every file and folder below `folder`.
pub(crate) fn walk(folder: &Path, each: &mut impl FnMut(&Path, bool)) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let is_folder = entry.file_type().unwrap().is_dir();
        each(&entry.path(), is_folder);
        if is_folder {
            walk(&entry.path(), each);
        }
    }
}
