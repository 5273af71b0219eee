#!/usr/bin/env bash
# plugins.sh ROWS WORK: what a sandbox costs. ROWS is a Parquet file of gen.py (a million rows are
# enough), WORK a folder for what is built and written. Run in the project.
set -euo pipefail
rows=$(realpath "$1") && mkdir -p "$2" && work=$(realpath "$2")
cd "$(dirname "$0")/../.."
guests=$work/guests && mkdir -p "$guests"

cargo build --quiet --profile plugin --target wasm32-wasip2 -p hygge-mask
cp target/wasm32-wasip2/plugin/hygge_mask.wasm "$guests/mask.wasm"
RUSTFLAGS="-C target-feature=+simd128" cargo build --quiet --profile plugin --target wasm32-wasip2 \
    --target-dir target/simd -p hygge-mask --features hygge-mask/simd
cp target/simd/wasm32-wasip2/plugin/hygge_mask.wasm "$guests/mask-simd.wasm"
(cd tests/guests/pass && CARGO_TARGET_DIR=$work/pass cargo build --quiet --release --locked --target wasm32-wasip2)
cp "$work/pass/wasm32-wasip2/release/pass.wasm" "$guests/pass.wasm"

cargo run --quiet --profile quick -p hygge-tests --features portable-hash --example plugins -- \
    "$guests" "$rows" "$work"

cargo build --quiet --profile quick -p hygge
python3 tests/bench/startup.py target/quick/hygge "$guests/mask.wasm" "$work/startup"
