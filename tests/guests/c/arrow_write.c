// The writer. A FlatBuffer is written front to back: what refers to something is filled in when
// that comes.

#include "arrow.h"
#include "arrow_format.h"

#include <stdlib.h>
#include <string.h>

// Appends that many bytes, zeroed, and says where they stand.
static size_t grow(struct bytes *bytes, size_t size) {
    if (size > bytes->capacity - bytes->len) {
        size_t capacity = bytes->capacity * 2 + size + 64;
        uint8_t *data = realloc(bytes->data, capacity);
        if (!data) abort();
        bytes->data = data;
        bytes->capacity = capacity;
    }
    size_t at = bytes->len;
    if (size) memset(bytes->data + at, 0, size);
    bytes->len += size;
    return at;
}

static void append(struct bytes *bytes, const void *data, size_t size) {
    size_t at = grow(bytes, size);
    if (size) memcpy(bytes->data + at, data, size);
}

// Appends so much that `before` more bytes end on a multiple of `width`, a power of two.
static void align(struct bytes *bytes, size_t width, size_t before) {
    grow(bytes, (width - (bytes->len + before) % width) % width);
}

static void put(struct bytes *bytes, size_t at, size_t width, uint64_t value) {
    memcpy(bytes->data + at, &value, width);
}

// Lets the reference at `at` refer to what comes next.
static void refer(struct bytes *bytes, size_t at) { put(bytes, at, 4, bytes->len - at); }

// A table that `at` refers to. Fields are as wide as `widths` says, none where it is 0, and stand
// at `slots` afterwards.
static void table(struct bytes *flat, size_t at, size_t fields, const uint8_t *widths, size_t *slots) {
    align(flat, 2, 0);
    size_t vtable = grow(flat, 4 + 2 * fields);
    align(flat, 8, 0);
    refer(flat, at);
    size_t start = grow(flat, 4);
    put(flat, start, 4, start - vtable);
    for (size_t n = 0; n < fields; n++) {
        if (!widths[n]) continue;
        align(flat, widths[n], 0);
        slots[n] = grow(flat, widths[n]);
        put(flat, vtable + 4 + 2 * n, 2, slots[n] - start);
    }
    put(flat, vtable, 2, 4 + 2 * fields);
    put(flat, vtable + 2, 2, flat->len - start);
}

static void text(struct bytes *flat, size_t at, const char *text) {
    align(flat, 4, 0);
    refer(flat, at);
    put(flat, grow(flat, 4), 4, strlen(text));
    append(flat, text, strlen(text) + 1);
}

// A list that `at` refers to, of elements aligned as wide as they are, up to 8; says where they stand.
static size_t vector(struct bytes *flat, size_t at, size_t width, size_t count) {
    align(flat, width < 8 ? 4 : 8, 4);
    refer(flat, at);
    put(flat, grow(flat, 4), 4, count);
    return grow(flat, width * count);
}

// A `Message`; says where the reference to its header stands.
static size_t message(struct bytes *flat, uint64_t kind, uint64_t body_length) {
    size_t slots[4];
    table(flat, grow(flat, 4), 4, (uint8_t[]){2, 1, 4, 8}, slots);
    put(flat, slots[MESSAGE_VERSION], 2, VERSION_5);
    put(flat, slots[MESSAGE_HEADER_TYPE], 1, kind);
    put(flat, slots[MESSAGE_BODY_LENGTH], 8, body_length);
    return slots[MESSAGE_HEADER];
}

// Appends a message to the stream, and frees it.
static void frame(struct bytes *stream, struct bytes *flat) {
    align(flat, 8, 0);
    put(stream, grow(stream, 4), 4, CONTINUATION);
    put(stream, grow(stream, 4), 4, flat->len);
    append(stream, flat->data, flat->len);
    free(flat->data);
}

static void write_type(struct bytes *flat, size_t at, const struct arrow_field *field) {
    size_t slots[2];
    switch (field->type) {
    case ARROW_INT:
        table(flat, at, 2, (uint8_t[]){4, 1}, slots);
        put(flat, slots[INT_BITS], 4, field->width * 8);
        put(flat, slots[INT_SIGNED], 1, field->is_signed);
        break;
    case ARROW_FLOAT:
        table(flat, at, 1, (uint8_t[]){2}, slots);
        put(flat, slots[FLOAT_PRECISION], 2, field->width == 4 ? FLOAT_SINGLE : FLOAT_DOUBLE);
        break;
    case ARROW_DATE32:
        // Has to be there, as days, which are 0, aren't the default.
        table(flat, at, 1, (uint8_t[]){2}, slots);
        put(flat, slots[DATE_UNIT], 2, DATE_DAY);
        break;
    case ARROW_TIMESTAMP:
        table(flat, at, 2, (uint8_t[]){2, field->zone ? 4 : 0}, slots);
        put(flat, slots[TIMESTAMP_UNIT], 2, (uint64_t)field->unit);
        if (field->zone) text(flat, slots[TIMESTAMP_ZONE], field->zone);
        break;
    case ARROW_BOOL:
    case ARROW_UTF8:
    case ARROW_BINARY: table(flat, at, 0, NULL, NULL); break;
    }
}

