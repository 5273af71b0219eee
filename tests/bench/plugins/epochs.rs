//! What it costs that a guest can be interrupted: the same calls with and without epochs.

use std::path::Path;

use crate::bare::{self, Given};
use crate::{mask, rows};

pub(crate) fn measure(guests: &Path, rows: &Path) {
    let batches = rows::batches(rows, 200);
    let streams: Vec<_> = batches.iter().map(rows::stream).collect();
    let schema = rows::schema(&batches[0]);
    let guest = guests.join("mask.wasm");
    let given = Given {
        settings: &mask::settings().to_string(),
        schema: &schema,
    };
    // In turn, so that neither has the quieter machine.
    let (mut with, mut without) = (0.0, 0.0);
    for _ in 0..3 {
        without += bare::time(&guest, &given, &streams, 10, false);
        with += bare::time(&guest, &given, &streams, 10, true);
    }
    println!("\nepochs: CPU s for 6,000 batches through mask.wasm, without the host's side");
    println!("  without              {without:6.2}");
    println!(
        "  with                 {with:6.2}   {:+.1}%",
        (with / without - 1.0) * 100.0
    );
}
