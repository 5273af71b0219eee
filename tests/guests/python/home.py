"""A Home of invented days, a split for each thousand of them.

Each run gives the same days, and says in the column `run` which run it is: that is counted in the
state, which the host commits with the position.
"""

import json

import arrow_ipc
from arrow_ipc import BOOL, DATE32, FLOAT32, INT64, UTF8, Field
from componentize_py_types import Err
from wit_world.exports import home
from wit_world.imports import control, log, state
from wit_world.imports.types import Fault, Finding

SCHEMA = [
    Field("day", DATE32, nullable=False),
    Field("run", INT64, nullable=False),
    Field("note", UTF8),
    Field("free", BOOL),
    Field("hours", FLOAT32),
]
NOTES = ["Monday ☕", None, "", "Thursday", None, "Saturday", "Sunday"]
SPLIT = 1000


def columns(run, first, end):
    """The days from `first` to before `end`, counted from 1970-01-01."""
    days = range(first, end)
    return [
        list(days),
        [run] * len(days),
        [NOTES[day % 7] for day in days],
        [None if day % 5 == 4 else day % 7 > 4 for day in days],
        [None if day % 11 == 10 else day % 24 / 2 for day in days],
    ]


def check(config):
    days = json.loads(config)["days"]
    return [Finding(True, f"{days} days can be invented", None)]


def discover(config):
    return json.dumps({"entities": [{"name": "days", "rows": json.loads(config)["days"]}]})


def splits(config, request):
    days = json.loads(config)["days"]
    run = int(state.get("runs") or b"0") + 1
    state.set("runs", str(run).encode())
    if request.position is not None:
        log.write("info", f"after {request.position}", [])
    parts = []
    for first in range(0, days, SPLIT):
        end = min(first + SPLIT, days)
        spec = json.dumps({"run": run, "first": first, "end": end})
        parts.append(home.Split(f"day-{first}", spec, end - first, None))
    return home.SplitPlan(
        schema=arrow_ipc.write(SCHEMA),
        splits=parts,
        fingerprint=f"run {run}, {days} days",
        high=None,
        position=f"run {run}",
        warnings=[],
        attributes=[],
    )


class Reader(home.Reader):
    """Positions are the number of the next day."""

    def __init__(self, split, resume):
        spec = json.loads(split.spec)
        self.run, self.end = spec["run"], spec["end"]
        self.at = spec["first"] if resume is None else int(resume)

    def schema(self):
        return arrow_ipc.write(SCHEMA)

    def next(self, max_rows, max_bytes, wait_ms):
        if control.should_stop():
            raise Err(Fault("stopped", "asked to stop", False, None, []))
        # Two batches a split, so that there is a position in between.
        end = min(self.at + min(max_rows, SPLIT // 2), self.end)
        if self.at == end:
            return None
        batch = arrow_ipc.write(SCHEMA, columns(self.run, self.at, end))
        self.at = end
        return home.Step(batch, str(end))
