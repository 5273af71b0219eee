//! Which files a path stands for.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::{GlobBuilder, GlobMatcher};
use hygge_core::{Fault, Result, code};

use crate::config::Format;

/// A file as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// Its name for people and for plain data: relative to the project's root if it is below.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds from 1970 to its last change.
    pub modified: i64,
}

/// What a listing found.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The files, sorted by path.
    pub files: Vec<Listed>,
    /// Their format.
    pub format: Format,
    /// How many other files stood in the folder and were passed over.
    pub ignored: usize,
    /// One of those.
    pub ignored_example: Option<String>,
}

/// Whether a path is a glob.
pub(crate) fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// How a file is named towards people.
pub(crate) fn display_name(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

/// Lists the files of `path`, which is relative to `root` or absolute.
pub(crate) fn list(root: &Path, path: &str, format: Option<Format>) -> Result<Listing> {
    let listing = find(root, path, format)?;
    // A split says its files by name: one that is no text would not be found again.
    let is_text = |file: &&Listed| root.join(&file.name) == file.path;
    match listing.files.iter().find(|file| !is_text(file)) {
        Some(Listed { name, .. }) => Err(Fault::new(
            code::SOURCE_INVALID,
            format!("the name of {name} isn't UTF-8"),
        )
        .with("file", name)
        .advise("give the file, and the folders it is in, names that are text")),
        None => Ok(listing),
    }
}

fn find(root: &Path, path: &str, format: Option<Format>) -> Result<Listing> {
    let whole = root.join(path);
    match fs::metadata(&whole) {
        Ok(found) if found.is_dir() => folder(root, &whole, path, format),
        Ok(_) => file(root, &whole, path, format),
        Err(error) if error.kind() == ErrorKind::NotFound && is_glob(path) => {
            glob(root, &whole, path, format)
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(
                Fault::new(code::SOURCE_MISSING, format!("{path} doesn't exist"))
                    .with("path", path)
                    .advise(missing_advice(&whole, root)),
            )
        }
        Err(error) => Err(Fault::io(
            code::SOURCE_IO,
            "can't read",
            Path::new(path),
            &error,
        )),
    }
}

/// A file that was meant, perhaps, or the nearest folder that does exist.
fn missing_advice(whole: &Path, root: &Path) -> String {
    if let Some(file) = same_stem(whole) {
        let folder = display_name(whole.parent().unwrap_or(root), root);
        let folder = match folder.is_empty() {
            true => folder,
            false => format!("{folder}/"),
        };
        let ending = file.extension().unwrap_or_default().to_string_lossy();
        let file = display_name(&file, root);
        return format!("{file} is there: write `{file}`, or `{folder}{{entity}}.{ending}`");
    }
    let nearest = whole.ancestors().skip(1).find(|p| p.is_dir());
    match nearest {
        Some(folder) if folder != Path::new("/") && folder != root => format!(
            "check `path`; {} exists, and relative paths start at the project's root",
            display_name(folder, root)
        ),
        _ => "check `path`; relative paths start at the project's root".into(),
    }
}

/// A file beside a path that has its name, and an ending that hygge reads.
fn same_stem(whole: &Path) -> Option<PathBuf> {
    let name = whole.file_name()?;
    let beside = fs::read_dir(whole.parent()?).ok()?;
    let paths = beside.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.file_stem() == Some(name) && Format::of(path).is_some())
        .min()
}

fn file(root: &Path, whole: &Path, path: &str, format: Option<Format>) -> Result<Listing> {
    let Some(format) = format.or_else(|| Format::of(whole)) else {
        return Err(unknown_format(path));
    };
    let listed = stat(whole, root)?.ok_or_else(|| {
        Fault::new(code::SOURCE_MISSING, format!("{path} doesn't exist")).with("path", path)
    })?;
    Ok(Listing {
        files: vec![listed],
        format,
        ignored: 0,
        ignored_example: None,
    })
}

fn unknown_format(path: &str) -> Fault {
    Fault::new(
        code::CONFIG,
        format!("the name {path} doesn't say which format it has"),
    )
    .advise("add `format: parquet`, csv, ndjson or arrow")
}

