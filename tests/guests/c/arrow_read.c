// The reader. Numbers are little-endian in the format and on every machine this runs on.

#include "arrow.h"
#include "arrow_format.h"

#include <stdio.h>
#include <string.h>

// What is left of a stream; and within a message, the FlatBuffer that is looked into. The first
// thing that is wrong is remembered; after it, what is read is zero.
struct reader {
    struct arena *arena;
    const uint8_t *data;
    size_t len;
    const char *wrong;
};

static uint64_t fail(struct reader *reader, const char *wrong) {
    if (!reader->wrong) reader->wrong = wrong;
    return 0;
}

// An unsigned number of that many bytes.
static uint64_t number(struct reader *reader, size_t at, size_t width) {
    uint64_t value = 0;
    if (reader->wrong || at > reader->len || width > reader->len - at) {
        return fail(reader, "an offset outside of the message");
    }
    memcpy(&value, reader->data + at, width);
    return value;
}

// Where a field of a table stands, by its vtable; 0 when it isn't there.
static size_t slot(struct reader *reader, size_t table, size_t field) {
    size_t vtable = table - (size_t)(int64_t)(int32_t)number(reader, table, 4);
    size_t entry = 4 + 2 * field;
    if (entry + 2 > number(reader, vtable, 2)) return 0;
    size_t offset = number(reader, vtable + entry, 2);
    return offset ? table + offset : 0;
}

static uint64_t scalar(struct reader *reader, size_t table, size_t field, size_t width, uint64_t otherwise) {
    size_t at = slot(reader, table, field);
    return at ? number(reader, at, width) : otherwise;
}

static size_t follow(struct reader *reader, size_t at) { return at + number(reader, at, 4); }

static size_t child(struct reader *reader, size_t table, size_t field) {
    size_t at = slot(reader, table, field);
    return at ? follow(reader, at) : fail(reader, "a part of the message is missing");
}

// Where the elements of a list stand, and how many there are.
static size_t vector(struct reader *reader, size_t table, size_t field, size_t width, size_t *count) {
    *count = 0;
    size_t at = slot(reader, table, field);
    if (!at) return 0;
    at = follow(reader, at);
    uint64_t found = number(reader, at, 4);
    if (reader->wrong) return 0;
    if (found > (reader->len - at - 4) / width) return fail(reader, "a list that ends outside of the message");
    *count = found;
    return at + 4;
}

static const char *text(struct reader *reader, size_t table, size_t field) {
    size_t len, at = vector(reader, table, field, 1, &len);
    char *copy = arena_take(reader->arena, len + 1);
    if (len) memcpy(copy, reader->data + at, len);
    if (memchr(copy, 0, len)) fail(reader, "a name with a zero in it");
    return copy;
}

static void wrong_column(struct reader *reader, const char *name, const char *what) {
    if (reader->wrong) return;
    size_t size = strlen(name) + strlen(what) + 16;
    char *message = arena_take(reader->arena, size);
    snprintf(message, size, "column %s %s", name, what);
    reader->wrong = message;
}

static void read_field(struct reader *reader, size_t table, struct arrow_field *field) {
    field->name = text(reader, table, FIELD_NAME);
    field->nullable = scalar(reader, table, FIELD_NULLABLE, 1, 0);
    field->type = scalar(reader, table, FIELD_TYPE, 1, 0);
    if (slot(reader, table, FIELD_DICTIONARY)) wrong_column(reader, field->name, "is a dictionary");
    size_t of = child(reader, table, FIELD_OF);
    uint64_t bits, unit;
    switch (field->type) {
    case ARROW_BOOL:
    case ARROW_UTF8:
    case ARROW_BINARY: return;
    case ARROW_INT:
        bits = scalar(reader, of, INT_BITS, 4, 0);
        field->is_signed = scalar(reader, of, INT_SIGNED, 1, 0);
        if (bits != 8 && bits != 16 && bits != 32 && bits != 64) break;
        field->width = bits / 8;
        return;
    case ARROW_FLOAT:
        unit = scalar(reader, of, FLOAT_PRECISION, 2, 0);
        if (unit != FLOAT_SINGLE && unit != FLOAT_DOUBLE) break;
        field->width = unit == FLOAT_SINGLE ? 4 : 8;
        return;
    case ARROW_DATE32:
        if (scalar(reader, of, DATE_UNIT, 2, DATE_MILLISECOND) != DATE_DAY) break;
        field->width = 4;
        return;
    case ARROW_TIMESTAMP:
        unit = scalar(reader, of, TIMESTAMP_UNIT, 2, 0);
        if (unit > ARROW_NANOSECOND) break;
        field->unit = (int)unit;
        field->width = 8;
        field->zone = slot(reader, of, TIMESTAMP_ZONE) ? text(reader, of, TIMESTAMP_ZONE) : NULL;
        return;
    }
    wrong_column(reader, field->name, "is of a type that isn't read here");
}

static void read_schema(struct reader *message, size_t table, struct arrow_batch *batch) {
    if (scalar(message, table, SCHEMA_ENDIANNESS, 2, 0)) fail(message, "big-endian");
    size_t at = vector(message, table, SCHEMA_FIELDS, 4, &batch->width);
    batch->fields = arena_take(message->arena, batch->width * sizeof *batch->fields);
    for (size_t n = 0; n < batch->width && !message->wrong; n++) {
        read_field(message, follow(message, at + 4 * n), &batch->fields[n]);
    }
}

// The buffers of a record batch, one after another.
struct buffers {
    struct reader *message;
    const uint8_t *body;
    size_t len, at, left;
};

