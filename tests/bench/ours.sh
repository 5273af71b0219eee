#!/usr/bin/env bash
# ours.sh HYGGE KIND SRC DST: moves SRC (a Parquet file or folder) below DST in a project of its
# own. KIND is `rewrite` (decode and encode, zstd 3) or `copy` (row groups as they are).
set -euo pipefail
hygge=$1 kind=$2 src=$(realpath "$3") dst=$(realpath "$4")
extra="" && [ "$kind" = rewrite ] && extra=", rewrite: true"
cat >"$dst/hygge.yml" <<YML
name: bench
flows:
  move:
    home: {type: parquet, path: "$src"}
    store: {type: parquet, path: data, compression: zstd$extra}
YML
exec "$hygge" start --quiet --project "$dst"
