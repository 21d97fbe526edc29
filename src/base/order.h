#pragma once

#include <stddef.h>
#include <stdint.h>

/* A place in some list, and the number it is to be ordered by. */
struct order_row {
    uint64_t number;
    uint32_t place;
};

/*
 * Puts rows in order of their numbers; those with the same number stay in the order they are in. Takes time by the
 * count alone. room: for as many rows; below 2^32 of
 * them, as places are.
 */
void order_rows(struct order_row *rows, struct order_row *room, size_t count);
