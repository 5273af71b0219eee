//! What a plugin writes below the folders that it was granted, under a quota.
//!
//! Counted are the bytes that are written, again when they are written again, and what a file
//! grows by without being written. So the data in a file never takes more than was counted for
//! it, holes that are filled later included; and a file, folder or link costs a block of its own,
//! or a disk could be filled with empty ones. Taking something away gives nothing back.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hygge_core::async_trait;
use hyper::body::Bytes;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{self, HostDescriptor as _};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, OutputStream, Pollable, StreamError,
    StreamResult,
};

use crate::guest::Guest;

/// What a name takes on most file systems, and what it costs here.
const BLOCK: u64 = 4_096;

/// What one plugin has written in this run, all its instances together.
#[derive(Debug)]
pub(crate) struct Writes {
    most: u64,
    written: AtomicU64,
}

/// More was to be written than may be. Ends the instance: a guest that goes on after a write
/// that failed would lose rows.
#[derive(Debug)]
pub(crate) struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more was written than may be")
    }
}

impl std::error::Error for Full {}

impl Writes {
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            written: AtomicU64::new(0),
        }
    }

    fn take(&self, bytes: u64) -> Result<(), Full> {
        let more = |written: u64| {
            let written = written.checked_add(bytes)?;
            (written <= self.most).then_some(written)
        };
        let taken = (self.written).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| Full)
    }
}

/// WASI's files, counted.
pub(crate) struct Files<'a> {
    wasi: WasiFilesystemCtxView<'a>,
    writes: Arc<Writes>,
}

impl HasData for Files<'static> {
    type Data<'a> = Files<'a>;
}

/// What a guest has of the file system.
pub(crate) fn files(guest: &mut Guest) -> Files<'_> {
    let writes = Arc::clone(&guest.plugin.writes);
    Files {
        wasi: guest.filesystem(),
        writes,
    }
}

type File = Resource<Descriptor>;

impl Files<'_> {
    fn take(&self, bytes: u64) -> FsResult<()> {
        self.writes.take(bytes).map_err(FsError::trap)
    }

    /// The present size of a file; of what is none, or can't be looked at, 0.
    fn size(&self, file: &File) -> u64 {
        match self.wasi.table.get(file) {
            Ok(Descriptor::File(file)) => file.file.metadata().map_or(0, |meta| meta.size()),
            _ => 0,
        }
    }

    /// Counts a name, if there is none yet.
    async fn take_name(
        &mut self,
        folder: &File,
        flags: types::PathFlags,
        path: &str,
    ) -> FsResult<()> {
        let folder = Resource::new_borrow(folder.rep());
        match self.wasi.stat_at(folder, flags, path.to_owned()).await {
            Ok(_) => Ok(()),
            Err(_) => self.take(BLOCK),
        }
    }

    fn counted(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.wasi.table.delete(stream)?;
        let counted: DynOutputStream = Box::new(Counted {
            inner,
            writes: Arc::clone(&self.writes),
        });
        Ok(self.wasi.table.push(counted)?)
    }
}

/// A stream into a file.
struct Counted {
    inner: DynOutputStream,
    writes: Arc<Writes>,
}

impl Counted {
    fn take(&self, bytes: &Bytes) -> StreamResult<()> {
        let taken = self.writes.take(bytes.len() as u64);
        taken.map_err(|full| StreamError::Trap(full.into()))
    }
}

#[async_trait]
impl Pollable for Counted {
    async fn ready(&mut self) {
        (*self.inner).ready().await;
    }
}

#[async_trait]
impl OutputStream for Counted {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

impl types::Host for Files<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        self.wasi.filesystem_error_code(error)
    }
}

