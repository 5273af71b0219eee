"""Flat Arrow columns, read from and written to self-contained IPC streams, in plain Python.

The trade-off: there is no Arrow library that runs in a WebAssembly guest, so this speaks the part
of the format that a guest can't do without, and nothing else: one schema, at most one record
batch, no compression, no nesting, no dictionaries. Values are Python objects; it is slow and easy
to read. Everything is checked against the bounds of the bytes before it is used.

    schema = [Field("id", INT64, nullable=False), Field("at", timestamp(MICROSECOND, "UTC"))]
    stream = write(schema, [[1, 2], [None, 1_700_000_000_000_000]])
    schema, columns = read(stream)          # columns is None when the stream has only a schema

Dates are days and timestamps are counts of their unit since 1970, both as numbers.
"""

import struct
from dataclasses import dataclass
from typing import Optional

# Type ids of the union `Type` in Schema.fbs, and header ids of `MessageHeader` in Message.fbs.
_INT, _FLOAT, _BINARY, _UTF8, _BOOL, _DATE, _TIMESTAMP = 2, 3, 4, 5, 6, 8, 10
_SCHEMA, _RECORD_BATCH = 1, 3
_V5 = 4
_CONTINUATION = b"\xff\xff\xff\xff"
_END = _CONTINUATION + bytes(4)

SECOND, MILLISECOND, MICROSECOND, NANOSECOND = range(4)


class Invalid(ValueError):
    """The bytes are not such a stream, or hold something that this module doesn't read."""


@dataclass(frozen=True)
class Type:
    """A type of column: `code` is how `struct` packs a value, empty when it has no fixed width."""

    id: int
    code: str = ""
    unit: int = 0
    zone: Optional[str] = None


INT8, INT16, INT32, INT64 = (Type(_INT, code) for code in "bhiq")
UINT8, UINT16, UINT32, UINT64 = (Type(_INT, code) for code in "BHIQ")
FLOAT32, FLOAT64 = Type(_FLOAT, "f"), Type(_FLOAT, "d")
BOOL, UTF8, BINARY, DATE32 = Type(_BOOL), Type(_UTF8), Type(_BINARY), Type(_DATE, "i")


def timestamp(unit, zone=None):
    """A timestamp in a unit, with or without a zone."""
    return Type(_TIMESTAMP, "q", unit, zone)


@dataclass(frozen=True)
class Field:
    """A column's name and type."""

    name: str
    type: Type
    nullable: bool = True


# Reading


def read(stream):
    """The schema, and the columns as lists of values; none when there is no record batch."""
    view = memoryview(stream)
    message, body, at = _message(view, 0)
    schema = _read_schema(_header(message, _SCHEMA))
    if _at_end(view, at):
        return schema, None
    message, body, at = _message(view, at)
    columns = _read_batch(schema, _header(message, _RECORD_BATCH), body)
    if not _at_end(view, at):
        raise Invalid("more than one record batch")
    return schema, columns


def _at_end(view, at):
    if view[at : at + 8] != _END:
        return False
    if len(view) != at + 8:
        raise Invalid("bytes after the end of the stream")
    return True


def _message(view, at):
    """The message table that stands at `at`, its body, and where the next one is."""
    if view[at : at + 4] != _CONTINUATION or len(view) < at + 8:
        raise Invalid("a message was expected")
    (size,) = struct.unpack_from("<i", view, at + 4)
    at += 8
    if size <= 0 or size > len(view) - at:
        raise Invalid("a message that ends outside of the stream")
    message = _Table.root(view[at : at + size])
    at += size
    length = message.scalar(3, "q", 0)
    if length < 0 or length > len(view) - at:
        raise Invalid("a body that ends outside of the stream")
    return message, view[at : at + length], at + length


def _header(message, kind):
    if message.scalar(1, "B", 0) != kind:
        raise Invalid("a message of another kind than expected")
    return message.table(2)


