//! A guest that gives every batch back as it came, beside copying the same bytes twice: the crossing
//! alone, and with what the host does on its sides of it (writing Arrow IPC, and looking whether
//! what comes back is valid).

use std::path::Path;

use serde_json::json;

use crate::bare::{self, Given};
use crate::mask::{sandboxed, time};
use crate::{clock, rows};

pub(crate) fn measure(guests: &Path, rows: &Path, work: &Path) {
    const ROUNDS: usize = 30;
    let batches = rows::batches(rows, 200);
    let streams: Vec<_> = batches.iter().map(rows::stream).collect();
    let megabytes = streams.iter().map(Vec::len).sum::<usize>() * ROUNDS / 1_000_000;
    let longest = streams.iter().map(Vec::len).max().unwrap();
    let (mut there, mut back) = (vec![1_u8; longest], vec![1_u8; longest]);
    let copied = clock::spent(|| {
        for _ in 0..ROUNDS {
            for stream in &streams {
                let (there, back) = (&mut there[..stream.len()], &mut back[..stream.len()]);
                there.copy_from_slice(stream);
                std::hint::black_box(&there);
                back.copy_from_slice(there);
                std::hint::black_box(&back);
            }
        }
    });
    let given = Given {
        settings: "{}",
        schema: &rows::schema(&batches[0]),
    };
    let bare = bare::time(&guests.join("pass.wasm"), &given, &streams, ROUNDS, true);
    let transform = sandboxed(guests, "pass", "pass", json!({}), work);
    let crossed = time(transform.as_ref(), &batches, ROUNDS);
    let gigabytes = |seconds: f64| megabytes as f64 / 1_000.0 / seconds;
    println!("boundary: CPU s for {megabytes} MB in batches of 1 MiB");
    println!(
        "  {:<21} {copied:6.2}   {:.1} GB/s",
        "copied twice",
        gigabytes(copied)
    );
    for (what, seconds) in [
        ("in and out of a guest", bare),
        ("the whole transform", crossed),
    ] {
        println!(
            "  {what:<21} {seconds:6.2}   {:.1} GB/s, {:.2}x of copying twice",
            gigabytes(seconds),
            seconds / copied
        );
    }
}
