// A transform that writes a column of texts in capitals, A to Z only, and leaves out rows that
// have none.

#include "guest.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exports_hygge_plugin_transform_bound_t {
    struct arena arena;
    struct arrow_batch schema;
    size_t column;
};

static bool schema_fault(exports_hygge_plugin_transform_fault_t *err, const char *form, const char *about, const char *column) {
    char message[512];
    snprintf(message, sizeof message, form, about);
    return fault(err, "schema", message, column ? "column" : NULL, column);
}

bool exports_hygge_plugin_transform_bind(guest_string_t *config, exports_hygge_plugin_transform_schema_t *input, exports_hygge_plugin_transform_own_bound_t *ret, exports_hygge_plugin_transform_fault_t *err) {
    struct arena arena = {0};
    struct arrow_batch schema;
    const char *wanted = json_text(&arena, config->ptr, config->len, "column");
    const char *wrong = arrow_read(&arena, input->ptr, input->len, &schema);
    guest_string_free(config);
    exports_hygge_plugin_transform_schema_free(input);
    if (!wanted) {
        arena_free(&arena);
        return fault(err, "config", "`column` is no text", NULL, NULL);
    }
    size_t column = 0;
    while (!wrong && column < schema.width && strcmp(schema.fields[column].name, wanted)) column++;
    if (wrong || column == schema.width || schema.fields[column].type != ARROW_UTF8) {
        if (wrong) schema_fault(err, "this guest can't read the rows: %s", wrong, NULL);
        else if (column == schema.width) schema_fault(err, "there is no column %.200s", wanted, wanted);
        else schema_fault(err, "column %.200s has no texts", wanted, wanted);
        arena_free(&arena);
        return false;
    }
    // No row without a value is left.
    schema.fields[column].nullable = false;
    exports_hygge_plugin_transform_bound_t *bound = malloc(sizeof *bound);
    if (!bound) abort();
    *bound = (exports_hygge_plugin_transform_bound_t){arena, schema, column};
    *ret = exports_hygge_plugin_transform_bound_new(bound);
    return true;
}

bool exports_hygge_plugin_transform_method_bound_schema(exports_hygge_plugin_transform_borrow_bound_t self, exports_hygge_plugin_transform_schema_t *ret, exports_hygge_plugin_transform_fault_t *err) {
    (void)err;
    struct bytes stream = arrow_write(&self->schema);
    ret->ptr = stream.data;
    ret->len = stream.len;
    return true;
}

bool exports_hygge_plugin_transform_method_bound_apply(exports_hygge_plugin_transform_borrow_bound_t self, exports_hygge_plugin_transform_batch_t *batch, exports_hygge_plugin_transform_list_batch_t *ret, exports_hygge_plugin_transform_fault_t *err) {
    struct arena arena = {0};
    struct arrow_batch given;
    const char *wrong = arrow_read(&arena, batch->ptr, batch->len, &given);
    exports_hygge_plugin_transform_batch_free(batch);
    if (!wrong && (!given.columns || given.width != self->schema.width || given.fields[self->column].type != ARROW_UTF8)) wrong = "other columns than were announced";
    if (wrong) {
        schema_fault(err, "this guest can't read the rows: %s", wrong, NULL);
        arena_free(&arena);
        return false;
    }
    struct arrow_column *column = &given.columns[self->column];
    int64_t count = 0, *rows = arena_take(&arena, (size_t)given.rows * sizeof *rows);
    for (int64_t row = 0; row < given.rows; row++) {
        if (!arrow_is_null(column, row)) rows[count++] = row;
    }
    struct arrow_batch kept = arrow_take(&arena, &given, rows, count);
    kept.fields = self->schema.fields;
    column = &kept.columns[self->column];
    // Bytes of longer characters are all above 127.
    for (int32_t n = 0; n < column->offsets[count]; n++) {
        if (column->values[n] >= 'a' && column->values[n] <= 'z') column->values[n] -= 'a' - 'A';
    }
    struct bytes stream = arrow_write(&kept);
    arena_free(&arena);
    ret->ptr = malloc(sizeof *ret->ptr);
    if (!ret->ptr) abort();
    ret->len = 1;
    ret->ptr->ptr = stream.data;
    ret->ptr->len = stream.len;
    return true;
}

bool exports_hygge_plugin_transform_method_bound_finish(exports_hygge_plugin_transform_borrow_bound_t self, exports_hygge_plugin_transform_list_batch_t *ret, exports_hygge_plugin_transform_fault_t *err) {
    (void)self, (void)err;
    memset(ret, 0, sizeof *ret);
    return true;
}

void exports_hygge_plugin_transform_bound_destructor(exports_hygge_plugin_transform_bound_t *bound) {
    arena_free(&bound->arena);
    free(bound);
}
