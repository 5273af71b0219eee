"""Compares pairs of Parquet files or folders by pyarrow, a reader that hygge has no part in.

Reads a JSON list of [expected, found] paths from stdin and writes a JSON list with one text a
pair: empty when they hold the same schema and rows in the same order, else what differs.
"""

import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq


def read(path):
    path = pathlib.Path(path)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"no files in {path}")
    # One ParquetFile a file: a data set would invent columns from folder names.
    return pa.concat_tables(map(table, files))


def table(file):
    try:
        return pq.ParquetFile(file).read()
    except pa.ArrowNotImplementedError:
        # Nested columns over several row groups: read a row group at a time.
        file = pq.ParquetFile(file)
        return pa.concat_tables(file.read_row_group(n) for n in range(file.num_row_groups))


def plain(table):
    """Rows as text in which NaN equals NaN, and that has every nanosecond."""
    columns = [column.cast(pa.string()) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    return repr([column.to_pylist() for column in columns])


def difference(expected, found):
    expected, found = read(expected), read(found)
    if not expected.schema.equals(found.schema, check_metadata=False):
        return f"schema: expected {expected.schema}, found {found.schema}"
    if expected.num_rows != found.num_rows:
        return f"rows: expected {expected.num_rows}, found {found.num_rows}"
    if expected.equals(found):
        return ""
    for name in expected.column_names if len(set(expected.column_names)) == len(expected.column_names) else []:
        if plain(expected.select([name])) != plain(found.select([name])):
            return f"column {name} differs"
    return "" if plain(expected) == plain(found) else "values differ"


def compare(expected, found):
    try:
        return difference(expected, found)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


json.dump([compare(*pair) for pair in json.load(sys.stdin)], sys.stdout)
