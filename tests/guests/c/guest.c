#include "guest.h"

#include <stdlib.h>
#include <string.h>

// The same file twice: in memory, and in a section that can be read without running any of this.
static const char description[] = {
#embed "describe.json"
};

__asm__(".section \".custom_section.hygge:describe\",\"\",@\n"
        ".incbin \"describe.json\"\n");

void exports_hygge_plugin_describe_describe(guest_string_t *ret) {
    guest_string_dup_n(ret, description, sizeof description);
}

bool fault(hygge_plugin_types_fault_t *err, const char *code, const char *message, const char *name, const char *value) {
    memset(err, 0, sizeof *err);
    guest_string_dup(&err->code, code);
    guest_string_dup(&err->message, message);
    if (name) {
        err->attributes.ptr = malloc(sizeof *err->attributes.ptr);
        if (!err->attributes.ptr) abort();
        err->attributes.len = 1;
        guest_string_dup(&err->attributes.ptr->name, name);
        guest_string_dup(&err->attributes.ptr->value, value);
    }
    return false;
}

void say(const char *level, const char *message) {
    guest_string_t given_level, given_message;
    guest_string_set(&given_level, level);
    guest_string_set(&given_message, message);
    hygge_plugin_log_list_attribute_t none = {NULL, 0};
    hygge_plugin_log_write(&given_level, &given_message, &none);
}
