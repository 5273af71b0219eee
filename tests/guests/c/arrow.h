// Flat Arrow columns, read from and written to self-contained IPC streams.
//
// The trade-off: the C++ library of Arrow is many times the size of a guest, so this speaks the
// part of the format that a guest can't do without, and nothing else: one schema, at most one
// record batch, no compression, no nesting, no dictionaries. What is read is checked against the
// bounds of the bytes and copied, so that values are aligned and the bytes can be freed.

#ifndef ARROW_H
#define ARROW_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes that grow; `data` is freed by whoever has them in the end.
struct bytes {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

// Type ids of the union `Type` in Schema.fbs.
enum arrow_type {
    ARROW_INT = 2,
    ARROW_FLOAT = 3,
    ARROW_BINARY = 4,
    ARROW_UTF8 = 5,
    ARROW_BOOL = 6,
    ARROW_DATE32 = 8,
    ARROW_TIMESTAMP = 10,
};

enum arrow_unit { ARROW_SECOND, ARROW_MILLISECOND, ARROW_MICROSECOND, ARROW_NANOSECOND };

struct arrow_field {
    const char *name; // ends in a zero, like every text here
    enum arrow_type type;
    unsigned width;   // bytes of a value; 0 of utf8, binary and bool
    bool is_signed;   // of ARROW_INT
    int unit;         // of ARROW_TIMESTAMP
    const char *zone; // of ARROW_TIMESTAMP; NULL without one
    bool nullable;
};

struct arrow_column {
    uint8_t *valid;   // a bit a row, lowest first; NULL when there are no nulls
    uint8_t *values;  // `width` bytes a row; of bool a bit; of utf8 and binary all texts, joined
    int32_t *offsets; // of utf8 and binary: where each begins, and where the last ends
};

// A schema, and the rows when `columns` is not NULL.
struct arrow_batch {
    size_t width;
    struct arrow_field *fields;
    int64_t rows;
    struct arrow_column *columns;
};

static inline bool arrow_bit(const uint8_t *bits, int64_t row) { return bits[row >> 3] >> (row & 7) & 1; }

static inline bool arrow_is_null(const struct arrow_column *column, int64_t row) {
    return column->valid && !arrow_bit(column->valid, row);
}

static inline bool arrow_is_text(const struct arrow_field *field) {
    return field->type == ARROW_UTF8 || field->type == ARROW_BINARY;
}

// Reads a stream. Gives NULL, or what is wrong with it; both live as long as the arena.
const char *arrow_read(struct arena *arena, const uint8_t *data, size_t len, struct arrow_batch *batch);

// Writes the schema, and the rows when there are columns.
struct bytes arrow_write(const struct arrow_batch *batch);

// The rows of these numbers, in that order.
struct arrow_batch arrow_take(struct arena *arena, const struct arrow_batch *batch, const int64_t *rows, int64_t count);

#endif
