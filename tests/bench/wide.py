"""Writes OUT/wide-COLUMNS.parquet for each number of columns: the same bytes, as wide as that."""
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

out, mib, widths = sys.argv[1], int(sys.argv[2]), [int(n) for n in sys.argv[3:]]
ROW_GROUP = 122_880
WORDS = pa.array([f"word {n:05} and more" for n in range(5000)])


def column(kind: int, rows: int, rng: np.random.Generator) -> pa.Array:
    """One of five kinds that take 8.8 bytes a value on average."""
    if kind == 0:
        return pa.array(np.cumsum(rng.integers(1, 1000, rows)))
    if kind == 1:
        return pa.array(rng.normal(1000, 300, rows).round(2))
    if kind == 2:
        return WORDS.take(pa.array(rng.integers(0, len(WORDS), rows)))
    if kind == 3:
        return pa.array(rng.integers(0, 1000, rows, dtype=np.int32))
    return pa.array(rng.integers(1_577_836_800_000_000, 1_767_225_600_000_000, rows), pa.timestamp("us"))


os.makedirs(out, exist_ok=True)
for width in widths:
    rng = np.random.default_rng(20260101)
    left = mib * 2**20 * 10 // (width * 88)
    names = [f"c{at:04}" for at in range(width)]
    writer = None
    rows = 0
    while left > 0:
        n = min(left, ROW_GROUP)
        table = pa.table([column(at % 5, n, rng) for at in range(width)], names)
        if writer is None:
            writer = pq.ParquetWriter(f"{out}/wide-{width}.parquet", table.schema, compression="zstd", compression_level=3)
        writer.write_table(table, row_group_size=ROW_GROUP)
        left -= n
        rows += n
    writer.close()
    print(f"{width:,} columns, {rows:,} rows", flush=True)
