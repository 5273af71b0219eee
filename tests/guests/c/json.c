#include "json.h"

#include <stdbool.h>
#include <string.h>

struct json {
    const uint8_t *at, *end;
};

static void spaces(struct json *json) {
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at) json->at++;
}

// Takes a character if it is the next one.
static bool take(struct json *json, char wanted) {
    spaces(json);
    if (json->at == json->end || *json->at != (uint8_t)wanted) return false;
    json->at++;
    return true;
}

// The number in four digits of base 16 at the cursor, taken; -1 when there is none.
static int32_t hex(struct json *json) {
    int32_t value = 0;
    if (json->end - json->at < 4) return -1;
    for (int n = 0; n < 4; n++) {
        const char *digit = strchr("0123456789abcdef0123456789ABCDEF", *json->at);
        if (!digit || !*digit) return -1;
        value = value * 16 + (int32_t)((digit - strchr("0123456789abcdef0123456789ABCDEF", '0')) & 15);
        json->at++;
    }
    return value;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (uint8_t)code;
        return out;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *out++ = (uint8_t)((0xf00 >> more) & 0xff) | (uint8_t)(code >> 6 * more);
    while (more--) *out++ = 0x80 | ((code >> 6 * more) & 0x3f);
    return out;
}

// Takes a text, unescaped, with a zero at its end; NULL when it isn't one. Needs an arena.
static char *text(struct arena *arena, struct json *json) {
    if (!take(json, '"')) return NULL;
    // Unescaped it is never longer.
    char *found = arena_take(arena, (size_t)(json->end - json->at) + 1);
    uint8_t *out = (uint8_t *)found;
    while (json->at < json->end) {
        uint8_t byte = *json->at++;
        if (byte == '"') return found;
        if (byte == 0) return NULL;
        if (byte != '\\') {
            *out++ = byte;
            continue;
        }
        if (json->at == json->end) return NULL;
        byte = *json->at++;
        const char *known = strchr("\"\"\\\\//b\bf\fn\nr\rt\t", byte);
        if (byte == 'u') {
            int32_t code = hex(json);
            if (code >= 0xd800 && code < 0xdc00) {
                // The first half of a pair.
                if (!take(json, '\\') || !take(json, 'u')) return NULL;
                int32_t low = hex(json);
                if (low < 0xdc00 || low >= 0xe000) return NULL;
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
            if (code <= 0 || (code >= 0xdc00 && code < 0xe000)) return NULL;
            out = put_utf8(out, (uint32_t)code);
        } else if (byte && known) {
            *out++ = (uint8_t)known[1];
        } else {
            return NULL;
        }
    }
    return NULL;
}

// Takes any value: to where its brackets are closed, or to the next comma.
static bool skip(struct arena *arena, struct json *json) {
    size_t depth = 0;
    do {
        spaces(json);
        if (json->at == json->end) return false;
        if (*json->at == '"') {
            if (!text(arena, json)) return false;
            continue;
        }
        if (!depth && strchr(",}", *json->at)) return true;
        if (strchr("[{", *json->at)) depth++;
        if (strchr("]}", *json->at)) depth--;
        json->at++;
    } while (json->at < json->end);
    return false;
}

// Moves to the value of a member.
static bool find(struct arena *arena, struct json *json, const char *name) {
    if (!take(json, '{') || take(json, '}')) return false;
    do {
        const char *found = text(arena, json);
        if (!found || !take(json, ':')) return false;
        if (strcmp(found, name) == 0) {
            spaces(json);
            return true;
        }
        if (!skip(arena, json)) return false;
    } while (take(json, ','));
    return false;
}

int64_t json_integer(const uint8_t *data, size_t len, const char *name, int64_t otherwise) {
    struct json json = {data, data + len};
    struct arena arena = {0};
    bool found = find(&arena, &json, name);
    arena_free(&arena);
    if (!found) return otherwise;
    bool minus = take(&json, '-');
    int64_t value = 0;
    const uint8_t *first = json.at;
    for (; json.at < json.end && *json.at >= '0' && *json.at <= '9'; json.at++) {
        if (json.at - first >= 18) return otherwise;
        value = value * 10 + (*json.at - '0');
    }
    if (json.at == first || (json.at < json.end && strchr(".eE", *json.at) && *json.at)) return otherwise;
    return minus ? -value : value;
}

const char *json_text(struct arena *arena, const uint8_t *data, size_t len, const char *name) {
    struct json json = {data, data + len};
    return find(arena, &json, name) ? text(arena, &json) : NULL;
}
