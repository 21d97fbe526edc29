#include "proto/imap/set.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"

/* RFC 3501 §9: seq-number = nz-number / "*". */
static bool take_number(span_t *rest, uint32_t *ret_number)
{
    if (rest->len > 0 && rest->at[0] == '*') {
        *rest = span_from(*rest, 1);
        *ret_number = IMAP_SET_STAR;
        return true;
    }
    size_t len = 0;
    while (len < rest->len && ascii_is_digit(rest->at[len]))
        len++;
    uint64_t value = 0;
    if (len == 0 || len > 10 || rest->at[0] == '0' || span_to_u64(span_upto(*rest, len), UINT32_MAX, &value) < 0)
        return false;
    *rest = span_from(*rest, len);
    *ret_number = (uint32_t)value;
    return true;
}

static bool take_range(span_t *rest, struct imap_range *ret_range)
{
    if (!take_number(rest, &ret_range->first))
        return false;
    ret_range->last = ret_range->first;
    if (rest->len == 0 || rest->at[0] != ':')
        return true;
    *rest = span_from(*rest, 1);
    return take_number(rest, &ret_range->last);
}

static bool is_set_byte(uint8_t byte)
{
    return ascii_is_digit(byte) || byte == ',' || byte == ':' || byte == '*';
}

int imap_set_parse(span_t *rest, struct arena *arena, struct imap_set *ret_set)
{
    if (rest->len > 0 && rest->at[0] == '$') {
        *rest = span_from(*rest, 1);
        *ret_set = (struct imap_set){.saved = true};
        return 0;
    }
    size_t count = 1;
    for (size_t at = 0; at < rest->len && is_set_byte(rest->at[at]); at++)
        count += rest->at[at] == ',';
    if (count > IMAP_SET_RANGES_MAX)
        return -E2BIG;
    struct imap_set set = {.ranges = arena_alloc_array(arena, count, sizeof(*set.ranges))};
    if (set.ranges == NULL)
        return -ENOMEM;
    span_t after = *rest;
    while (set.count < count) {
        if (!take_range(&after, &set.ranges[set.count++]))
            return -EINVAL;
        if (set.count == count)
            break;
        if (after.len == 0 || after.at[0] != ',')
            return -EINVAL;
        after = span_from(after, 1);
    }
    *rest = after;
    *ret_set = set;
    return 0;
}

static int compare_ranges(const void *one, const void *other)
{
    const struct imap_range *left = one;
    const struct imap_range *right = other;
    return left->first < right->first ? -1 : left->first > right->first;
}

void imap_set_fix(struct imap_set *set, uint32_t largest)
{
    if (largest == 0) {
        set->count = 0;
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        struct imap_range *range = &set->ranges[i];
        uint32_t first = range->first == IMAP_SET_STAR ? largest : range->first;
        uint32_t last = range->last == IMAP_SET_STAR ? largest : range->last;
        *range = first <= last ? (struct imap_range){first, last} : (struct imap_range){last, first};
    }
    if (set->count > 1)
        qsort(set->ranges, set->count, sizeof(*set->ranges), compare_ranges);
    size_t kept = 0;
    for (size_t i = 1; i < set->count; i++) {
        struct imap_range *range = &set->ranges[kept];
        if (range->last == UINT32_MAX || set->ranges[i].first <= range->last + 1) {
            if (set->ranges[i].last > range->last)
                range->last = set->ranges[i].last;
        } else {
            set->ranges[++kept] = set->ranges[i];
        }
    }
    if (set->count > 0)
        set->count = kept + 1;
}

bool imap_set_has(const struct imap_set *set, uint32_t number)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->ranges[low].first <= number;
}

bool imap_set_beyond(const struct imap_set *set, uint32_t largest)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->ranges[i].last > largest || set->ranges[i].first > largest)
            return true;
    return false;
}

void imap_set_writer_start(struct imap_set_writer *writer, struct buf *out)
{
    *writer = (struct imap_set_writer){.out = out};
}

static void write_run(struct imap_set_writer *writer)
{
    if (writer->first == 0)
        return;
    if (writer->any)
        buf_append_byte(writer->out, ',');
    writer->any = true;
    buf_append_u64(writer->out, writer->first);
    if (writer->last == writer->first)
        return;
    buf_append_byte(writer->out, ':');
    buf_append_u64(writer->out, writer->last);
}

void imap_set_writer_add(struct imap_set_writer *writer, uint32_t number)
{
    if (writer->first != 0 && writer->last + 1 == number) {
        writer->last = number;
        return;
    }
    write_run(writer);
    writer->first = number;
    writer->last = number;
}

void imap_set_writer_end(struct imap_set_writer *writer)
{
    write_run(writer);
    writer->first = 0;
}