fn folder(root: &Path, whole: &Path, path: &str, format: Option<Format>) -> Result<Listing> {
    let mut files = Vec::new();
    let mut ignored = 0;
    let mut ignored_example: Option<String> = None;
    let mut found: Option<(Format, String)> = None;
    let mut each = |entry: &Path| -> Result<()> {
        let Some(listed) = stat(entry, root)? else {
            return Ok(());
        };
        let own = Format::of(entry);
        if own.is_none() || format.is_some_and(|format| own != Some(format)) {
            ignored += 1;
            // The first by name, so that the message is the same every time.
            match &mut ignored_example {
                Some(first) if *first <= listed.name => {}
                other => *other = Some(listed.name),
            }
            return Ok(());
        }
        if let (None, Some(own)) = (format, own) {
            match &found {
                Some((first, name)) if *first != own => {
                    return Err(Fault::new(
                        code::CONFIG,
                        format!(
                            "{path} holds files of several formats: {name} and {}",
                            listed.name
                        ),
                    )
                    .advise(format!("say which with `format: {first}`, or use a glob")));
                }
                Some(_) => {}
                None => found = Some((own, listed.name.clone())),
            }
        }
        files.push(listed);
        Ok(())
    };
    walk(whole, root, &mut each)?;
    sort(&mut files);
    let format = format.or(found.map(|(format, _)| format));
    let (Some(format), false) = (format, files.is_empty()) else {
        let what = format.map_or("data".into(), |f| f.to_string());
        let fault = Fault::new(code::SOURCE_MISSING, format!("no {what} files in {path}"))
            .with("path", path);
        return Err(match ignored_example {
            Some(other) => fault.advise(format!(
                "it holds other files, such as {other}; use a glob (`path: {}/*`) to take \
                 files whatever their names end with",
                path.trim_end_matches('/')
            )),
            None => fault.advise(EMPTY),
        });
    };
    Ok(Listing {
        files,
        format,
        ignored,
        ignored_example,
    })
}

const EMPTY: &str = "if a source without files is fine, add `allow_empty: true`";

fn glob(root: &Path, whole: &Path, path: &str, format: Option<Format>) -> Result<Listing> {
    let matcher = matcher(path).map_err(|why| {
        Fault::new(code::CONFIG, format!("{path} is not a valid glob: {why}"))
            .advise("* matches within a name, ** any number of folders, {a,b} either")
    })?;
    let base = base(root, path);
    // Only what is below the root is the glob's: the root may hold brackets that are no wildcards.
    let above = match path.starts_with('/') {
        true => 0,
        false => root.join("").as_os_str().len(),
    };
    let given = |entry: &Path| -> PathBuf {
        let bytes = entry.as_os_str().as_bytes().get(above..);
        OsStr::from_bytes(bytes.unwrap_or_default()).into()
    };
    let deep = |entry: &Path| {
        path.contains("**") || entry.components().count() < whole.components().count()
    };
    let mut files = Vec::new();
    let mut each = |entry: &Path| -> Result<()> {
        // A link to nothing may have been to a folder with files that match.
        let lost_folder = || deep(entry) && entry.is_symlink() && !entry.exists();
        if (matcher.is_match(given(entry)) || lost_folder())
            && let Some(listed) = stat(entry, root)?
        {
            files.push(listed);
        }
        Ok(())
    };
    if base.is_dir() {
        walk(&base, root, &mut each)?;
    }
    sort(&mut files);
    if files.is_empty() {
        return Err(
            Fault::new(code::SOURCE_MISSING, format!("no files match {path}"))
                .with("path", path)
                .advise(EMPTY),
        );
    }
    let format = match format {
        Some(format) => format,
        None => one_format(&files)?,
    };
    Ok(Listing {
        files,
        format,
        ignored: 0,
        ignored_example: None,
    })
}

/// Sorts by the bytes of the whole path, which no locale changes.
fn sort(files: &mut [Listed]) {
    files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
}

fn one_format(files: &[Listed]) -> Result<Format> {
    let mut found: Option<(Format, &Listed)> = None;
    for file in files {
        let own = Format::of(&file.path).ok_or_else(|| unknown_format(&file.name))?;
        match found {
            Some((first, other)) if first != own => {
                return Err(Fault::new(
                    code::CONFIG,
                    format!(
                        "files of several formats match: {} and {}",
                        other.name, file.name
                    ),
                )
                .advise("make the glob narrower, such as `*.parquet`"));
            }
            Some(_) => {}
            None => found = Some((own, file)),
        }
    }
    found
        .map(|(format, _)| format)
        .ok_or_else(|| Fault::internal("a glob without files has no format"))
}

/// The glob of a path, or what is wrong with it.
pub(crate) fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

/// The folder above the first wildcard of a glob, which is relative to `root` or absolute.
pub(crate) fn base(root: &Path, glob: &str) -> PathBuf {
    let wild = glob.find(['*', '?', '[', '{']).unwrap_or(glob.len());
    match glob[..wild].rfind('/') {
        Some(0) => PathBuf::from("/"),
        Some(cut) => root.join(&glob[..cut]),
        None => root.to_owned(),
    }
}

