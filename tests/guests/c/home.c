// A Home of invented temperatures: `rows` of them, in two splits. Row n is the same in every run,
// so a position is the number of the next row.

#include "guest.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// 2013-01-01 in microseconds; a row a minute.
#define FIRST_MOMENT INT64_C(1356998400000000)
#define MINUTE INT64_C(60000000)

static struct arrow_field FIELDS[] = {
    {.name = "id", .type = ARROW_INT, .width = 8, .is_signed = true},
    {.name = "station", .type = ARROW_UTF8, .nullable = true},
    {.name = "celsius", .type = ARROW_FLOAT, .width = 8, .nullable = true},
    {.name = "at", .type = ARROW_TIMESTAMP, .width = 8, .unit = ARROW_MICROSECOND, .zone = "UTC"},
};
enum { ID, STATION, CELSIUS, AT, COLUMNS };

static const char *STATIONS[] = {"Oslo", "Köln", "Graz"};

static bool has_station(int64_t row) { return row % 7 != 3; }
static bool has_celsius(int64_t row) { return row % 11 != 5; }

static struct bytes rows_from(int64_t first, int64_t count) {
    struct arena arena = {0};
    size_t rows = (size_t)count, bitmap = rows / 8 + 1, len = 0;
    struct arrow_column columns[COLUMNS] = {
        [ID] = {.values = arena_take(&arena, rows * 8)},
        [STATION] = {.values = arena_take(&arena, rows * 8),
                     .valid = arena_take(&arena, bitmap),
                     .offsets = arena_take(&arena, (rows + 1) * 4)},
        [CELSIUS] = {.values = arena_take(&arena, rows * 8), .valid = arena_take(&arena, bitmap)},
        [AT] = {.values = arena_take(&arena, rows * 8)},
    };
    for (size_t n = 0; n < rows; n++) {
        int64_t row = first + (int64_t)n, at = FIRST_MOMENT + row * MINUTE;
        uint8_t bit = (uint8_t)(1 << (n & 7));
        memcpy(columns[ID].values + n * 8, &row, 8);
        memcpy(columns[AT].values + n * 8, &at, 8);
        if (has_station(row)) {
            const char *station = STATIONS[row % 3];
            columns[STATION].valid[n >> 3] |= bit;
            memcpy(columns[STATION].values + len, station, strlen(station));
            len += strlen(station);
        }
        columns[STATION].offsets[n + 1] = (int32_t)len;
        if (has_celsius(row)) {
            double celsius = (double)(row % 160) * 0.25 - 10;
            columns[CELSIUS].valid[n >> 3] |= bit;
            memcpy(columns[CELSIUS].values + n * 8, &celsius, 8);
        }
    }
    struct arrow_batch batch = {COLUMNS, FIELDS, count, columns};
    struct bytes stream = arrow_write(&batch);
    arena_free(&arena);
    return stream;
}

static void schema(hygge_plugin_types_schema_t *ret) {
    struct bytes stream = arrow_write(&(struct arrow_batch){.width = COLUMNS, .fields = FIELDS});
    ret->ptr = stream.data;
    ret->len = stream.len;
}

// A text in the form of printf with one or two numbers, as the bindings want it.
static void numbers(guest_string_t *ret, const char *form, int64_t first, int64_t second) {
    char text[96];
    snprintf(text, sizeof text, form, first, second);
    guest_string_dup(ret, text);
}

static int64_t setting(const guest_string_t *config, const char *name, int64_t otherwise) {
    return json_integer(config->ptr, config->len, name, otherwise);
}

bool exports_hygge_plugin_home_check(guest_string_t *config, exports_hygge_plugin_home_list_finding_t *ret, exports_hygge_plugin_home_fault_t *err) {
    (void)err;
    ret->ptr = calloc(1, sizeof *ret->ptr);
    if (!ret->ptr) abort();
    ret->len = 1;
    ret->ptr->ok = true;
    numbers(&ret->ptr->message, "%" PRId64 " temperatures can be invented", setting(config, "rows", 0), 0);
    guest_string_free(config);
    return true;
}

bool exports_hygge_plugin_home_discover(guest_string_t *config, guest_string_t *ret, exports_hygge_plugin_home_fault_t *err) {
    (void)err;
    numbers(ret, "{\"entities\": [{\"name\": \"temperatures\", \"rows\": %" PRId64 "}]}", setting(config, "rows", 0), 0);
    guest_string_free(config);
    return true;
}

