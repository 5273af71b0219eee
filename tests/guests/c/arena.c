#include "arena.h"

#include <stdlib.h>

struct arena_block {
    struct arena_block *before;
    max_align_t start[];
};

void *arena_take(struct arena *arena, size_t size) {
    struct arena_block *block = calloc(1, sizeof *block + (size ? size : 1));
    if (!block) abort();
    block->before = arena->last;
    arena->last = block;
    return block->start;
}

void arena_free(struct arena *arena) {
    while (arena->last) {
        struct arena_block *before = arena->last->before;
        free(arena->last);
        arena->last = before;
    }
}
