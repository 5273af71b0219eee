// Reads streams and writes them again, through the same rows turned around twice. Built natively,
// for codecs.py: on stdin each stream stands after its length in 8 bytes; on stdout a byte that
// says whether it could be read, and the stream or the reason in the same form.

#include "arrow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(uint8_t well, const void *data, uint64_t len) {
    fwrite(&well, 1, 1, stdout);
    fwrite(&len, 1, 8, stdout);
    fwrite(data, 1, len, stdout);
    fflush(stdout);
}

static void again(const uint8_t *given, size_t len) {
    struct arena arena = {0};
    struct arrow_batch batch;
    const char *wrong = arrow_read(&arena, given, len, &batch);
    if (wrong) {
        answer(0, wrong, strlen(wrong));
    } else {
        if (batch.columns) {
            int64_t *rows = arena_take(&arena, (size_t)batch.rows * sizeof *rows);
            for (int64_t n = 0; n < batch.rows; n++) rows[n] = batch.rows - 1 - n;
            batch = arrow_take(&arena, &batch, rows, batch.rows);
            batch = arrow_take(&arena, &batch, rows, batch.rows);
        }
        struct bytes out = arrow_write(&batch);
        answer(1, out.data, out.len);
        free(out.data);
    }
    arena_free(&arena);
}

int main(void) {
    uint64_t len;
    while (fread(&len, 8, 1, stdin) == 1) {
        // Of exactly that size, so that the sanitizer sees a read past the end.
        uint8_t *given = malloc(len ? len : 1);
        if (!given || fread(given, 1, len, stdin) != len) return 2;
        again(given, len);
        free(given);
    }
    return 0;
}