bool exports_hygge_plugin_home_splits(guest_string_t *config, exports_hygge_plugin_home_entity_t *entity, exports_hygge_plugin_home_split_request_t *request, exports_hygge_plugin_home_split_plan_t *ret, exports_hygge_plugin_home_fault_t *err) {
    (void)err;
    int64_t rows = setting(config, "rows", 0);
    int64_t splits = rows < 2 || (request->max_splits.is_some && request->max_splits.val < 2) ? 1 : 2;
    memset(ret, 0, sizeof *ret);
    schema(&ret->schema);
    ret->splits.ptr = calloc((size_t)splits, sizeof *ret->splits.ptr);
    if (!ret->splits.ptr) abort();
    ret->splits.len = (size_t)splits;
    for (int64_t n = 0; n < splits; n++) {
        exports_hygge_plugin_home_split_t *split = &ret->splits.ptr[n];
        int64_t from = rows * n / splits, to = rows * (n + 1) / splits;
        numbers(&split->id, "part-%" PRId64, n, 0);
        numbers(&split->spec, "%" PRId64 "-%" PRId64, from, to);
        split->rows.is_some = true;
        split->rows.val = (uint64_t)(to - from);
    }
    numbers(&ret->fingerprint, "%" PRId64 " rows in %" PRId64, rows, splits);
    say("debug", "temperatures are taken apart");
    guest_string_free(config);
    exports_hygge_plugin_home_entity_free(entity);
    exports_hygge_plugin_home_split_request_free(request);
    return true;
}

struct exports_hygge_plugin_home_reader_t {
    int64_t next, end, fail_at;
};

bool exports_hygge_plugin_home_open(guest_string_t *config, exports_hygge_plugin_home_entity_t *entity, exports_hygge_plugin_home_split_t *split, exports_hygge_plugin_home_position_t *maybe_resume, exports_hygge_plugin_home_own_reader_t *ret, exports_hygge_plugin_home_fault_t *err) {
    int64_t from = 0, to = 0, resume = -1;
    // Copies, as texts of the contract don't end in a zero.
    char spec[64] = "", position[32] = "";
    if (split->spec.len < sizeof spec) memcpy(spec, split->spec.ptr, split->spec.len);
    bool well = sscanf(spec, "%" SCNd64 "-%" SCNd64, &from, &to) == 2;
    if (maybe_resume && maybe_resume->len < sizeof position) memcpy(position, maybe_resume->ptr, maybe_resume->len);
    if (maybe_resume) well = well && sscanf(position, "%" SCNd64, &resume) == 1 && resume >= from && resume <= to;
    int64_t fail_at = setting(config, "fail_at", -1);
    guest_string_free(config);
    exports_hygge_plugin_home_entity_free(entity);
    exports_hygge_plugin_home_split_free(split);
    if (maybe_resume) guest_string_free(maybe_resume);
    if (!well) return fault(err, "source.changed", "there is no such split or position", NULL, NULL);

    exports_hygge_plugin_home_reader_t *reader = malloc(sizeof *reader);
    if (!reader) abort();
    *reader = (exports_hygge_plugin_home_reader_t){resume < 0 ? from : resume, to, resume < 0 ? fail_at : -1};
    *ret = exports_hygge_plugin_home_reader_new(reader);
    return true;
}

bool exports_hygge_plugin_home_method_reader_schema(exports_hygge_plugin_home_borrow_reader_t self, exports_hygge_plugin_home_schema_t *ret, exports_hygge_plugin_home_fault_t *err) {
    (void)self, (void)err;
    schema(ret);
    return true;
}

bool exports_hygge_plugin_home_method_reader_next(exports_hygge_plugin_home_borrow_reader_t self, uint32_t max_rows, uint64_t max_bytes, uint32_t wait_ms, exports_hygge_plugin_home_option_step_t *ret, exports_hygge_plugin_home_fault_t *err) {
    (void)wait_ms;
    memset(ret, 0, sizeof *ret);
    if (hygge_plugin_control_should_stop()) return fault(err, "stopped", "asked to stop", NULL, NULL);
    // About 36 bytes a row; at least one row, or it would never end.
    uint64_t most = max_bytes / 36 + 1;
    int64_t count = self->end - self->next;
    if ((uint64_t)count > most) count = (int64_t)most;
    if (count > max_rows) count = max_rows;
    if (self->fail_at >= self->next && self->fail_at < self->next + count) {
        count = self->fail_at - self->next;
        if (!count) return fault(err, "source.io", "the thermometer is broken", "advice", "buy another one");
    }
    if (!count) return true;
    struct bytes stream = rows_from(self->next, count);
    self->next += count;
    ret->is_some = true;
    ret->val.batch.is_some = true;
    ret->val.batch.val.ptr = stream.data;
    ret->val.batch.val.len = stream.len;
    ret->val.position.is_some = true;
    numbers(&ret->val.position.val, "%" PRId64, self->next, 0);
    return true;
}

void exports_hygge_plugin_home_reader_destructor(exports_hygge_plugin_home_reader_t *reader) { free(reader); }

bool exports_hygge_plugin_home_acknowledge(guest_string_t *config, exports_hygge_plugin_home_entity_t *entity, exports_hygge_plugin_home_position_t *position, exports_hygge_plugin_home_fault_t *err) {
    (void)err;
    // Never called: no plan has a position.
    guest_string_free(config);
    exports_hygge_plugin_home_entity_free(entity);
    guest_string_free(position);
    return true;
}
