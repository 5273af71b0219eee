//! Compiled plugins, so that each is compiled once on a machine.
//!
//! What is loaded from here runs as it is, so the folder is the user's own (0700, checked each
//! time), never a part of a project that may have come from elsewhere. A file is opened once,
//! looked at by its owner and mode and then by the sum that stands at its end, and the file that
//! was looked at is the one that is mapped: one that was cut short, damaged or put there by
//! someone else is compiled again.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hygge_core::{Context, Fault};
use wasmtime::Engine;
use wasmtime::component::Component;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::compile::compile;
use crate::fault::{self, clean};
use crate::plugin::Digest;

/// Bytes of the sum at the end of a file. It tells what is damaged, not who wrote it: whoever can
/// write here could write the sum as well, so owner and mode are what is relied on.
const SUM: usize = 16;

/// How long what nobody uses is kept.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How much is kept in all: whoever writes a plugin has another one after each build.
const KEPT: u64 = 2 << 30;

/// Where compiled plugins are kept; without one each process compiles anew.
#[derive(Debug, Clone)]
pub(crate) struct Cache(Option<PathBuf>);

impl Cache {
    /// The folder, made when it isn't there. One that others could write isn't used.
    pub(crate) fn open(folder: Option<&Path>) -> Self {
        Self(folder.and_then(|folder| match private(folder) {
            Ok(()) => Some(folder.to_owned()),
            Err(why) => {
                tracing::warn!("compiled plugins aren't kept: {why}");
                None
            }
        }))
    }

    /// The compiled component. Takes its time when it isn't there yet, so it is called where
    /// blocking is allowed.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        name: &str,
        digest: &Digest,
        bytes: &dyn Fn() -> Result<Vec<u8>, Fault>,
        cx: &Context,
    ) -> Result<Component, Fault> {
        let path = self.path(engine, digest);
        if let Some(path) = path.as_deref().filter(|path| path.exists()) {
            let loaded = sound(path).and_then(|compiled| {
                // The file that was looked at, also if another stands in its place by now.
                let opened = format!("/proc/self/fd/{}", compiled.as_raw_fd());
                // SAFETY: the file belongs to this user and nobody else can write it or its
                // folder; it is whole, by its sum; this program alone writes such files, each
                // once, under another name first; and the name holds the digest of the
                // component, the version of wasmtime and its settings.
                let component = unsafe { Component::deserialize_file(engine, opened) };
                component.map_err(|error| format!("{error:#}"))
            });
            match loaded {
                Ok(component) => return Ok(component),
                Err(why) => tracing::warn!("{} is compiled again: {why}", path.display()),
            }
        }
        let compiled = compile(engine, name, bytes()?, cx)?;
        if let Some(path) = path {
            if let Err(error) = put(&compiled, &path) {
                tracing::warn!("{} isn't kept: {error}", path.display());
            }
            tidy(path.parent().unwrap_or(&path), SystemTime::now(), KEPT);
        }
        // SAFETY: this program, with these settings, compiled it just now, and handed it over
        // through a pipe that nobody else has.
        let component = unsafe { Component::deserialize(engine, compiled) };
        component.map_err(|error| {
            let why = clean(&format!("{error:#}"), 500);
            fault::load(format!("{name} can't be loaded once compiled: {why}"))
        })
    }

    fn path(&self, engine: &Engine, digest: &Digest) -> Option<PathBuf> {
        use std::hash::{Hash, Hasher};
        /// A hash that is the same in every process.
        struct Steady(blake3::Hasher);
        impl Hasher for Steady {
            fn finish(&self) -> u64 {
                0
            }
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }
        }
        let folder = self.0.as_ref()?;
        let mut settings = Steady(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut settings);
        let settings = settings.0.finalize().to_hex();
        Some(folder.join(format!("{}-{}.cwasm", digest.hex(), &settings[..16])))
    }
}

/// Makes the folder, or makes sure that nobody else can write it.
fn private(folder: &Path) -> Result<(), String> {
    let show = folder.display();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("{show} can't be made: {error}"))?;
    let meta = std::fs::symlink_metadata(folder).map_err(|error| format!("{show}: {error}"))?;
    if !meta.is_dir() {
        return Err(format!("{show} isn't a folder"));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("{show} belongs to someone else"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!("others may look into {show}; make it 0700"));
    }
    Ok(())
}

