#!/usr/bin/env bash
# ours.sh HYGGE KIND SRC DST: moves SRC (a Parquet file or folder) below DST in a project of its
# own. KIND is `rewrite` (decode and encode, zstd 3), `copy` (row groups as they are), or `rows`
# (whole rows, decoded to follow the watermark in column c0000 of wide.py's files).
set -euo pipefail
hygge=$1 kind=$2 src=$(realpath "$3") dst=$(realpath "$4")
extra="" && [ "$kind" = rewrite ] && extra=", rewrite: true"
watermark="" && [ "$kind" = rows ] && watermark=", incremental: {column: c0000, strategy: append}"
cat >"$dst/hygge.yml" <<YML
name: bench
flows:
  move:
    home: {type: parquet, path: "$src"$watermark}
    store: {type: parquet, path: data, compression: zstd$extra}
YML
exec "$hygge" start --quiet --project "$dst"
