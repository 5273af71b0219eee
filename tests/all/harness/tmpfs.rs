use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own at a folder, gone when dropped.
pub(crate) struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one of that size in KiB, if this machine lets the test; it needs root.
    pub(crate) fn mount(folder: &Path, kib: u64) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let mounted = mount(
            &["-t", "tmpfs", "-o", &format!("size={kib}k"), "hygge-test"],
            folder,
        );
        Self::of(folder, mounted)
    }

    /// Lays an empty layer over what is in the folder, as a container does over its image; what is
    /// written goes to `scratch`.
    pub(crate) fn overlay(folder: &Path, scratch: &Path) -> Option<Self> {
        let (upper, work) = (scratch.join("upper"), scratch.join("work"));
        for each in [&upper, &work] {
            std::fs::create_dir_all(each).unwrap();
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            folder.display(),
            upper.display(),
            work.display()
        );
        let mounted = mount(&["-t", "overlay", "-o", &options, "hygge-test"], folder);
        Self::of(folder, mounted)
    }

    fn of(folder: &Path, mounted: bool) -> Option<Self> {
        if !mounted {
            // Not a failure in CI either: a container may not be allowed to, root or not.
            super::say("SKIPPED: this machine doesn't let tests mount a file system");
        }
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Makes it read-only, or writable again.
    pub(crate) fn read_only(&self, yes: bool) {
        let how = if yes { "remount,ro" } else { "remount,rw" };
        assert!(mount(&["-o", how], &self.0));
    }

    /// Fills it, but for that many KiB; says with what.
    pub(crate) fn fill(&self, free_kib: u64) -> PathBuf {
        let stat = rustix::fs::statvfs(&self.0).unwrap();
        let free = stat.f_bavail * stat.f_frsize;
        let ballast = self.0.join("ballast");
        let size = free.saturating_sub(free_kib << 10);
        std::fs::write(&ballast, vec![1; usize::try_from(size).unwrap()]).unwrap();
        ballast
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let output = Command::new("umount").arg("-l").arg(&self.0).output();
        if !std::thread::panicking() {
            assert!(output.unwrap().status.success());
        }
    }
}
