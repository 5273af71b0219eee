#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

// Memory that is freed all at once.
struct arena {
    struct arena_block *last;
};

// Zeroed memory, aligned for any value; the program ends when there is none.
void *arena_take(struct arena *arena, size_t size);
void arena_free(struct arena *arena);

#endif
