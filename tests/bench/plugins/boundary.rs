//! A guest that gives every batch back as it came, beside copying the same bytes twice.

use std::path::Path;

use serde_json::json;

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
    let transform = sandboxed(guests, "pass", "pass", json!({}), work);
    let crossed = time(transform.as_ref(), &batches, ROUNDS);
    let gigabytes = |seconds: f64| megabytes as f64 / 1_000.0 / seconds;
    println!("boundary: CPU s for {megabytes} MB in batches of 1 MiB");
    println!(
        "  copied twice         {copied:6.2}   {:.1} GB/s",
        gigabytes(copied)
    );
    println!(
        "  through a guest      {crossed:6.2}   {:.1} GB/s",
        gigabytes(crossed)
    );
    println!("  {:.2}x of copying twice", crossed / copied);
}
