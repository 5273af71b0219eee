use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The program, about to be run.
#[must_use]
pub(crate) struct Command {
    inner: std::process::Command,
    root: String,
}

impl Command {
    /// Runs in `root`, with an environment that nothing of this machine leaks into.
    pub(crate) fn new<S: AsRef<OsStr>>(
        root: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut inner = std::process::Command::new(env!("CARGO_BIN_EXE_hygge-failpoints"));
        inner
            .args(arguments)
            .current_dir(root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", root)
            .env("RUST_BACKTRACE", "0")
            // How long compiling takes is no test's matter, but for those that say so.
            .env("HYGGE_STAND_IN_COMPILE_LONG_MS", "600000")
            .stdin(Stdio::null());
        Self {
            inner,
            root: root.to_str().unwrap().to_owned(),
        }
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// One more argument, which may hold spaces.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.inner.arg(argument);
        self
    }

    /// Runs in another folder.
    pub(crate) fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.inner.current_dir(folder);
        self
    }

    /// Arms failpoints: `commit.swapped=kill`.
    pub(crate) fn failpoints(self, list: &str) -> Self {
        self.env("HYGGE_FAILPOINTS", list)
    }

    /// Runs it to its end, and says how often it passes each failpoint.
    pub(crate) fn passes(self) -> BTreeMap<String, u32> {
        let file = tempfile::NamedTempFile::with_prefix("hygge-passed-").unwrap();
        self.env("HYGGE_FAILPOINTS_PASSED", file.path()).succeed();
        let mut passes = BTreeMap::new();
        for name in std::fs::read_to_string(file.path()).unwrap().lines() {
            *passes.entry(name.to_owned()).or_default() += 1;
        }
        passes
    }

    /// Lets the program have at most that many files open (as `ulimit -n` does).
    pub(crate) fn open_files_at_most(mut self, most: u64) -> Self {
        let program = self.inner.get_program().to_owned();
        let arguments: Vec<_> = self.inner.get_args().map(OsStr::to_owned).collect();
        let mut limited = std::process::Command::new("/bin/sh");
        limited
            .arg("-c")
            .arg(format!("ulimit -n {most} && exec \"$0\" \"$@\""))
            .arg(program)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null());
        for (name, value) in self.inner.get_envs() {
            if let Some(value) = value {
                limited.env(name, value);
            }
        }
        limited.current_dir(self.inner.get_current_dir().unwrap());
        self.inner = limited;
        self
    }

    /// Starts it with failpoint `point` as a pause, and waits until it stands there.
    pub(crate) fn spawn_to(self, point: &str) -> Paused {
        let folder = TempDir::with_prefix("hygge-pause-").unwrap();
        let file = folder.path().join(point);
        let mut running = self
            .failpoints(&format!("{point}=pause"))
            .env("HYGGE_FAILPOINT_PAUSES", folder.path())
            .spawn();
        super::eventually(point, || {
            let there = file.exists();
            if !there && running.ended() {
                panic!("ended before {point}");
            }
            there.then_some(())
        });
        Paused {
            running,
            file,
            _folder: folder,
        }
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Runs it and insists that it ends well.
    pub(crate) fn succeed(self) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome
    }

    /// Starts it.
    pub(crate) fn spawn(mut self) -> Running {
        let mut child = self
            .inner
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            stdout: Some(drain(child.stdout.take().unwrap())),
            stderr: Some(drain(child.stderr.take().unwrap())),
            child,
            root: self.root,
        }
    }
}

/// Reads a pipe to its end on a thread, so that the program never waits for the test.
fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

/// The program while it runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    root: String,
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal; one that comes after the end is lost.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if !self.ended() {
            let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
            kill_process(pid, signal).unwrap();
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Outcome {
        let status = self.child.wait().unwrap();
        Outcome {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: self.stderr.take().unwrap().join().unwrap(),
            root: self.root.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone after `wait`; a test that panicked leaves nothing running.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program, standing at a failpoint.
pub(crate) struct Paused {
    /// The program.
    pub(crate) running: Running,
    file: PathBuf,
    _folder: TempDir,
}

impl Paused {
    /// Lets it go on, and waits for its end.
    pub(crate) fn go_on(self) -> Outcome {
        std::fs::remove_file(&self.file).unwrap();
        self.running.wait()
    }
}

/// How the program ended, and what it said.
pub(crate) struct Outcome {
    /// The exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// All of stdout.
    pub(crate) stdout: String,
    /// All of stderr.
    pub(crate) stderr: String,
    root: String,
}

impl Outcome {
    /// Whether SIGKILL ended it, as an armed failpoint does.
    pub(crate) fn was_killed(&self) -> bool {
        self.signal == Some(Signal::KILL.as_raw())
    }

    /// Exit code, stdout and stderr in one text for a snapshot, with everything that differs
    /// from run to run replaced.
    pub(crate) fn shown(&self) -> String {
        let mut text = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}\n"),
            (None, signal) => format!("signal {signal:?}\n"),
        };
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                write!(text, "--- {name}\n{}", settled(stream, &self.root)).unwrap();
            }
        }
        text
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {:?}, signal {:?}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.signal, self.stdout, self.stderr
        )
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What differs from run to run, and what stands in its place. Data in tests is older than 2026,
/// so a moment from then on is the clock's.
static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b\d{8}t\d{9}z-[0-9a-z]{6}\b", "[RUN]"),
        (
            r"\b20(2[6-9]|[3-9]\d)-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?",
            "[MOMENT]",
        ),
        (r"[\d.,]+ ?[kKM]? rows/s", "[RATE] rows/s"),
        (r"\b\d+m \d+s\b|\b\d+(\.\d+)? ?(ms|s)\b", "[TIME]"),
        (r"\b\d+(\.\d+)? ?([KMG]i?)?B\b", "[SIZE]"),
        (r"\bprocess \d+ on [^\s)]+", "process [PID] on [HOST]"),
        (
            r#""(seconds|bytes|pid|wait_ms)":[\d.e-]+"#,
            r#""$1":[NUMBER]"#,
        ),
        // Columns are as wide as what stands in them, which was just replaced.
        (r"─{2,}", "──"),
        (r" {2,}([\[\d])", "  $1"),
        (r"(\]) {2,}", "$1  "),
        (r"(\[TIME\]) {2,}[\d,]+ {2,}", "$1  [RATE]  "),
        (r"[ \t]+\n", "\n"),
    ]
    .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
    .into()
});

fn settled(text: &str, root: &str) -> String {
    let mut text = text.replace(root, "[PROJECT]");
    for (pattern, with) in FILTERS.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}