static void write_schema(struct bytes *stream, const struct arrow_batch *batch) {
    struct bytes flat = {0};
    size_t slots[6];
    size_t schema = message(&flat, HEADER_SCHEMA, 0);
    table(&flat, schema, 2, (uint8_t[]){2, 4}, slots);
    size_t fields = vector(&flat, slots[SCHEMA_FIELDS], 4, batch->width);
    for (size_t n = 0; n < batch->width; n++) {
        const struct arrow_field *field = &batch->fields[n];
        // The empty list of children is there because readers insist on it.
        table(&flat, fields + 4 * n, 6, (uint8_t[]){4, 1, 1, 4, 0, 4}, slots);
        put(&flat, slots[FIELD_NULLABLE], 1, field->nullable);
        put(&flat, slots[FIELD_TYPE], 1, field->type);
        text(&flat, slots[FIELD_NAME], field->name);
        vector(&flat, slots[FIELD_CHILDREN], 4, 0);
        write_type(&flat, slots[FIELD_OF], field);
    }
    frame(stream, &flat);
}

// Appends a buffer to the body, and its place to the list of buffers.
static void buffer(struct bytes *body, struct bytes *places, const void *data, uint64_t size) {
    put(places, grow(places, 8), 8, body->len);
    put(places, grow(places, 8), 8, size);
    append(body, data, size);
    align(body, 8, 0);
}

static void write_rows(struct bytes *stream, const struct arrow_batch *batch) {
    struct bytes flat = {0}, nodes = {0}, buffers = {0}, body = {0};
    uint64_t rows = (uint64_t)batch->rows, bitmap = (rows + 7) / 8;
    for (size_t n = 0; n < batch->width; n++) {
        const struct arrow_field *field = &batch->fields[n];
        const struct arrow_column *column = &batch->columns[n];
        uint64_t nulls = 0;
        for (int64_t row = 0; row < batch->rows; row++) nulls += arrow_is_null(column, row);
        put(&nodes, grow(&nodes, 8), 8, rows);
        put(&nodes, grow(&nodes, 8), 8, nulls);
        buffer(&body, &buffers, column->valid, nulls ? bitmap : 0);
        if (arrow_is_text(field)) {
            buffer(&body, &buffers, column->offsets, (rows + 1) * 4);
            buffer(&body, &buffers, column->values, (uint64_t)column->offsets[rows]);
        } else {
            buffer(&body, &buffers, column->values, field->type == ARROW_BOOL ? bitmap : rows * field->width);
        }
    }
    size_t slots[3];
    size_t header = message(&flat, HEADER_RECORD_BATCH, body.len);
    table(&flat, header, 3, (uint8_t[]){8, 4, 4}, slots);
    put(&flat, slots[BATCH_LENGTH], 8, rows);
    size_t at = vector(&flat, slots[BATCH_NODES], 16, nodes.len / 16);
    if (nodes.len) memcpy(flat.data + at, nodes.data, nodes.len);
    at = vector(&flat, slots[BATCH_BUFFERS], 16, buffers.len / 16);
    if (buffers.len) memcpy(flat.data + at, buffers.data, buffers.len);
    frame(stream, &flat);
    append(stream, body.data, body.len);
    free(nodes.data);
    free(buffers.data);
    free(body.data);
}

struct bytes arrow_write(const struct arrow_batch *batch) {
    struct bytes stream = {0};
    write_schema(&stream, batch);
    if (batch->columns) write_rows(&stream, batch);
    put(&stream, grow(&stream, 4), 4, CONTINUATION);
    grow(&stream, 4);
    return stream;
}

static void take_column(struct arena *arena, const struct arrow_field *field, const struct arrow_column *from, const int64_t *rows, int64_t count, struct arrow_column *to) {
    size_t bitmap = ((size_t)count + 7) / 8, len = 0;
    if (from->valid) to->valid = arena_take(arena, bitmap);
    if (arrow_is_text(field)) {
        to->offsets = arena_take(arena, ((size_t)count + 1) * 4);
        for (int64_t n = 0; n < count; n++) len += (size_t)(from->offsets[rows[n] + 1] - from->offsets[rows[n]]);
        to->values = arena_take(arena, len);
    } else {
        to->values = arena_take(arena, field->type == ARROW_BOOL ? bitmap : (size_t)count * field->width);
    }
    for (int64_t n = 0; n < count; n++) {
        int64_t row = rows[n];
        uint8_t bit = (uint8_t)(1 << (n & 7));
        if (from->valid && arrow_bit(from->valid, row)) to->valid[n >> 3] |= bit;
        if (arrow_is_text(field)) {
            int32_t start = from->offsets[row], size = from->offsets[row + 1] - start;
            if (size) memcpy(to->values + to->offsets[n], from->values + start, (size_t)size);
            to->offsets[n + 1] = to->offsets[n] + size;
        } else if (field->type == ARROW_BOOL) {
            if (arrow_bit(from->values, row)) to->values[n >> 3] |= bit;
        } else {
            memcpy(to->values + (size_t)n * field->width, from->values + (size_t)row * field->width, field->width);
        }
    }
}

struct arrow_batch arrow_take(struct arena *arena, const struct arrow_batch *batch, const int64_t *rows, int64_t count) {
    struct arrow_batch taken = *batch;
    taken.rows = count;
    taken.columns = arena_take(arena, batch->width * sizeof *taken.columns);
    for (size_t n = 0; n < batch->width; n++) {
        take_column(arena, &batch->fields[n], &batch->columns[n], rows, count, &taken.columns[n]);
    }
    return taken;
}
