#!/usr/bin/env bash
# ours.sh HYGGE KIND SRC DST: moves SRC (a Parquet file or folder) below DST in a project of its
# own. KIND is `rewrite` (decode and encode, zstd 3), `copy` (row groups as they are), or `rows`
# (whole rows, decoded to follow the watermark in column c0000 of wide.py's files), `transforms`
# (filter, derive and cast, as peer.py's polars-transforms), `decoded` (the same rows with a transform
# that changes nothing) or `converted` (that and the columns of `transforms` to Polars and back).
set -euo pipefail
hygge=$1 kind=$2 src=$(realpath "$3") dst=$(realpath "$4")
extra="" && [ "$kind" = rewrite ] && extra=", rewrite: true"
watermark="" && [ "$kind" = rows ] && watermark=", incremental: {column: c0000, strategy: append}"
list=""
case "$kind" in
  transforms) list='
    transforms:
    - {type: filter, where: "amount > 700 AND email IS NOT NULL"}
    - {type: derive, columns: {total: "amount * qty", label: "UPPER(name) || '"'-'"' || CAST(qty AS VARCHAR)"}}
    - {type: cast, columns: {qty: int64, price: "decimal(20, 6)", id: string}}' ;;
  decoded) list='
    transforms: [{type: rename, columns: {id: key}}]' ;;
  converted) list='
    transforms: [{type: derive, columns: {amount: amount, email: email, name: name, qty: qty}}]' ;;
esac
cat >"$dst/hygge.yml" <<YML
name: bench
flows:
  move:
    home: {type: parquet, path: "$src"$watermark}
    store: {type: parquet, path: data, compression: zstd$extra}$list
YML
exec "$hygge" start --quiet --project "$dst"