def _read_schema(table):
    if table.scalar(0, "h", 0) != 0:
        raise Invalid("big-endian")
    return [_read_field(field) for field in table.tables(1)]


def _read_field(table):
    name = table.text(0)
    if table.has(4):
        raise Invalid(f"column {name} is a dictionary")
    kind, of = table.scalar(2, "B", 0), table.table(3)
    if kind in (_BOOL, _UTF8, _BINARY):
        found = Type(kind)
    elif kind == _INT and of.scalar(0, "i", 0) in (8, 16, 32, 64):
        code = {8: "b", 16: "h", 32: "i", 64: "q"}[of.scalar(0, "i", 0)]
        found = Type(_INT, code if of.scalar(1, "B", 0) else code.upper())
    elif kind == _FLOAT and of.scalar(0, "h", 0) in (1, 2):
        found = FLOAT32 if of.scalar(0, "h", 0) == 1 else FLOAT64
    elif kind == _DATE and of.scalar(0, "h", 1) == 0:
        found = DATE32
    elif kind == _TIMESTAMP and of.scalar(0, "h", 0) in range(4):
        found = timestamp(of.scalar(0, "h", 0), of.text(1) if of.has(1) else None)
    else:
        raise Invalid(f"column {name} is of a type that isn't read here")
    return Field(name, found, bool(table.scalar(1, "B", 0)))


def _read_batch(schema, table, body):
    if table.has(3):
        raise Invalid("compressed")
    rows = table.scalar(0, "q", 0)
    nodes = iter(table.structs(1, "<qq"))
    buffers = iter(table.structs(2, "<qq"))

    def buffer():
        offset, length = next(buffers, (-1, 0))
        if offset < 0 or length < 0 or offset + length > len(body):
            raise Invalid("a buffer outside of the body")
        return body[offset : offset + length]

    columns = []
    for field in schema:
        length, nulls = next(nodes, (-1, 0))
        if length != rows or not 0 <= nulls <= rows:
            raise Invalid(f"column {field.name} has another length than the batch")
        validity = buffer()
        if field.type.id in (_UTF8, _BINARY):
            values = _spans(buffer(), buffer(), rows, field)
        elif field.type.id == _BOOL:
            values = _bits(buffer(), rows)
        else:
            size = struct.calcsize("<" + field.type.code)
            values = _unpack(buffer(), field.type.code, rows, size)
        if nulls:
            values = [v if valid else None for v, valid in zip(values, _bits(validity, rows))]
        if field.type.id == _UTF8:
            values = [None if v is None else _decode(v) for v in values]
        columns.append(values)
    if next(nodes, None) or next(buffers, None):
        raise Invalid("more columns than the schema has")
    return columns


def _unpack(buffer, code, count, size):
    if len(buffer) < count * size:
        raise Invalid("a buffer that is too short")
    return list(struct.unpack_from(f"<{count}{code}", buffer))


def _bits(buffer, count):
    if len(buffer) * 8 < count:
        raise Invalid("a bitmap that is too short")
    return [bool(buffer[n >> 3] >> (n & 7) & 1) for n in range(count)]


def _spans(offsets, data, count, field):
    if not count:
        return []
    ends = _unpack(offsets, "i", count + 1, 4)
    if ends[0] < 0 or ends[-1] > len(data) or any(a > b for a, b in zip(ends, ends[1:])):
        raise Invalid(f"column {field.name} has offsets outside of its values")
    return [bytes(data[a:b]) for a, b in zip(ends, ends[1:])]


def _decode(text):
    try:
        return str(text, "utf-8")
    except UnicodeDecodeError:
        raise Invalid("a text that is not UTF-8") from None


def _number(view, code, at):
    try:
        if at < 0:
            raise Invalid("an offset before the message")
        return struct.unpack_from("<" + code, view, at)[0]
    except struct.error:
        raise Invalid("an offset outside of the message") from None


