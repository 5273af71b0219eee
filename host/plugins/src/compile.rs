//! Compiling. Nothing can stop it once it has begun, and how long it takes is up to whoever wrote
//! the file: so a process of its own does it, which gets the component, gives the compiled code,
//! and is ended when its time or its memory is up.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use hygge_component::FILE;
use hygge_core::{Context, Fault, Level, Stop, failpoint};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmtime::Engine;

use crate::fault::{self, clean};
use crate::limits::{COMPILE, COMPILE_MEMORY};
use crate::machine;

/// The only argument of a process that compiles.
const ARGUMENT: &str = "__compile-plugin";
/// After this someone who waits is told what for.
const LONG: Duration = Duration::from_secs(1);
/// The longest answer that isn't compiled code.
const ANSWER: u64 = 2_000;

/// The program to start for compiling.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Lets this program start itself again to compile plugins; to be called before anything else.
/// Gives the end of the process when that is what it was started for. A program that never calls
/// this compiles in itself, without a limit.
pub fn compiler() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == ARGUMENT) && arguments.next().is_none() {
        return Some(serve());
    }
    let program = match cfg!(target_os = "linux") {
        // The very program that runs, also when another took its place on disk meanwhile.
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => std::env::current_exe(),
    };
    if let Ok(program) = program {
        // The first time is the only one.
        drop(PROGRAM.set(program));
    }
    None
}

/// From a component on stdin to compiled code on stdout.
fn serve() -> ExitCode {
    let served = confine().and_then(|()| {
        let mut bytes = Vec::new();
        let read = std::io::stdin()
            .lock()
            .take(FILE + 1)
            .read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        let told = |error: wasmtime::Error| error.root_cause().to_string();
        let engine = Engine::new(&machine::config()).map_err(told)?;
        let compiled = engine.precompile_component(&bytes).map_err(told)?;
        let mut out = std::io::stdout().lock();
        out.write_all(&compiled)
            .and_then(|()| out.flush())
            .map_err(|error| error.to_string())
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Whoever asked may be gone.
            drop(std::io::stderr().write_all(clean(&why, 500).as_bytes()));
            ExitCode::FAILURE
        }
    }
}

/// Before a byte of the file is looked at: no more memory and time than it may have, also when
/// whoever would end it is no more.
fn confine() -> Result<(), String> {
    let told = |error: rustix::io::Errno| format!("no limits: {error}");
    let limit = |what, most: u64| {
        let most = getrlimit(what).maximum.map_or(most, |had| had.min(most));
        let most = Some(most);
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(what, limit).map_err(told)
    };
    limit(Resource::As, COMPILE_MEMORY)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    limit(Resource::Cpu, COMPILE.as_secs() * cores)?;
    limit(Resource::Core, 0)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(told)?;
    // Others move rows meanwhile.
    rustix::process::nice(5).map(drop).map_err(told)
}

/// Compiles a component. Blocks, for [`COMPILE`] at most.
pub(crate) fn compile(
    engine: &Engine,
    name: &str,
    bytes: Vec<u8>,
    cx: &Context,
) -> Result<Vec<u8>, Fault> {
    let failed = |why: &str| fault::load(format!("{name} can't be compiled: {}", clean(why, 500)));
    let Some(program) = PROGRAM.get() else {
        let compiled = engine.precompile_component(&bytes);
        return compiled.map_err(|error| failed(&error.root_cause().to_string()));
    };
    let mut process = Process::start(program, bytes)
        .map_err(|error| failed(&format!("no process to do it: {error}")))?;
    let most = given("COMPILE_MS", COMPILE);
    let long = given("COMPILE_LONG_MS", LONG);
    let mut tell = || {
        let text = format!("{name} is being compiled, once on this machine");
        cx.notes.note(Level::Waiting, &text);
    };
    match process.answer(most, long, &mut tell, &cx.stop) {
        Ended::Late => Err(fault::load(format!(
            "{name} takes longer than {most:?} to compile"
        ))),
        Ended::Stopped => Err(Fault::stopped()),
        Ended::Well(compiled) => Ok(compiled),
        Ended::Badly(why) => Err(failed(&why)),
    }
}

/// A time, or the one that a test puts in its place.
fn given(name: &str, time: Duration) -> Duration {
    let given = failpoint::stand_in(name).and_then(|ms| ms.parse().ok());
    given.map_or(time, Duration::from_millis)
}

/// A process that compiles; it is ended when this is dropped.
struct Process {
    child: Child,
    compiled: Receiver<std::io::Result<Vec<u8>>>,
}

enum Ended {
    Well(Vec<u8>),
    Badly(String),
    Late,
    Stopped,
}

impl Process {
    fn start(program: &PathBuf, bytes: Vec<u8>) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            // What is in it is none of its business, and a key for the terminal not for it.
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (send, compiled) = mpsc::channel();
        let pipes = (child.stdin.take(), child.stdout.take());
        let process = Self { child, compiled };
        let (Some(mut stdin), Some(mut stdout)) = pipes else {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        thread("hygge-compile-in").spawn(move || {
            // It may end before it has read all; then it says why.
            drop(stdin.write_all(&bytes));
        })?;
        thread("hygge-compile-out").spawn(move || {
            let mut compiled = Vec::new();
            let read = stdout.read_to_end(&mut compiled);
            // Whoever waited may have given up.
            drop(send.send(read.map(|_| compiled)));
        })?;
        Ok(process)
    }

    /// What comes of it, within `most`; `tell` is called once when it takes `long`.
    fn answer(
        &mut self,
        most: Duration,
        long: Duration,
        tell: &mut dyn FnMut(),
        stop: &Stop,
    ) -> Ended {
        const GLANCE: Duration = Duration::from_millis(100);
        let begun = Instant::now();
        let end = begun + most;
        let mut told = false;
        let compiled = loop {
            if !told && begun.elapsed() >= long {
                told = true;
                tell();
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.compiled.recv_timeout(left.min(GLANCE)) {
                Ok(read) => break read,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ended::Late,
                Err(RecvTimeoutError::Timeout) if stop.is_set() => return Ended::Stopped,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ended::Badly("its code got lost".to_owned());
                }
            }
        };
        // It has closed its end, so it is about to go.
        let status = match self.child.wait() {
            Ok(status) => status,
            Err(error) => return Ended::Badly(error.to_string()),
        };
        match compiled {
            Ok(compiled) if status.success() => return Ended::Well(compiled),
            Ok(_) => {}
            Err(error) => return Ended::Badly(error.to_string()),
        }
        let mut why = Vec::new();
        if let Some(stderr) = &mut self.child.stderr {
            // What can't be read is told by the status.
            drop(stderr.take(ANSWER).read_to_end(&mut why));
        }
        let why = String::from_utf8_lossy(&why);
        match (why.trim(), status.code()) {
            (why, Some(1)) if !why.is_empty() => Ended::Badly(why.to_owned()),
            (why, _) if why.contains("memory allocation of") => Ended::Badly(format!(
                "it takes more than {} GiB of memory",
                COMPILE_MEMORY >> 30
            )),
            (why, _) => Ended::Badly(format!("the compiler ended with {status} {why}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended can't be ended, and that is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
