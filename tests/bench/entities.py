"""Measures one project over many entities: entities.py HYGGE OUT_DIR [COUNT [ROWS_EACH]].

Writes COUNT small Parquet files, moves each to a folder of its own in one run, and prints wall
seconds, CPU seconds, peak RSS and, when strace is installed, how many fsyncs it took.
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

hygge, out = sys.argv[1], pathlib.Path(sys.argv[2])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
rows = int(sys.argv[4]) if len(sys.argv) > 4 else 5_000
shutil.rmtree(out, ignore_errors=True)
(out / "src").mkdir(parents=True)
for n in range(count):
    table = pa.table({
        "id": pa.array(range(rows), pa.int64()),
        "name": [f"entity {n} row {k}" for k in range(rows)],
        "amount": [k * 0.25 for k in range(rows)],
    })
    pq.write_table(table, out / "src" / f"e{n:04}.parquet")
entities = "".join(f"      - {{name: e{n:04}, home: src/e{n:04}.parquet}}\n" for n in range(count))
(out / "hygge.yml").write_text(
    "name: bench\nflows:\n  many:\n    store: {type: parquet, path: 'lake/{entity}', rewrite: true}\n"
    f"    entities:\n{entities}")


def run(*prefix):
    shutil.rmtree(out / "lake", ignore_errors=True)
    shutil.rmtree(out / ".hygge", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run([*prefix, hygge, "start", "--quiet", "--project", str(out)], check=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss / 1024


wall, cpu, rss = run()
print(f"{count} entities of {rows:,} rows: {wall:.2f} s wall, {cpu:.2f} CPU s, {rss:.0f} MB peak RSS")
if shutil.which("strace"):
    log = out / "syncs"
    run("strace", "-f", "-o", str(log), "-e", "trace=fsync,fdatasync,sync_file_range,syncfs")
    syncs = sum("sync(" in line or "resumed" not in line and "syncfs(" in line for line in open(log))
    print(f"{syncs} fsyncs, {syncs / count:.1f} an entity")
