//! A WebAssembly component as a core Home, Store or Transform.
//!
//! The trade-off: a plugin is worth having only when it is as easy to drop in as a file and can
//! harm nothing, so every guest pays for a boundary. Batches cross it as Arrow IPC, copied once
//! and checked in full; calls are bounded in time, memory and bytes; and nothing of the world is
//! there unless the operator granted it. What that costs is measured in docs/benchmarks.md, and
//! is paid by plugins alone: without a `plugins/` folder none of this is even set up.
//!
//! From a file to rows, a module each: `folder` finds it, `hygge-component` reads what it says of
//! itself without running it, `lock` and `grants` say what it may do, `cache` keeps it compiled,
//! `machine` has the engine and the threads that guests run on, `instance` calls it within
//! `limits`, `ipc` checks what it hands over, and `home` with its `reader`, `store` and
//! `transform` make it what the engine knows. `trial` runs one alone, and `conformance` says
//! whether it keeps the contract.

mod ask;
mod cache;
mod columns;
mod compile;
mod conformance;
mod contract;
mod download;
mod fault;
mod folder;
mod folders;
mod grants;
mod guest;
mod home;
mod imports;
mod instance;
mod ipc;
mod kind;
mod limits;
mod lock;
mod log;
mod machine;
mod missing;
mod network;
mod plugin;
mod reader;
mod roots;
mod schema;
mod staged;
mod state;
mod store;
mod tally;
mod ticker;
mod transform;
mod trial;
mod veil;
mod writes;

pub use ask::Sealed;
pub use compile::compiler;
pub use conformance::{Aspect, Check, Exam, Outcome, Report, examine};
pub use download::{download, shown_url};
pub use folder::{Place, Quarantined, Shelf};
pub use grants::{Grants, HttpGrant, SecretGrant};
pub use hygge_component::{Description, Inspected, Part, Setting, Wanted, inspect, seal};
pub use limits::Limits;
pub use lock::{Lock, Locked};
pub use missing::Missing;
pub use plugin::{Digest, Plugin};
pub use trial::Trial;