// A copy of the next buffer, which has at least `need` bytes; NULL and unread when none are needed.
static uint8_t *buffer(struct buffers *buffers, uint64_t need, uint64_t *found) {
    struct reader *message = buffers->message;
    if (!buffers->left) return (uint8_t *)fail(message, "a buffer is missing");
    uint64_t offset = number(message, buffers->at, 8), len = number(message, buffers->at + 8, 8);
    buffers->at += 16;
    buffers->left--;
    if (offset > buffers->len || len > buffers->len - offset) {
        return (uint8_t *)fail(message, "a buffer outside of the body");
    }
    if (len < need) return (uint8_t *)fail(message, "a buffer that is too short");
    if (found) need = *found = len;
    if (!need || message->wrong) return NULL;
    uint8_t *copy = arena_take(message->arena, need);
    memcpy(copy, buffers->body + offset, need);
    return copy;
}

static void read_column(struct buffers *buffers, const struct arrow_field *field, uint64_t rows, uint64_t nulls, struct arrow_column *column) {
    uint64_t len = 0, bitmap = rows / 8 + (rows % 8 != 0);
    column->valid = buffer(buffers, nulls ? bitmap : 0, NULL);
    if (field->type == ARROW_BOOL) {
        column->values = buffer(buffers, bitmap, NULL);
    } else if (!arrow_is_text(field)) {
        column->values = buffer(buffers, rows * field->width, NULL);
    } else {
        column->offsets = (int32_t *)buffer(buffers, rows ? (rows + 1) * 4 : 0, NULL);
        column->values = buffer(buffers, 0, &len);
        if (!column->offsets) column->offsets = arena_take(buffers->message->arena, 4);
        if (buffers->message->wrong) return;
        for (uint64_t n = 0; n <= rows; n++) {
            int32_t before = n ? column->offsets[n - 1] : 0;
            if (column->offsets[n] < before || (uint64_t)column->offsets[n] > len) {
                wrong_column(buffers->message, field->name, "has offsets outside of its values");
                return;
            }
        }
    }
}

static void read_rows(struct reader *message, size_t table, const uint8_t *body, size_t len, struct arrow_batch *batch) {
    if (slot(message, table, BATCH_COMPRESSION)) fail(message, "compressed");
    size_t nodes, node = vector(message, table, BATCH_NODES, 16, &nodes);
    struct buffers buffers = {.message = message, .body = body, .len = len};
    buffers.at = vector(message, table, BATCH_BUFFERS, 16, &buffers.left);
    uint64_t rows = scalar(message, table, BATCH_LENGTH, 8, 0);
    // A row takes at least a bit of the body, so no product below is too large for 64 bits.
    if (nodes != batch->width || rows > (uint64_t)len * 8) {
        fail(message, "more columns or rows than there are");
    }
    batch->rows = (int64_t)rows;
    batch->columns = arena_take(message->arena, batch->width * sizeof *batch->columns);
    for (size_t n = 0; n < batch->width && !message->wrong; n++) {
        uint64_t nulls = number(message, node + 16 * n + 8, 8);
        if (number(message, node + 16 * n, 8) != rows || nulls > rows) {
            wrong_column(message, batch->fields[n].name, "has another length than the batch");
        } else {
            read_column(&buffers, &batch->fields[n], rows, nulls, &batch->columns[n]);
        }
    }
    if (buffers.left) fail(message, "more buffers than the schema has");
}

// Takes the next message off the stream: its FlatBuffer, and the body.
static struct reader message(struct reader *stream, const uint8_t **body, size_t *len) {
    struct reader taken = {.arena = stream->arena, .wrong = stream->wrong};
    uint64_t size = number(stream, 4, 4);
    if (number(stream, 0, 4) != CONTINUATION || size == 0) fail(stream, "a message was expected");
    if (!stream->wrong && size > stream->len - 8) fail(stream, "a message that ends outside of the stream");
    if (!stream->wrong) {
        taken.data = stream->data + 8;
        taken.len = size;
        stream->data += 8 + size;
        stream->len -= 8 + size;
        uint64_t length = scalar(&taken, follow(&taken, 0), MESSAGE_BODY_LENGTH, 8, 0);
        if (length > stream->len) fail(stream, "a body that ends outside of the stream");
        *body = stream->data;
        *len = stream->wrong ? 0 : length;
        stream->data += *len;
        stream->len -= *len;
    }
    if (!taken.wrong) taken.wrong = stream->wrong;
    return taken;
}

static bool at_end(struct reader *stream) {
    if (stream->wrong || number(stream, 0, 4) != CONTINUATION || number(stream, 4, 4) != 0) return false;
    if (stream->len != 8) fail(stream, "bytes after the end of the stream");
    return true;
}

static size_t header(struct reader *message, uint64_t kind) {
    size_t table = follow(message, 0);
    if (scalar(message, table, MESSAGE_HEADER_TYPE, 1, 0) != kind) {
        return fail(message, "a message of another kind than expected");
    }
    return child(message, table, MESSAGE_HEADER);
}

const char *arrow_read(struct arena *arena, const uint8_t *data, size_t len, struct arrow_batch *batch) {
    struct reader stream = {.arena = arena, .data = data, .len = len};
    const uint8_t *body = NULL;
    size_t body_len = 0;
    *batch = (struct arrow_batch){0};
    struct reader next = message(&stream, &body, &body_len);
    read_schema(&next, header(&next, HEADER_SCHEMA), batch);
    if (next.wrong) return next.wrong;
    if (at_end(&stream)) return stream.wrong;
    next = message(&stream, &body, &body_len);
    read_rows(&next, header(&next, HEADER_RECORD_BATCH), body, body_len, batch);
    if (next.wrong) return next.wrong;
    if (!at_end(&stream)) fail(&stream, "more than one record batch");
    return stream.wrong;
}
