#include "base/order.h"

#include <string.h>

#define DIGIT_BITS 8U
#define DIGITS 8U
#define VALUES (1U << DIGIT_BITS)

static unsigned digit_of(uint64_t number, unsigned digit)
{
    return (unsigned)(number >> digit * DIGIT_BITS) & (VALUES - 1);
}

static void move_by_digit(const struct order_row *from, struct order_row *to, size_t count, unsigned digit)
{
    uint32_t starts[VALUES] = {0};
    uint32_t start = 0;
    for (size_t i = 0; i < count; i++)
        starts[digit_of(from[i].number, digit)]++;
    for (unsigned value = 0; value < VALUES; value++) {
        uint32_t here = starts[value];
        starts[value] = start;
        start += here;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[digit_of(from[i].number, digit)]++] = from[i];
}

/* From the lowest digit up; one in which all numbers agree moves nothing. */
void order_rows(struct order_row *rows, struct order_row *room, size_t count)
{
    struct order_row *from = rows;
    struct order_row *to = room;
    uint64_t differs = 0;
    for (size_t i = 1; i < count; i++)
        differs |= rows[i].number ^ rows[0].number;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (digit_of(differs, digit) == 0)
            continue;
        move_by_digit(from, to, count, digit);
        struct order_row *moved = to;
        to = from;
        from = moved;
    }
    if (from != rows)
        memcpy(rows, from, count * sizeof(*rows));
}
