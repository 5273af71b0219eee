// What both halves of the guest need. Who owns what: arguments of an export are the guest's to
// free, what it gives back is freed by the bindings, so every text in there is a copy.

#ifndef GUEST_H
#define GUEST_H

#include "arrow.h"
#include "bindings/guest.h"

// Fills in a fault that won't pass by itself, and says that the call failed. `name` may be NULL,
// else it is an attribute.
bool fault(hygge_plugin_types_fault_t *err, const char *code, const char *message, const char *name, const char *value);

// Writes to the log of the run.
void say(const char *level, const char *message);

#endif
