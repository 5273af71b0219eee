"""A Store that writes NDJSON into a folder it was granted.

    FOLDER/stage/RUN/SPLIT.ATTEMPT.ndjson    what is staged
    FOLDER/rows/RUN.SPLIT.ndjson             what was committed, and maybe what wasn't yet
    FOLDER/current.json                      which of those count, and whose they are

Renaming `current.json` into place is the commit. Everything before can be done again; everything
after only takes away what doesn't count any more.
"""

import errno
import json
import os
import shutil
import string

import arrow_ipc
from componentize_py_types import Err
from wit_world.exports import store
from wit_world.imports.types import Fault, Finding


def fault(code, message):
    return Err(Fault(code, message, False, None, []))


def folder(config):
    return json.loads(config)["folder"]


def owner(entity):
    return f"{entity.flow}/{entity.name}"


def current(config):
    """What was committed last; none when nothing was."""
    try:
        with open(f"{folder(config)}/current.json") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        raise fault("destination.foreign", f"{folder(config)}/current.json isn't ours") from None


def sync(path):
    """Makes a file or folder durable. A folder that can't be opened here is left to the host."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EBADF, errno.ENOTCAPABLE):
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check(config):
    path = near = folder(config)
    while near and not os.path.isdir(near):
        near = os.path.dirname(near)
    probe = f"{near}/.hygge-check"
    try:
        with open(probe, "x"):
            pass
        os.remove(probe)
    except OSError as error:
        advice = f"grant it: `write: [{path.split('/')[0]}]`"
        return [Finding(False, f"{path} can't be written: {error.strerror}", advice)]
    return [Finding(True, f"{path} can be written", None)]


def inspect(config, entity, memory):
    found = current(config)
    if found is None:
        return store.Standing("vacant", None, None)
    if found["owner"] != owner(entity):
        return store.Standing("foreign", None, f"rows of {found['owner']}")
    if memory is not None and memory.decode() == found["run"]:
        return store.Standing("ours", None, None)
    return store.Standing("marked", found["run"], None)


def begin(config, target):
    if target.action not in ("append", "replace"):
        raise fault("destination.unsupported", f"{target.action} isn't something this store can")
    try:
        schema, _ = arrow_ipc.read(target.schema)
    except arrow_ipc.Invalid as error:
        raise fault("schema", str(error)) from None
    for field in schema:
        if field.type == arrow_ipc.BINARY:
            raise fault("schema", f"column {field.name} is binary, which JSON has no form for")
    try:
        os.makedirs(f"{folder(config)}/stage/{target.run}", exist_ok=True)
        os.makedirs(f"{folder(config)}/rows", exist_ok=True)
    except OSError as error:
        raise fault("destination.io", f"{folder(config)} can't be written: {error.strerror}") from None
    return ""


class Writer(store.Writer):
    def __init__(self, config, target, split, attempt):
        self.split, self.attempt, self.rows = split, attempt, 0
        self.path = f"{folder(config)}/stage/{target.run}/{split}.{attempt}.ndjson"
        self.file = open(self.path, "wb")

    def write(self, seq, batch):
        schema, columns = arrow_ipc.read(batch)
        names = [field.name for field in schema]
        for row in zip(*columns):
            self.file.write(json.dumps(dict(zip(names, row)), ensure_ascii=False).encode() + b"\n")
            self.rows += 1

    def finish(self):
        self.file.flush()
        os.fsync(self.file.fileno())
        size = self.file.tell()
        self.file.close()
        return store.Receipt(self.split, self.attempt, self.rows, size, self.path, [])


def commit(config, known, receipts):
    path, before = folder(config), current(config)
    if before is not None and before["owner"] != owner(known.entity):
        raise fault("destination.foreign", f"{path} has rows of {before['owner']}")
    if before is None or before["run"] != known.run:
        files = []
        for receipt in receipts:
            name = f"{known.run}.{receipt.split}.ndjson"
            if not os.path.exists(f"{path}/rows/{name}"):
                os.rename(receipt.data, f"{path}/rows/{name}")
            files.append(name)
        sync(f"{path}/rows")
        kept = before["files"] if before is not None and known.action == "append" else []
        text = {"owner": owner(known.entity), "run": known.run, "files": kept + files, "parts": len(files)}
        with open(f"{path}/next.json", "w") as file:
            json.dump(text, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{path}/next.json", f"{path}/current.json")
        sync(path)
    now = current(config)
    for name in os.listdir(f"{path}/rows"):
        if name not in now["files"]:
            os.remove(f"{path}/rows/{name}")
    return store.Settled(path, now["parts"], known.run.encode())


def abort(receipts):
    for receipt in receipts:
        if os.path.exists(receipt.data):
            os.remove(receipt.data)


def cleanup(config, runs):
    for run in runs:
        if set(run) <= set(string.ascii_lowercase + string.digits + "-"):
            shutil.rmtree(f"{folder(config)}/stage/{run}", ignore_errors=True)
