"""What a plugin costs at the start: startup.py HYGGE MASK_WASM WORK.

Starts a project of one small table with and without `mask` among its transforms, in turn, after
a first start that compiled it; then lists a folder of 100 plugins. Medians, in milliseconds.
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

hygge, wasm, work = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
ROUNDS = 41
shutil.rmtree(work, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = str((work / "cache").absolute())


def project(name, transforms):
    folder = work / name
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id,name\n1,Ada\n2,Bob\n")
    (folder / "hygge.yml").write_text(
        f"name: {name}\nflows:\n  a:\n    home: a.csv\n    store: lake\n    transforms: {transforms}\n")
    return folder


def run(folder, *arguments):
    """Milliseconds of wall and CPU time."""
    began = time.perf_counter()
    process = subprocess.Popen([hygge, *arguments, "--project", str(folder)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, status
    return (time.perf_counter() - began) * 1000, (used.ru_utime + used.ru_stime) * 1000


def medians(measured):
    return [round(statistics.median(column), 1) for column in zip(*measured)]


plain = project("plain", "[]")
masked = project("masked", "[{type: sandboxed-mask, columns: {name: {how: truncate, keep: 1}}}]")
(masked / "plugins").mkdir()
shutil.copy(wasm, masked / "plugins/mask.wasm")
first = run(masked, "start", "--quiet")
run(plain, "start", "--quiet")
pairs = [(run(plain, "start", "--quiet"), run(masked, "start", "--quiet")) for _ in range(ROUNDS)]
without, with_it = medians(p for p, _ in pairs), medians(m for _, m in pairs)
print(f"\nstart of a small project, ms wall and CPU; mask.wasm has {wasm.stat().st_size / 1e6:.1f} MB")
print(f"  without plugins      {without}")
print(f"  with mask, cached    {with_it}   {with_it[0] - without[0]:+.1f} wall, {with_it[1] - without[1]:+.1f} CPU")
print(f"  with mask, first     {[round(f, 1) for f in first]}")

# A hundred plugins of one code, each with a name of its own in its description.
many = project("many", "[]")
(many / "plugins").mkdir()
code = wasm.read_bytes()
assert code.count(b'"name":"mask"') >= 1
for n in range(100):
    (many / f"plugins/m{n:03}.wasm").write_bytes(code.replace(b'"name":"mask"', b'"name":"m%03d"' % n))
listed = subprocess.check_output([hygge, "plugin", "list", "--project", str(many)], text=True)
assert listed.count(" ready\n") == 100, listed
print(f"  100 plugins listed   {medians(run(many, 'plugin', 'list') for _ in range(11))}")