class _Table:
    """A FlatBuffers table: fields by number, each looked up in the vtable."""

    def __init__(self, view, at):
        self.view, self.at = view, at
        self.vtable = at - _number(view, "i", at)
        self.size = _number(view, "H", self.vtable)

    @classmethod
    def root(cls, view):
        return cls(view, _number(view, "I", 0))

    def _get(self, code, at):
        return _number(self.view, code, at)

    def _slot(self, field):
        entry = 4 + 2 * field
        offset = self._get("H", self.vtable + entry) if entry + 2 <= self.size else 0
        return self.at + offset if offset else None

    def _follow(self, at):
        return _Table(self.view, at + self._get("I", at))

    def has(self, field):
        return self._slot(field) is not None

    def scalar(self, field, code, default):
        at = self._slot(field)
        return default if at is None else self._get(code, at)

    def table(self, field):
        at = self._slot(field)
        if at is None:
            raise Invalid("a part of the message is missing")
        return self._follow(at)

    def _vector(self, field, width):
        """Where its elements stand, and how many there are."""
        at = self._slot(field)
        if at is None:
            return 0, 0
        at += self._get("I", at)
        count = self._get("I", at)
        if count * width > len(self.view) - at - 4:
            raise Invalid("a list that ends outside of the message")
        return at + 4, count

    def text(self, field):
        at, count = self._vector(field, 1)
        return _decode(self.view[at : at + count])

    def tables(self, field):
        at, count = self._vector(field, 4)
        return [self._follow(at + 4 * n) for n in range(count)]

    def structs(self, field, layout):
        size = struct.calcsize(layout)
        at, count = self._vector(field, size)
        return [struct.unpack_from(layout, self.view, at + size * n) for n in range(count)]


# Writing


def write(schema, columns=None):
    """A stream with the schema and, when there are columns, one record batch."""
    out = _frame(_write_schema(schema), b"")
    if columns is not None:
        out += _frame(*_write_batch(schema, columns))
    return out + _END


def _frame(message, body):
    message += bytes(-len(message) % 8)
    return _CONTINUATION + struct.pack("<i", len(message)) + message + body


def _write_schema(schema):
    flat, header = _Flat.message(_SCHEMA, 0)
    table = flat.table(header, {0: "h", 1: "I"})
    for at, field in zip(flat.vector(table[1], len(schema)), schema):
        kind = field.type
        # The empty list of children is there because readers insist on it.
        slots = flat.table(at, {0: "I", 1: "B", 2: "B", 3: "I", 5: "I"})
        flat.put("B", slots[1], field.nullable)
        flat.put("B", slots[2], kind.id)
        flat.text(slots[0], field.name)
        flat.vector(slots[5], 0)
        if kind.id == _INT:
            of = flat.table(slots[3], {0: "i", 1: "B"})
            flat.put("i", of[0], 8 * struct.calcsize("<" + kind.code))
            flat.put("B", of[1], kind.code.islower())
        elif kind.id == _FLOAT:
            flat.put("h", flat.table(slots[3], {0: "h"})[0], 1 if kind.code == "f" else 2)
        elif kind.id == _DATE:
            # Days are 0, which has to be written: it isn't the default.
            flat.table(slots[3], {0: "h"})
        elif kind.id == _TIMESTAMP:
            of = flat.table(slots[3], {0: "h"} if kind.zone is None else {0: "h", 1: "I"})
            flat.put("h", of[0], kind.unit)
            if kind.zone is not None:
                flat.text(of[1], kind.zone)
        else:
            flat.table(slots[3], {})
    return bytes(flat.data)