/// Folders deeper than this are a loop of links, or a mistake.
const DEEPEST: usize = 64;

/// Visits every file below a folder, in no order. Names that begin with a dot or an
/// underscore are markers and leftovers of other tools (`_SUCCESS`, `_temporary`), not data.
fn walk(folder: &Path, root: &Path, each: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    fn below(
        folder: &Path,
        root: &Path,
        depth: usize,
        each: &mut dyn FnMut(&Path) -> Result<()>,
    ) -> Result<()> {
        let name = || display_name(folder, root);
        if depth > DEEPEST {
            return Err(Fault::new(
                code::SOURCE_INVALID,
                format!("{} is nested too deeply", name()),
            )
            .advise("is there a link that points to a folder above itself?"));
        }
        let failed = |error: &std::io::Error| {
            Fault::io(code::SOURCE_IO, "can't list", Path::new(&name()), error)
        };
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(|e| failed(&e))? {
            let entry = entry.map_err(|e| failed(&e))?;
            if !is_hidden(&entry.file_name()) {
                let kind = entry.file_type().map_err(|e| failed(&e))?;
                entries.push((entry.path(), kind));
            }
        }
        for (path, kind) in entries {
            let is_dir = if kind.is_symlink() {
                path.is_dir()
            } else {
                kind.is_dir()
            };
            if is_dir {
                below(&path, root, depth + 1, each)?;
            } else {
                each(&path)?;
            }
        }
        Ok(())
    }
    below(folder, root, 0, each)
}

fn is_hidden(name: &OsStr) -> bool {
    matches!(name.as_bytes().first(), Some(b'.' | b'_'))
}

/// Size and time of a file; `None` when it went away since it was listed, or is no file.
pub(crate) fn stat(path: &Path, root: &Path) -> Result<Option<Listed>> {
    let name = display_name(path, root);
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(Listed {
            path: path.to_path_buf(),
            name,
            size: found.len(),
            modified: modified(&found),
        })),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            // It didn't go away: its rows are somewhere, and would be missing.
            Ok(found) if found.is_symlink() => Err(Fault::new(
                code::SOURCE_MISSING,
                format!("{name} is a link to something that isn't there"),
            )
            .with("file", &name)
            .advise("bring back what it points to, or remove the link")),
            _ => Ok(None),
        },
        Err(error) => Err(Fault::io(
            code::SOURCE_IO,
            "can't read",
            Path::new(&name),
            &error,
        )),
    }
}

/// Nanoseconds from 1970 to the last change; 0 where the file system doesn't say.
pub(crate) fn modified(found: &fs::Metadata) -> i64 {
    let Ok(time) = found.modified() else {
        return 0;
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_the_projects_path_are_no_wildcards() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["g1", "g[1]{a}*"] {
            fs::create_dir_all(folder.path().join(name).join("in/k=v")).unwrap();
            fs::write(folder.path().join(name).join("in/k=v/a.csv"), "a\n1\n").unwrap();
        }
        let root = folder.path().join("g[1]{a}*");
        let whole = format!("{}/g?/in/*/a.csv", folder.path().display());
        for (path, name) in [
            ("in/*/a.csv", "in/k=v/a.csv"),
            ("**/*.csv", "in/k=v/a.csv"),
            ("i?/k=v/[a].csv", "in/k=v/a.csv"),
            ("./in/*/*", "./in/k=v/a.csv"),
            (&whole, &whole.replace("g?", "g1").replace('*', "k=v")),
        ] {
            let found = list(&root, path, None).unwrap().files;
            assert_eq!(found.len(), 1, "{path}");
            assert_eq!(found[0].path, root.join(name), "{path}");
        }
        let refused = list(&root, "in/*.parquet", None).unwrap_err();
        assert_eq!(refused.code, code::SOURCE_MISSING);
    }

    #[test]
    fn names_that_are_not_text_are_refused_where_they_matter() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("a.csv"), "a\n1\n").unwrap();
        fs::write(root.join(OsStr::from_bytes(b"\xff.txt")), "").unwrap();
        assert_eq!(list(root, ".", None).unwrap().files.len(), 1);
        fs::write(root.join(OsStr::from_bytes(b"\xff.csv")), "a\n2\n").unwrap();
        for path in [".", "*.csv"] {
            let refused = list(root, path, None).unwrap_err();
            assert_eq!(refused.message, "the name of \u{fffd}.csv isn't UTF-8");
        }
    }
}
