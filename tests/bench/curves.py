"""How one machine answers: curves.py HYGGE ROWS_DIR OUT_DIR [sizes|entities|rows ...].

ROWS_DIR is what gen.py wrote. Every line is one whole `hygge start` with `rewrite: true`.
`sizes`: over batch and queue sizes, with a watermark
to follow, since otherwise row groups go from end to end as they are and neither matters. `entities`: the same rows as 1, 2, 4, 8 and 16 entities.
`rows`: 10 and 100 million rows (the eight files, and ten names for each of them).
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

hygge, rows_dir, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
wanted = sys.argv[4:] or ["sizes", "entities", "rows"]


def apart(code, *args):
    """Runs code on the eight files' table in a process of its own: a child's peak RSS, as the
    system counts it, begins at its parent's, so this process stays small."""
    head = "import sys, pyarrow.dataset as ds, pyarrow.parquet as pq\ntable = ds.dataset(sys.argv[2:], format='parquet').to_table()\n"
    first = [str(a) for a in args] or [""]
    return subprocess.check_output([sys.executable, "-c", head + code, *first, *map(str, eight)], text=True)


def link(files, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for n, file in enumerate(files):
        os.link(file, folder / f"part-{n:03}.parquet")


def run(label, sources, rows, *flags, home=""):
    """Moves every folder of `sources` to one of its own; prints what it took."""
    project = out / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    entities = "".join(f"      - {{name: e{n:02}, home: {{path: '{s}'{home}}}}}\n" for n, s in enumerate(sources))
    (project / "hygge.yml").write_text(
        "name: bench\nflows:\n  move:\n    store: {type: parquet, path: 'lake/{entity}', compression: zstd, rewrite: true}\n"
        f"    entities:\n{entities}")
    began = time.monotonic()
    process = subprocess.Popen([hygge, "start", "--quiet", "--project", str(project), *flags])
    _, status, used = os.wait4(process.pid, 0)
    wall, cpu = time.monotonic() - began, used.ru_utime + used.ru_stime
    if status:
        sys.exit(f"{label} failed")
    print(f"{label:28} {wall:7.2f} s {cpu:7.2f} CPU s {used.ru_maxrss / 1024:6.0f} MB {rows / wall:12,.0f} rows/s", flush=True)


out.mkdir(parents=True, exist_ok=True)
eight = sorted((rows_dir / "eight").glob("*.parquet"))
total = int(apart("print(table.num_rows)"))

if "sizes" in wanted:
    link(eight, out / "eight")
    follow = ", incremental: {column: id}"
    for batch in (64, 256, 512, 1024, 2048, 4096, 8192):
        run(f"batch {batch} KiB", [out / "eight"], total, "--batch-bytes", str(batch << 10), home=follow)
    for queue in (1, 4, 8, 16, 32, 64):
        run(f"queue {queue} MiB", [out / "eight"], total, "--queue-bytes", str(queue << 20), home=follow)

if "entities" in wanted:
    sixteenths = out / "sixteenths"
    if not sixteenths.exists():
        sixteenths.mkdir()
        apart("""
part = -(-table.num_rows // 16)
for n in range(16):
    pq.write_table(table.slice(n * part, part), f"{sys.argv[1]}/{n:02}.parquet",
                   row_group_size=122_880, compression="zstd", compression_level=3)
""", sixteenths)
    files = sorted(sixteenths.glob("*.parquet"))
    for count in (1, 2, 4, 8, 16):
        each = len(files) // count
        sources = [out / f"of{count}-{n:02}" for n in range(count)]
        for n, source in enumerate(sources):
            link(files[n * each:(n + 1) * each], source)
        run(f"{count} entities", sources, total)

if "rows" in wanted:
    for times in (1, 10):
        link(eight * times, out / "times")
        run(f"{total * times:,} rows", [out / "times"], total * times)
