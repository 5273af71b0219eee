//! Panics of libraries over what a file holds or an expression computes: caught, and told once, as
//! what is wrong with that. Without this the process would print each a second time, as a defect.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many calls of [`caught`] this thread is in.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

static HOOK: Once = Once::new();

/// Leaves again, also when the work panics.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get() - 1);
    }
}

/// Does work that may panic over what it is given. The panic's words come back, and nothing is
/// printed.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if INSIDE.get() == 0 {
                others(panic);
            }
        }));
    });
    let inside = Inside::enter();
    let done = catch_unwind(AssertUnwindSafe(work));
    drop(inside);
    done.map_err(|panic| said(panic.as_ref()).to_owned())
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it didn't say why")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_caught_panics_are_quiet() {
        static PRINTED: AtomicUsize = AtomicUsize::new(0);
        const OURS: &str = "a panic of this test";
        assert_eq!(caught(|| 1), Ok(1));
        // Stands behind the hook of `caught` from here on, and before it for the rest.
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let ours = panic
                .payload_as_str()
                .is_some_and(|text| text.starts_with(OURS));
            if ours && INSIDE.get() == 0 {
                PRINTED.fetch_add(1, Ordering::SeqCst);
            } else {
                before(panic);
            }
        }));
        assert_eq!(caught(|| panic!("{OURS}")), Err::<(), _>(OURS.to_owned()));
        assert_eq!(PRINTED.load(Ordering::SeqCst), 0);
        assert_eq!(INSIDE.get(), 0);
        let nested = caught(|| {
            drop(caught(|| panic!("{OURS}")));
            INSIDE.get()
        });
        assert_eq!(nested, Ok(1));
        assert!(catch_unwind(|| panic!("{OURS}, told")).is_err());
        assert_eq!(PRINTED.load(Ordering::SeqCst), 1);
    }
}
