use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Project, eventually};

/// A page of docs/ that is followed word for word: a block after a line that ends in `` `FILE`: ``
/// is written to that file, `sh` is run, and `text` is what that said.
///
/// What runs in the background ends with it.
pub(crate) struct Follower<'a> {
    project: &'a Project,
    /// Where the reader is by now.
    at: PathBuf,
    /// What the last block said.
    said: String,
    /// What stands in the page, and what stands for it here.
    instead: Vec<(String, String)>,
    /// Where cargo builds.
    built: PathBuf,
    running: Vec<Child>,
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl<'a> Follower<'a> {
    /// Begins in the folder of the project.
    pub(crate) fn new(project: &'a Project, built: PathBuf) -> Self {
        let bin = project.path(".bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_hygge-failpoints"), bin.join("hygge")).unwrap();
        Self {
            at: project.root().to_owned(),
            project,
            said: String::new(),
            instead: Vec::new(),
            built,
            running: Vec::new(),
        }
    }

    /// Reads `this` where the page says `that`.
    pub(crate) fn reading(mut self, that: &str, this: &str) -> Self {
        self.instead.push((that.to_owned(), this.to_owned()));
        self
    }

    /// Follows the page to its end.
    pub(crate) fn follow(&mut self, page: &str) {
        let mut page = page.to_owned();
        for (that, this) in &self.instead {
            page = page.replace(that, this);
        }
        let mut before = String::new();
        let mut lines = page.lines();
        while let Some(line) = lines.next() {
            let Some(kind) = line.strip_prefix("```") else {
                if !line.is_empty() {
                    before = line.to_owned();
                }
                continue;
            };
            let block: Vec<&str> = lines.by_ref().take_while(|each| *each != "```").collect();
            let block = block.join("\n") + "\n";
            let file = before
                .strip_suffix("`:")
                .and_then(|head| head.rsplit('`').next());
            match (kind, file) {
                ("sh", _) => self.run(&block),
                ("text", _) => {
                    assert!(self.said.contains(&block), "{block}\nbut:\n{}", self.said);
                }
                (_, Some(file)) => self.write(file, &block),
                // Shown, not to be done.
                _ => {}
            }
            before.clear();
        }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.at.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&mut self, block: &str) {
        let (background, rest): (Vec<&str>, Vec<&str>) =
            block.lines().partition(|line| line.ends_with(" &"));
        for line in background {
            let line = format!("exec {}", line.trim_end_matches(" &"));
            let child = self.shell(&line).stdout(Stdio::null()).spawn().unwrap();
            self.running.push(child);
            self.await_ports(&line);
        }
        let script = format!("set -e\n{}\npwd > \"$FOLLOWER\"\n", rest.join("\n"));
        let output = self.shell(&script).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        self.said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{block}{}{errors}", self.said);
        let at = fs::read_to_string(self.project.path(".at")).unwrap();
        self.at = PathBuf::from(at.trim_end());
        // What a crate is made of is built once for all of them.
        let target = self.at.join("target");
        if self.at.join("Cargo.toml").is_file() && !target.exists() {
            fs::create_dir_all(&self.built).unwrap();
            symlink(&self.built, target).unwrap();
        }
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        let path = std::env::var("PATH").unwrap();
        shell
            .args(["-c", script])
            .current_dir(&self.at)
            .env(
                "PATH",
                format!("{}:{path}", self.project.path(".bin").display()),
            )
            .env("FOLLOWER", self.project.path(".at"))
            .env(
                "XDG_CACHE_HOME",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"),
            )
            .env("NO_COLOR", "1")
            .env("HYGGE_STAND_IN_COMPILE_LONG_MS", "600000")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        shell
    }

    /// Waits until whoever was started listens.
    fn await_ports(&self, line: &str) {
        let ports = line.split_whitespace().filter_map(|word| word.parse().ok());
        for port in ports {
            let port: u16 = port;
            eventually(line, || TcpStream::connect(("127.0.0.1", port)).ok());
        }
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        for child in &mut self.running {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A page of docs/.
pub(crate) fn page(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap()
}
