use serde::{Deserialize, Serialize};

/// What one plugin took in a run, and what it sent where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The plugin, as hygge.yml calls it.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The digest of its file.
    pub digest: String,
    /// Calls into it.
    pub calls: u64,
    /// Milliseconds in which it had a thread.
    pub wasm_ms: u64,
    /// Milliseconds in which a call of it waited for the host: for a network, a disk, its turn.
    pub host_ms: u64,
    /// The most memory that one of its instances had, in bytes.
    pub peak_memory: u64,
    /// Bytes of batches that it was given.
    pub bytes_in: u64,
    /// Bytes of batches that it gave.
    pub bytes_out: u64,
    /// Rows that it was given.
    pub rows_in: u64,
    /// Rows that it gave.
    pub rows_out: u64,
    /// Faults it reported or caused.
    pub faults: u64,
    /// Requests that were refused, since they weren't granted.
    pub denied: u64,
    /// What it sent, by host.
    pub egress: Vec<Egress>,
}

/// What went to one host, and came from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// The host and port.
    pub host: String,
    /// Requests.
    pub requests: u64,
    /// Bytes sent: paths, headers and bodies.
    pub sent: u64,
    /// Bytes received: headers and bodies.
    pub received: u64,
}

/// What the sessions of one connection came to in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUsage {
    /// Its name in hygge.yml; where it leads, when it has none.
    pub connection: String,
    /// The most sessions that it has at once.
    pub size: u64,
    /// Sessions that were opened.
    pub opened: u64,
    /// How often one was used that was open already.
    pub reused: u64,
    /// How often somebody had to wait until one came free.
    pub waits: u64,
    /// Milliseconds that they waited, all together.
    pub waited_ms: u64,
    /// Sessions that were closed since they were lost, or left in the middle of something.
    pub broken: u64,
    /// Milliseconds that opening took, all together.
    pub opening_ms: u64,
    /// Milliseconds more that it would have taken if none had been used again.
    pub saved_ms: u64,
}

/// Something whose use is counted over a run.
pub trait Metered: Send + Sync {
    /// The counters as they stand; none when it wasn't used.
    fn usage(&self) -> Option<Usage>;
}

/// Something that lends sessions, and counts them over a run.
pub trait Pooled: Send + Sync {
    /// The figures as they stand, of each connection that was used.
    fn pools(&self) -> Vec<PoolUsage>;

    /// Lets go of all sessions that rest: who comes next opens their own. What was counted stays.
    fn forget(&self);
}