def _write_batch(schema, columns):
    rows = len(columns[0]) if columns else 0
    nodes, buffers, body = [], [], bytearray()

    def buffer(data):
        buffers.append((len(body), len(data)))
        body.extend(data)
        body.extend(bytes(-len(body) % 8))

    if len(columns) != len(schema):
        raise ValueError(f"{len(columns)} columns, but the schema has {len(schema)}")
    for field, values in zip(schema, columns):
        if len(values) != rows:
            raise ValueError(f"column {field.name} has {len(values)} rows, others have {rows}")
        nulls = sum(value is None for value in values)
        if nulls and not field.nullable:
            raise ValueError(f"column {field.name} has nulls, which its type doesn't allow")
        nodes.append((rows, nulls))
        buffer(_pack_bits(value is not None for value in values) if nulls else b"")
        if field.type.id in (_UTF8, _BINARY):
            parts = [b"" if v is None else v.encode() if isinstance(v, str) else v for v in values]
            ends = [0]
            for part in parts:
                ends.append(ends[-1] + len(part))
            buffer(struct.pack(f"<{rows + 1}i", *ends))
            buffer(b"".join(parts))
        elif field.type.id == _BOOL:
            buffer(_pack_bits(values))
        else:
            buffer(struct.pack(f"<{rows}{field.type.code}", *(0 if v is None else v for v in values)))

    flat, header = _Flat.message(_RECORD_BATCH, len(body))
    table = flat.table(header, {0: "q", 1: "I", 2: "I"})
    flat.put("q", table[0], rows)
    flat.structs(table[1], "<qq", nodes)
    flat.structs(table[2], "<qq", buffers)
    return bytes(flat.data), bytes(body)


def _pack_bits(values):
    bits = bytearray()
    for n, value in enumerate(values):
        if not n & 7:
            bits.append(0)
        if value:
            bits[-1] |= 1 << (n & 7)
    return bytes(bits)


class _Flat:
    """A FlatBuffer written front to back: what refers to something is filled in when it comes."""

    def __init__(self):
        self.data = bytearray(4)

    @classmethod
    def message(cls, kind, body_length):
        """A `Message` with a header of a kind, and the place that refers to that header."""
        flat = cls()
        slots = flat.table(0, {0: "h", 1: "B", 2: "I", 3: "q"})
        flat.put("h", slots[0], _V5)
        flat.put("B", slots[1], kind)
        flat.put("q", slots[3], body_length)
        return flat, slots[2]

    def put(self, code, at, value):
        struct.pack_into("<" + code, self.data, at, value)

    def _align(self, width, before=0):
        self.data += bytes(-(len(self.data) + before) % width)

    def _refer(self, at):
        self.put("I", at, len(self.data) - at)

    def table(self, at, fields):
        """A table that `at` refers to, with fields of these widths; gives where they stand."""
        vtable = len(self.data) + len(self.data) % 2
        self._align(2)
        size = 4 + 2 * (max(fields) + 1 if fields else 0)
        self.data += bytes(size)
        self._align(8)
        start = len(self.data)
        self._refer(at)
        self.data += struct.pack("<i", start - vtable)
        slots = {}
        for field, code in fields.items():
            width = struct.calcsize(code)
            self._align(width)
            slots[field] = len(self.data)
            self.put("H", vtable + 4 + 2 * field, len(self.data) - start)
            self.data += bytes(width)
        self.put("H", vtable, size)
        self.put("H", vtable + 2, len(self.data) - start)
        return slots

    def text(self, at, text):
        self._align(4)
        self._refer(at)
        text = text.encode()
        self.data += struct.pack("<I", len(text)) + text + b"\0"

    def vector(self, at, count):
        """A list of references that `at` refers to; gives where they stand."""
        self._align(4)
        self._refer(at)
        self.data += struct.pack("<I", count)
        first = len(self.data)
        self.data += bytes(4 * count)
        return range(first, first + 4 * count, 4)

    def structs(self, at, layout, values):
        self._align(8, before=4)
        self._refer(at)
        self.data += struct.pack("<I", len(values))
        for value in values:
            self.data += struct.pack(layout, *value)