/// A file of compiled code that only this user can have written, and that is whole.
fn sound(path: &Path) -> Result<File, String> {
    let told = |error: std::io::Error| error.to_string();
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)
        .map_err(told)?;
    let meta = file.metadata().map_err(told)?;
    if !meta.is_file() {
        return Err("it isn't a file".to_owned());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err("someone else can write it".to_owned());
    }
    let damaged = || "it is damaged".to_owned();
    let code = meta.len().checked_sub(SUM as u64);
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 1 << 17];
    let mut rest = (&file).take(code.ok_or_else(damaged)?);
    loop {
        match rest.read(&mut buffer).map_err(told)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        };
    }
    let mut sum = [0; SUM];
    (&file).read_exact(&mut sum).map_err(|_| damaged())?;
    if hasher.digest128().to_le_bytes() != sum {
        return Err(damaged());
    }
    // Now and then, so that it isn't taken for one that nobody uses. On a disk that can't be
    // written it stays as old as it is.
    let now = SystemTime::now();
    let day = Duration::from_secs(24 * 3_600);
    if meta.modified().is_ok_and(|used| used + day < now) {
        drop(file.set_modified(now));
    }
    Ok(file)
}

/// Removes what nobody used for long, and the oldest of what is too much together. Another process
/// may do the same; one that has such a file open keeps it.
fn tidy(folder: &Path, now: SystemTime, most: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let looked = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let ours = path.extension()?;
        let meta = std::fs::symlink_metadata(&path).ok()?;
        let ours = meta.is_file() && (ours == "cwasm" || ours == "tmp");
        Some((meta.modified().ok()?, meta.len(), path)).filter(|_| ours)
    });
    let mut all: Vec<_> = looked.collect();
    all.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
    let mut together: u64 = 0;
    for (nth, (used, length, path)) in all.into_iter().enumerate() {
        together = together.saturating_add(length);
        let fresh = nth == 0 || together <= most;
        if !fresh || used + UNUSED < now {
            // It may be gone already.
            drop(std::fs::remove_file(path));
        }
    }
}

/// Writes compiled code beside its place, then renames it there.
fn put(compiled: &[u8], path: &Path) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    // One that a process of this number left behind, or a link in its place.
    drop(std::fs::remove_file(&temporary));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(compiled)?;
    file.write_all(&xxh3_128(compiled).to_le_bytes())?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_is_damaged_or_open_to_others_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cwasm");
        put(b"compiled", &path).unwrap();
        assert_eq!(sound(&path).unwrap().metadata().unwrap().len(), 8 + 16);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(sound(&path).unwrap_err().contains("someone else"));
        put(b"compiled", &path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 10, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(sound(&path).unwrap_err(), "it is damaged");
        }
        let mut flipped = whole.clone();
        flipped[3] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert_eq!(sound(&path).unwrap_err(), "it is damaged");
        let link = folder.path().join("b.cwasm");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(sound(&link).is_err());
    }

    #[test]
    fn what_nobody_uses_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let days = |days: u64| Duration::from_secs(days * 24 * 3_600);
        let at = |name: &str| folder.path().join(name);
        let there = || {
            let all = std::fs::read_dir(folder.path()).unwrap();
            let mut all: Vec<_> = all.map(|entry| entry.unwrap().file_name()).collect();
            all.sort();
            all
        };
        for (name, age) in [
            ("a.cwasm", 2),
            ("b.cwasm", 5),
            ("c.cwasm", 40),
            ("d.7.tmp", 40),
            ("mine.txt", 400),
        ] {
            put(&[0; 100], &at(name)).unwrap();
            let file = File::open(at(name)).unwrap();
            file.set_modified(now - days(age)).unwrap();
        }
        tidy(folder.path(), now, 10_000);
        assert_eq!(there(), ["a.cwasm", "b.cwasm", "mine.txt"]);
        // Using it makes it the newest.
        sound(&at("b.cwasm")).unwrap();
        tidy(folder.path(), now, 150);
        assert_eq!(there(), ["b.cwasm", "mine.txt"]);
        // The one that was just written stays, however large.
        tidy(folder.path(), now, 1);
        assert_eq!(there(), ["b.cwasm", "mine.txt"]);
    }

    #[test]
    fn a_folder_that_others_may_write_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("a/b");
        assert!(Cache::open(Some(&cache)).0.is_some());
        let mode = std::fs::metadata(&cache).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700);
        std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(Cache::open(Some(&cache)).0.is_none());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(Cache::open(Some(&link)).0.is_none());
    }
}
