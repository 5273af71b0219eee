//! What a plugin's file says of itself, read without running any of it.
//!
//! The trade-off: whoever drops a file into a project should see at once what it is and wants, so
//! this is read from bytes that anybody may have written. Hence a crate of its own, which knows
//! neither an engine nor the rest of hygge: it can do nothing but parse, and fuzzing it is cheap.

mod describe;
mod inspect;
mod line;
mod seal;
mod settings;

pub use describe::{Description, Part, Setting, Wanted};
pub use inspect::{Inspected, inspect, validate};
pub use line::clean;
pub use seal::seal;

/// The versions of the contract that a component may be built for.
pub const SERVED: &[&str] = &["0.1"];

/// The largest file that is taken for a plugin, in bytes.
pub const FILE: u64 = 64 << 20;

/// The longest description, in bytes.
pub const DESCRIPTION: usize = 1 << 20;

/// Everything that is done with a file before it is compiled, on any bytes. For fuzzing: it gives
/// nothing, and whatever the bytes are it must neither panic nor take long.
///
/// What was read is read again from the sealed copy: both must say the same.
#[doc(hidden)]
pub fn fuzz_component(bytes: &[u8]) {
    // What is wrong is told to people; here it need only be told at all.
    drop(validate(bytes));
    let Ok(found) = inspect(bytes) else {
        return;
    };
    let Some(description) = found.description else {
        return;
    };
    let parts = [
        &description.home,
        &description.store,
        &description.transform,
    ];
    for part in parts.into_iter().flatten() {
        drop(part.settings());
    }
    assert!(description.grants.beyond(&description.grants).is_empty());
    for line in description.grants.lines() {
        assert_eq!(
            clean(&line, usize::MAX),
            line,
            "a line that is not safe to show"
        );
    }
    let said = found.sealed.unwrap_or_default();
    if (bytes.len() + said.len() + 64) as u64 > FILE {
        return;
    }
    let sealed = seal(bytes, &said).and_then(|sealed| inspect(&sealed));
    assert_eq!(
        sealed.ok().and_then(|again| again.description),
        Some(description),
        "a sealed copy that says something else"
    );
}
