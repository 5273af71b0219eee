use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use hygge_core::{Fault, Result, Workers, code};
use tokio::runtime::Handle;

type Job = Box<dyn FnOnce() + Send>;

/// The run's threads: as many CPU threads as cores, which take jobs in the order they came,
/// and the runtime's blocking threads for calls that wait. The state store may use them too.
pub struct Threads {
    jobs: Mutex<Sender<Job>>,
    cores: usize,
    runtime: Handle,
}

impl Threads {
    /// Starts `cores` threads; they end when this is dropped and the last job is done.
    pub fn start(cores: usize, runtime: Handle) -> Result<Arc<Self>> {
        let (jobs, taken) = channel::<Job>();
        let taken = Arc::new(Mutex::new(taken));
        for n in 0..cores {
            let taken = Arc::clone(&taken);
            std::thread::Builder::new()
                .name(format!("cpu-{n}"))
                .spawn(move || work(&taken))
                .map_err(|e| no_thread(&e))?;
        }
        Ok(Arc::new(Self {
            jobs: Mutex::new(jobs),
            cores,
            runtime,
        }))
    }
}

/// What the system gives a process is bounded, and so is what a container gives all of its own.
fn no_thread(error: &std::io::Error) -> Fault {
    Fault::new(code::MEMORY, format!("can't start a thread: {error}")).advise(
        "give hygge more: `ulimit -v` bounds its memory, `ulimit -u` its threads, and a container \
         may bound both",
    )
}

/// Takes jobs until the sender is gone.
fn work(taken: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held only while waiting for a job, not while doing it.
        let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

impl Workers for Threads {
    fn cpu(&self, job: Job) {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        // The threads outlive `self`, so sending can't fail; a dropped job reports a stop.
        drop(jobs.send(job));
    }

    fn io(&self, job: Job) {
        drop(self.runtime.spawn_blocking(job));
    }

    fn cores(&self) -> usize {
        self.cores
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.cores)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn jobs_run_at_the_same_time_on_real_threads() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let threads = Threads::start(2, runtime.handle().clone()).unwrap();
        let both = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let both = Arc::clone(&both);
            threads.cpu(Box::new(move || {
                both.wait();
            }));
        }
        // Passes only when both jobs are inside at once.
        both.wait();
    }
}
