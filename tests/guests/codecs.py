"""Compares the Arrow codecs of the C and the Python guest with pyarrow, on random batches.

    codecs.py SEED python
    codecs.py SEED c PROGRAM     PROGRAM is c/codec.c, built natively: a stream in, a stream out

Each codec reads what pyarrow wrote, and writes it again; pyarrow, which checks it in full, must
find the same schema and values. Then bytes are damaged: a codec may refuse or read something
else, but not crash, and what it makes of them must be something that pyarrow reads.
"""

import io
import pathlib
import random
import struct
import subprocess
import sys

import pyarrow as pa

sys.path.insert(0, str(pathlib.Path(__file__).parent / "python"))
import arrow_ipc

TYPES = [
    *(pa.bool_(), pa.utf8(), pa.binary(), pa.date32(), pa.float32(), pa.float64()),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin")),
]


def value(chance, kind):
    if pa.types.is_boolean(kind):
        return chance.random() < 0.5
    if pa.types.is_string(kind):
        return "".join(chance.choice("abcXYZ äß☕🦀\0\n") for _ in range(chance.randrange(12)))
    if pa.types.is_binary(kind):
        return chance.randbytes(chance.randrange(12))
    if pa.types.is_floating(kind):
        size = kind.bit_width // 8
        bits = chance.choice([chance.randbytes(size), struct.pack("<d", chance.uniform(-9, 9))[-size:]])
        return struct.unpack("<f" if size == 4 else "<d", bits)[0]
    if pa.types.is_unsigned_integer(kind):
        return chance.choice([0, 1, 2**kind.bit_width - 1, chance.randrange(2**kind.bit_width)])
    low = -(2 ** (kind.bit_width - 1))
    return chance.choice([0, -1, low, -low - 1, chance.randrange(low, -low)])


def column(chance, kind, nullable, rows):
    share = chance.choice([0, 0, 0.1, 0.9, 1]) if nullable else 0
    values = [None if chance.random() < share else value(chance, kind) for _ in range(rows)]
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        # As numbers: most of them are no moment of the calendar.
        storage = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values, storage).cast(kind)
    return pa.array(values, kind)


def batch(chance):
    rows = chance.choice([0, 1, 7, 8, 9, 64, chance.randrange(300)])
    kinds = [chance.choice(TYPES) for _ in range(chance.randrange(1, 9))]
    nullable = [chance.random() < 0.7 for _ in kinds]
    names = [chance.choice(["", "id", "größe", "x" * chance.randrange(40)]) for _ in kinds]
    fields = [pa.field(name, kind, null) for name, kind, null in zip(names, kinds, nullable)]
    columns = [column(chance, kind, null, rows) for kind, null in zip(kinds, nullable)]
    whole = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
    # A slice has offsets that don't begin at zero before it is written.
    start = chance.choice([0, chance.randrange(rows + 1)])
    return whole.slice(start)


def stream(schema, batches):
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema) as writer:
        for each in batches:
            writer.write_batch(each)
    return out.getvalue()


def plain(batch):
    """Values in which NaN equals NaN, and moments outside of the calendar are allowed."""
    numbers = {32: pa.int32(), 64: pa.int64()}
    return repr(
        [
            each.cast(numbers[each.type.bit_width]).to_pylist() if pa.types.is_temporal(each.type) else each.to_pylist()
            for each in batch.columns
        ]
    )


def check(codec, schema, batches):
    given = stream(schema, batches)
    made, why = codec(given)
    assert made is not None, f"refused what pyarrow wrote: {why}"
    reader = pa.ipc.open_stream(made)
    assert reader.schema.equals(schema), f"expected {schema}, found {reader.schema}"
    found = list(reader)
    assert len(found) == len(batches), f"expected {len(batches)} batches, found {len(found)}"
    for each, expected in zip(found, batches):
        each.validate(full=True)
        assert plain(each) == plain(expected), f"expected {plain(expected)}, found {plain(each)}"
        for column, same in zip(each.columns, expected.columns):
            assert column.null_count == same.null_count
    again, why = codec(made)
    assert again == made, f"its own writing read back differs: {why}"
    return given


def damage(chance, codec, given):
    wrong = bytearray(given)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(wrong))
        wrong[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    if chance.random() < 0.3:
        del wrong[chance.randrange(len(wrong)) :]
    made, why = codec(bytes(wrong))
    if made is None:
        assert why, "refused without a reason"
        return
    for each in pa.ipc.open_stream(made):
        each.validate()


def python(given):
    try:
        return arrow_ipc.write(*arrow_ipc.read(given)), ""
    except (arrow_ipc.Invalid, ValueError) as error:
        # A ValueError: nulls in a column without, which the writer refuses.
        return None, str(error)


def c(program):
    running = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def codec(given):
        running.stdin.write(struct.pack("<Q", len(given)) + given)
        running.stdin.flush()
        answer = running.stdout.read(9)
        assert len(answer) == 9, f"ended with {running.wait()}"
        well, size = struct.unpack("<?Q", answer)
        found = running.stdout.read(size)
        return (found, "") if well else (None, found.decode(errors="replace"))

    return codec


def beyond(codec):
    """What flat readers don't read is refused by name, not misread."""
    for kind in [pa.list_(pa.int8()), pa.decimal128(9, 2), pa.large_utf8(), pa.date64(), pa.float16()]:
        made, why = codec(stream(pa.schema([("odd", kind)]), []))
        assert made is None and "column odd is of a type" in why, (kind, why)
    schema = pa.schema([("word", pa.dictionary(pa.int8(), pa.utf8()))])
    made, why = codec(stream(schema, []))
    assert made is None and "column word is a dictionary" in why, why
    one = pa.record_batch({"n": [1]})
    made, why = codec(stream(one.schema, [one, one]))
    assert made is None and "more than one record batch" in why, why


def main(seed, which, program=None):
    codec = python if which == "python" else c(program)
    chance = random.Random(int(seed))
    beyond(codec)
    for _ in range(300):
        one = batch(chance)
        check(codec, one.schema, [])
        given = check(codec, one.schema, [one])
        for _ in range(3):
            damage(chance, codec, given)


main(*sys.argv[1:])
