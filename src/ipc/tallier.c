#include "ipc/tallier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "rt/timer.h"

#define BYTES_MAX ((size_t)1 << 20) /* kept; then it is sent at once */

struct tallier {
    struct wiring *wiring;
    struct timer *timer;
    struct map *kept; /* struct kept, by the hash of all but their count */
    size_t bytes;
    int64_t every_ms;
    uint8_t hash_key[16];
};

struct kept {
    uint64_t count;
    size_t len;
    uint8_t row[]; /* as tally_row_write() has it */
};

static void on_timer(void *arg)
{
    tallier_send(arg);
}

int tallier_new(struct loop *loop, struct wiring *wiring, int64_t every_ms, const uint8_t hash_key[16],
                struct tallier **ret_tallier)
{
    AUTO(tallier) struct tallier *tallier = mem_new(sizeof(*tallier));
    if (tallier == NULL)
        return -ENOMEM;
    tallier->wiring = wiring;
    tallier->every_ms = every_ms;
    memcpy(tallier->hash_key, hash_key, sizeof(tallier->hash_key));
    int result = map_new(&tallier->kept);
    if (result == 0)
        result = timer_new(loop, on_timer, tallier, &tallier->timer);
    if (result == 0)
        *ret_tallier = TAKE(tallier);
    return result;
}

static void forget_all(struct tallier *tallier)
{
    size_t cursor = 0;
    uint64_t key = 0;
    void *kept = NULL;
    while (tallier->kept != NULL && map_next(tallier->kept, &cursor, &key, &kept)) {
        (void)map_remove(tallier->kept, key);
        free(kept);
    }
    tallier->bytes = 0;
}

void tallier_free(struct tallier *tallier)
{
    if (tallier == NULL)
        return;
    forget_all(tallier);
    map_free(tallier->kept);
    timer_free(tallier->timer);
    scope_free(&tallier);
}

/* --- counting --------------------------------------------------------------------------------------------------- */

/* All but the count, which is written as the same for all. */
static struct kept *find(const struct tallier *tallier, span_t row, uint64_t *ret_key)
{
    *ret_key = hash_keyed(tallier->hash_key, row);
    struct kept *kept = map_get(tallier->kept, *ret_key);
    return kept != NULL && span_equal(span_of(kept->row, kept->len), row) ? kept : NULL;
}

static int add(struct tallier *tallier, span_t row, uint64_t count)
{
    uint64_t key = 0;
    struct kept *kept = find(tallier, row, &key);
    if (kept != NULL) {
        kept->count += count;
        return 0;
    }
    if (map_get(tallier->kept, key) != NULL) /* two rows of one hash */
        tallier_send(tallier);
    kept = mem_new(sizeof(*kept) + row.len);
    int result = kept != NULL ? map_put(tallier->kept, key, kept) : -ENOMEM;
    if (result < 0) {
        free(kept);
        return result;
    }
    kept->count = count;
    kept->len = row.len;
    memcpy(kept->row, row.at, row.len);
    tallier->bytes += row.len;
    if (map_count(tallier->kept) == 1)
        timer_start(tallier->timer, tallier->every_ms);
    if (tallier->bytes > BYTES_MAX)
        tallier_send(tallier);
    return 0;
}

void tallier_add(struct tallier *tallier, const struct tally_row *row)
{
    struct tally_row one = *row;
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, TALLY_ROWS_MAX);
    one.count = 1;
    int result = tally_row_write(&one, &bytes);
    if (result == 0)
        result = add(tallier, buf_span(&bytes), row->count);
    if (result < 0)
        log_debug("tally.left_out", F_FAULT(result));
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static void send_rows(struct tallier *tallier, struct buf *rows)
{
    struct channel *keeper = wiring_peer(tallier->wiring, ROLE_KEEPER, 0);
    struct ipc_message message = {.type = IPC_tally, .tally = {.rows = buf_span(rows)}};
    int result = keeper == NULL ? -ENOTCONN : channel_send(keeper, &message);
    if (result < 0)
        log_warn("tally.lost", F_FAULT(result));
    buf_clear(rows);
}

static int append(const struct kept *kept, struct buf *rows)
{
    span_t bytes = span_of(kept->row, kept->len);
    struct tally_row row;
    if (!tally_row_next(&bytes, &row))
        return -EBADMSG;
    row.count = kept->count;
    return tally_row_write(&row, rows);
}

void tallier_send(struct tallier *tallier)
{
    AUTO_BUF struct buf rows;
    size_t cursor = 0;
    uint64_t key = 0;
    void *kept = NULL;
    buf_init(&rows, TALLY_ROWS_MAX);
    while (map_next(tallier->kept, &cursor, &key, &kept)) {
        int result = append(kept, &rows);
        if (result == -ENOBUFS) {
            send_rows(tallier, &rows);
            result = append(kept, &rows);
        }
        if (result < 0)
            log_warn("tally.lost", F_FAULT(result));
    }
    if (buf_len(&rows) > 0)
        send_rows(tallier, &rows);
    forget_all(tallier);
    timer_stop(tallier->timer);
}
