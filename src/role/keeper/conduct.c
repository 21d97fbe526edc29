#include "role/keeper/conduct.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

#define VERSION 1U
#define HOUR 3600
#define FORGOTTEN_HOURS (20 * (int64_t)CONDUCT_MEMORY_HOURS) /* nothing is left of an average after that */
#define FIXED_SIZE (1U + 8U + CONDUCT_KINDS * 8U + CONDUCT_KINDS * CONDUCT_HOURS * 4U)
#define BOUNCED_PART 10U /* lists that nobody has tended have a few dead addresses in a hundred */
#define COUNT_MAX 1000000000U

/* An hour is over that is older than a day: its counts, as a day of such hours, go into the average. */
static void age(struct conduct *conduct, size_t at)
{
    for (size_t kind = 0; kind < CONDUCT_KINDS; kind++) {
        uint64_t *usual = &conduct->usual[kind];
        uint64_t day = (uint64_t)conduct->counts[kind][at] * CONDUCT_HOURS * CONDUCT_UNIT;
        *usual = *usual - *usual / CONDUCT_MEMORY_HOURS + day / CONDUCT_MEMORY_HOURS;
        conduct->counts[kind][at] = 0;
    }
}

/* A clock that goes back leaves all as it is. */
static void advance(struct conduct *conduct, int64_t now)
{
    int64_t hour = now / HOUR;
    if (conduct->hour == 0 || hour - conduct->hour > FORGOTTEN_HOURS) {
        memset(conduct->counts, 0, sizeof(conduct->counts));
        memset(conduct->usual, 0, sizeof(conduct->usual));
        conduct->hour = hour;
    }
    while (conduct->hour < hour)
        age(conduct, (size_t)(++conduct->hour % CONDUCT_HOURS));
}

static void add(struct conduct *conduct, enum conduct_kind kind, uint32_t count)
{
    uint32_t *at = &conduct->counts[kind][conduct->hour % CONDUCT_HOURS];
    *at = *at > COUNT_MAX || count > COUNT_MAX ? COUNT_MAX : *at + count;
}

static size_t find(const struct conduct *conduct, uint16_t mark)
{
    size_t at = 0;
    while (at < conduct->known_count && conduct->known[at] != mark)
        at++;
    return at;
}

void conduct_add_recipient(struct conduct *conduct, uint16_t mark, int64_t now)
{
    size_t at = find(conduct, mark);
    bool is_new = at == conduct->known_count;
    advance(conduct, now);
    add(conduct, CONDUCT_SENT, 1);
    if (is_new)
        add(conduct, CONDUCT_NEW, 1);
    if (is_new && conduct->known_count < CONDUCT_KNOWN_MAX)
        conduct->known_count++;
    else if (is_new)
        at = 0;
    memmove(&conduct->known[at], &conduct->known[at + 1], (conduct->known_count - 1 - at) * sizeof(conduct->known[0]));
    conduct->known[conduct->known_count - 1] = mark;
}

void conduct_add_bounces(struct conduct *conduct, uint32_t count, int64_t now)
{
    advance(conduct, now);
    add(conduct, CONDUCT_BOUNCED, count);
}

uint64_t conduct_today(struct conduct *conduct, enum conduct_kind kind, int64_t now)
{
    uint64_t sum = 0;
    advance(conduct, now);
    for (size_t at = 0; at < CONDUCT_HOURS; at++)
        sum += conduct->counts[kind][at];
    return sum;
}

uint64_t conduct_usual(const struct conduct *conduct, enum conduct_kind kind)
{
    return (conduct->usual[kind] + CONDUCT_UNIT / 2) / CONDUCT_UNIT;
}

static bool is_too_many(struct conduct *conduct, enum conduct_kind kind, uint64_t limit, uint64_t factor, int64_t now)
{
    uint64_t today = conduct_today(conduct, kind, now);
    return limit > 0 && today > limit && today * CONDUCT_UNIT > conduct->usual[kind] * factor;
}

enum conduct_answer conduct_judge(struct conduct *conduct, const struct conduct_limits *limits, int64_t now)
{
    if (is_too_many(conduct, CONDUCT_NEW, limits->fresh, limits->factor, now))
        return CONDUCT_STRANGERS;
    if (is_too_many(conduct, CONDUCT_BOUNCED, limits->bounced, limits->factor, now) &&
        conduct_today(conduct, CONDUCT_BOUNCED, now) * BOUNCED_PART >= conduct_today(conduct, CONDUCT_SENT, now))
        return CONDUCT_BOUNCES;
    return CONDUCT_USUAL;
}

void conduct_settle(struct conduct *conduct, enum conduct_verdict verdict, const struct conduct_limits *limits,
                    int64_t now)
{
    uint64_t factor = limits->factor > 0 ? limits->factor : 1;
    for (enum conduct_kind kind = CONDUCT_SENT; kind < CONDUCT_KINDS; kind++) {
        uint64_t twice = 2 * conduct_today(conduct, kind, now) * CONDUCT_UNIT / factor;
        if (verdict == CONDUCT_WAS_OWNER && twice > conduct->usual[kind])
            conduct->usual[kind] = twice;
    }
    uint64_t strangers = conduct_today(conduct, CONDUCT_NEW, now);
    if (verdict == CONDUCT_WAS_THIEF)
        conduct->known_count -= strangers < conduct->known_count ? (size_t)strangers : conduct->known_count;
    memset(conduct->counts, 0, sizeof(conduct->counts));
}

/* --- as bytes ----------------------------------------------------------------------------------------------------- */

int conduct_write(const struct conduct *conduct, struct buf *bytes)
{
    uint8_t *at = NULL;
    size_t len = FIXED_SIZE + conduct->known_count * 2;
    int result = buf_reserve(bytes, len, &at);
    if (result < 0)
        return result;
    *at++ = VERSION;
    bytes_put_u64(at, (uint64_t)conduct->hour);
    at += 8;
    for (size_t kind = 0; kind < CONDUCT_KINDS; kind++, at += 8)
        bytes_put_u64(at, conduct->usual[kind]);
    for (size_t kind = 0; kind < CONDUCT_KINDS; kind++)
        for (size_t hour = 0; hour < CONDUCT_HOURS; hour++, at += 4)
            bytes_put_u32(at, conduct->counts[kind][hour]);
    for (size_t known = 0; known < conduct->known_count; known++, at += 2)
        bytes_put_u16(at, conduct->known[known]);
    buf_commit(bytes, len);
    return 0;
}

int conduct_read(span_t bytes, struct conduct *ret_conduct)
{
    const uint8_t *at = bytes.at;
    if (bytes.len < FIXED_SIZE || (bytes.len - FIXED_SIZE) % 2 != 0 ||
        (bytes.len - FIXED_SIZE) / 2 > CONDUCT_KNOWN_MAX || *at++ != VERSION)
        return -EBADMSG;
    *ret_conduct = (struct conduct){.hour = (int64_t)bytes_get_u64(at), .known_count = (bytes.len - FIXED_SIZE) / 2};
    at += 8;
    for (size_t kind = 0; kind < CONDUCT_KINDS; kind++, at += 8)
        ret_conduct->usual[kind] = bytes_get_u64(at);
    for (size_t kind = 0; kind < CONDUCT_KINDS; kind++)
        for (size_t hour = 0; hour < CONDUCT_HOURS; hour++, at += 4)
            ret_conduct->counts[kind][hour] = bytes_get_u32(at);
    for (size_t known = 0; known < ret_conduct->known_count; known++, at += 2)
        ret_conduct->known[known] = bytes_get_u16(at);
    return 0;
}
