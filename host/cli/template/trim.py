"""Makes `data/` from the five nycflights13 tables, given as Parquet files in one folder.

    python trim.py path/to/nycflights13

Airlines, airports and planes stay whole; flights and weather keep January 2013. Rows keep
their values, NULLs and types; they are put in the order of `time_hour` so that flights can be
cut into two files as a feed would deliver them. Needs pyarrow.
"""

import datetime
import pathlib
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

source = pathlib.Path(sys.argv[1])
target = pathlib.Path(__file__).parent / "data" / "landing"


def read(name):
    table = pq.read_table(source / f"{name}.parquet").replace_schema_metadata(None)
    plain = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(plain))


def write(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=15,
        use_dictionary=True,
        store_schema=False,
    )


def january(table):
    keys = ["time_hour", "origin"] + [c for c in ("carrier", "flight") if c in table.column_names]
    month = table.filter(pc.and_(pc.equal(table["year"], 2013), pc.equal(table["month"], 1)))
    return month.sort_by([(key, "ascending") for key in keys])


target.mkdir(parents=True, exist_ok=True)
with open(target / "airlines.csv", "wb") as file:
    # By hand, since the writer always quotes the header.
    file.write(b"carrier,name\n")
    plain = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    pyarrow.csv.write_csv(read("airlines"), file, plain)
write(read("airports"), target / "airports.parquet")
write(read("planes"), target / "planes.parquet")
write(january(read("weather")), target / "weather.parquet")

flights = january(read("flights"))
middle = pa.scalar(datetime.datetime(2013, 1, 16), flights["time_hour"].type)
first = pc.less(flights["time_hour"], middle)
write(flights.filter(first), target / "flights" / "2013-01-01.parquet")
write(flights.filter(pc.invert(first)), target / "flights" / "2013-01-16.parquet")
