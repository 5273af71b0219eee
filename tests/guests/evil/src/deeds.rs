//! What is forbidden, one by one. A deed that comes back says what came of it in a fault of the
//! code `evil.told`, so that a test sees all of it from outside.

use std::hint::black_box;

use crate::hygge::plugin::types::{Attribute, Fault};
use crate::hygge::plugin::{log, state};
use crate::{Config, fault, reach};

/// Never ends.
pub(crate) fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// A list of which only the length is there: nobody could allocate as much. From 2 GiB on Rust
/// has no such list either, so this is as raw as it looks.
pub(crate) fn list(size: u64) -> Vec<u8> {
    let size = size as usize;
    // Neither read nor freed on this side: lowering takes pointer and length as they are.
    // A capacity that could be, or the vector would be taken for no vector at all.
    unsafe { Vec::from_raw_parts(16 as *mut u8, size, 16) }
}

pub(crate) fn deed(config: &Config) -> Result<(), Fault> {
    let size = config.number("size", 0);
    let told = match config.text("deed") {
        "spin" => spin(),
        "churn" => loop {
            black_box(vec![1_u8; 1 << 16]);
        },
        "hoard" => {
            let mut all = Vec::new();
            loop {
                all.push(black_box(vec![1_u8; 1 << 16]));
            }
        }
        "grow" => {
            let before = core::arch::wasm32::memory_size(0);
            let mut pages = 0;
            while core::arch::wasm32::memory_grow(0, 16) != usize::MAX {
                pages += 16;
            }
            let mib = (before + pages) >> 4;
            format!("grew to {mib} MiB")
        }
        "recurse" => format!("came back with {}", down(black_box(1))),
        "recurse wide" => format!("came back with {}", down_wide(black_box(1))),
        "panic" => panic!("{}", config.text("text").repeat(size.max(1) as usize)),
        "unreachable" => core::arch::wasm32::unreachable(),
        "fault" => return Err(long_fault(config, size as usize)),
        "invalid text" => {
            let text = unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) };
            return Err(fault("evil", text));
        }
        "long text" => {
            let text = unsafe { String::from_utf8_unchecked(list(size)) };
            return Err(fault("evil", text));
        }
        "log" => {
            let times = config.number("times", 1);
            let text = config.text("text").repeat(size.max(1) as usize);
            for _ in 0..times {
                log::write("warn", &text, &[]);
            }
            return Ok(());
        }
        "log long" => {
            let text = std::mem::ManuallyDrop::new(list(size));
            log::write("warn", unsafe { std::str::from_utf8_unchecked(&text) }, &[]);
            return Ok(());
        }
        "print" => {
            println!("{}", config.text("text").repeat(size.max(1) as usize));
            eprintln!("{}", config.text("text"));
            return Ok(());
        }
        "state" => {
            let text = config.text("text");
            if !text.is_empty() {
                state::set(text, Some(text.as_bytes()))?;
            }
            let read = |key: &String| {
                let value = state::get(key).ok().flatten().unwrap_or_default();
                format!("{key}={}", String::from_utf8_lossy(&value))
            };
            let all: Vec<String> = state::keys()?.iter().map(read).collect();
            log::write("warn", &format!("remembers {}", all.join(",")), &[]);
            return Ok(());
        }
        "state long" => match state::set("k", Some(&vec![1; size as usize])) {
            Ok(()) => "it was kept".to_owned(),
            Err(refused) => return Err(refused),
        },
        other => reach::deed(other, config),
    };
    Err(fault("evil.told", told))
}

#[expect(unconditional_recursion, reason = "that is the deed")]
#[inline(never)]
fn down(n: u64) -> u64 {
    black_box(down(black_box(n + 1)) + n)
}

#[expect(unconditional_recursion, reason = "that is the deed")]
#[inline(never)]
fn down_wide(n: u64) -> u64 {
    let mut wide = [n; 1 << 12];
    black_box(&mut wide);
    down_wide(n + wide[7]) + black_box(wide)[n as usize % 4_096]
}

/// As long as it gets: code, message and every attribute.
fn long_fault(config: &Config, size: usize) -> Fault {
    let text = config.text("text").repeat(size.max(1));
    let attribute = |n: usize| Attribute {
        name: format!("{n}{}", &text[..text.len().min(1_000)]),
        value: text[..text.len().min(5_000)].to_owned(),
    };
    let mut attributes: Vec<Attribute> =
        (0..if size > 0 { 200 } else { 0 }).map(attribute).collect();
    attributes.push(Attribute {
        name: "advice".to_owned(),
        value: text.clone(),
    });
    Fault {
        code: text.clone(),
        message: text,
        retryable: config.number("retryable", 0) > 0,
        after_ms: (config.number("retryable", 0) > 0).then_some(u64::MAX),
        attributes,
    }
}