impl types::HostDescriptor for Files<'_> {
    fn write_via_stream(&mut self, file: File, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        // The hole before the first byte; what is written is counted when it is.
        self.take(offset.saturating_sub(self.size(&file)))?;
        let stream = self.wasi.write_via_stream(file, offset)?;
        self.counted(stream)
    }

    fn append_via_stream(&mut self, file: File) -> FsResult<Resource<DynOutputStream>> {
        let stream = self.wasi.append_via_stream(file)?;
        self.counted(stream)
    }

    async fn write(&mut self, file: File, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        let hole = offset.saturating_sub(self.size(&file));
        self.take(hole.saturating_add(bytes.len() as u64))?;
        self.wasi.write(file, bytes, offset).await
    }

    async fn set_size(&mut self, file: File, size: u64) -> FsResult<()> {
        self.take(size.saturating_sub(self.size(&file)))?;
        self.wasi.set_size(file, size).await
    }

    async fn create_directory_at(&mut self, folder: File, path: String) -> FsResult<()> {
        (self.take_name(&folder, types::PathFlags::empty(), &path)).await?;
        self.wasi.create_directory_at(folder, path).await
    }

    async fn link_at(
        &mut self,
        folder: File,
        flags: types::PathFlags,
        old: String,
        to: File,
        new: String,
    ) -> FsResult<()> {
        (self.take_name(&to, types::PathFlags::empty(), &new)).await?;
        self.wasi.link_at(folder, flags, old, to, new).await
    }

    /// A link leads whoever follows it to where the plugin may not go: a Home of hygge's own that
    /// reads this folder, for one.
    async fn symlink_at(&mut self, _: File, _: String, _: String) -> FsResult<()> {
        Err(types::ErrorCode::NotPermitted.into())
    }

    async fn open_at(
        &mut self,
        folder: File,
        path_flags: types::PathFlags,
        path: String,
        open: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<File> {
        if open.contains(types::OpenFlags::CREATE) {
            self.take_name(&folder, path_flags, &path).await?;
        }
        (self.wasi.open_at(folder, path_flags, path, open, flags)).await
    }

    // What is left takes no room.

    async fn advise(
        &mut self,
        file: File,
        offset: u64,
        length: u64,
        advice: types::Advice,
    ) -> FsResult<()> {
        self.wasi.advise(file, offset, length, advice).await
    }

    async fn sync_data(&mut self, file: File) -> FsResult<()> {
        self.wasi.sync_data(file).await
    }

    async fn sync(&mut self, file: File) -> FsResult<()> {
        self.wasi.sync(file).await
    }

    async fn get_flags(&mut self, file: File) -> FsResult<types::DescriptorFlags> {
        self.wasi.get_flags(file).await
    }

    async fn get_type(&mut self, file: File) -> FsResult<types::DescriptorType> {
        self.wasi.get_type(file).await
    }

    async fn set_times(
        &mut self,
        file: File,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        self.wasi.set_times(file, accessed, modified).await
    }

    async fn set_times_at(
        &mut self,
        folder: File,
        flags: types::PathFlags,
        path: String,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        (self
            .wasi
            .set_times_at(folder, flags, path, accessed, modified))
        .await
    }

    async fn read(&mut self, file: File, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.wasi.read(file, length, offset).await
    }

    fn read_via_stream(&mut self, file: File, offset: u64) -> FsResult<Resource<DynInputStream>> {
        self.wasi.read_via_stream(file, offset)
    }

    async fn read_directory(
        &mut self,
        folder: File,
    ) -> FsResult<Resource<types::DirectoryEntryStream>> {
        self.wasi.read_directory(folder).await
    }

    async fn stat(&mut self, file: File) -> FsResult<types::DescriptorStat> {
        self.wasi.stat(file).await
    }

    async fn stat_at(
        &mut self,
        folder: File,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        self.wasi.stat_at(folder, flags, path).await
    }

    async fn readlink_at(&mut self, folder: File, path: String) -> FsResult<String> {
        self.wasi.readlink_at(folder, path).await
    }

    async fn remove_directory_at(&mut self, folder: File, path: String) -> FsResult<()> {
        self.wasi.remove_directory_at(folder, path).await
    }

    async fn rename_at(
        &mut self,
        folder: File,
        old: String,
        to: File,
        new: String,
    ) -> FsResult<()> {
        self.wasi.rename_at(folder, old, to, new).await
    }

    async fn unlink_file_at(&mut self, folder: File, path: String) -> FsResult<()> {
        self.wasi.unlink_file_at(folder, path).await
    }

    async fn is_same_object(&mut self, one: File, other: File) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, file: File) -> FsResult<types::MetadataHashValue> {
        self.wasi.metadata_hash(file).await
    }

    async fn metadata_hash_at(
        &mut self,
        folder: File,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        self.wasi.metadata_hash_at(folder, flags, path).await
    }

    fn drop(&mut self, file: File) -> wasmtime::Result<()> {
        types::HostDescriptor::drop(&mut self.wasi, file)
    }
}

impl types::HostDirectoryEntryStream for Files<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        self.wasi.read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        types::HostDirectoryEntryStream::drop(&mut self.wasi, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_beyond_the_quota() {
        let writes = Writes::new(100);
        assert!(writes.take(60).is_ok());
        assert!(writes.take(41).is_err());
        assert!(writes.take(40).is_ok());
        assert!(writes.take(1).is_err());
        assert!(writes.take(u64::MAX).is_err());
    }
}
