// The members of a JSON object that a plugin's configuration is. The host has checked it against
// the schema in describe.json, so this finds values and checks only what keeps it within bounds.

#ifndef JSON_H
#define JSON_H

#include "arena.h"

#include <stdint.h>

// A whole number; `otherwise` when the object has no such member or it is none.
int64_t json_integer(const uint8_t *json, size_t len, const char *name, int64_t otherwise);

// A text; NULL when the object has no such member, or one with a zero in it.
const char *json_text(struct arena *arena, const uint8_t *json, size_t len, const char *name);

#endif
