//! CPU seconds of this process, and of children that ended.

use std::time::Duration;

/// User and system time of all threads of this process.
pub(crate) fn own() -> Duration {
    ticks(13)
}

/// The same of all children that were waited for.
pub(crate) fn children() -> Duration {
    ticks(15)
}

/// Two neighbouring fields of `/proc/self/stat`, in hundredths of a second; counted from 0 after
/// the name, which may hold anything.
fn ticks(field: usize) -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<u64> = after
        .split(' ')
        .map(|field| field.trim().parse().unwrap_or(0))
        .collect();
    // The state is the third field of the file, the first here.
    Duration::from_millis((fields[field - 2] + fields[field - 1]) * 10)
}

/// CPU seconds of what is done.
pub(crate) fn spent(work: impl FnOnce()) -> f64 {
    let before = own();
    work();
    (own() - before).as_secs_f64()
}
