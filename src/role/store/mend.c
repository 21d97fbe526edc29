#include <errno.h>

#include "base/log.h"
#include "conf/conf.h"
#include "role/store/store-state.h"

#define MEND_MIN_MS 1000
#define MEND_MAX_MS 60000
#define MEND_CALM_MS 600000 /* a log that worked for so long is tried soon again */

int store_open_journal(const struct store *store, struct journal **ret_journal)
{
    const struct journal_options options = {
        .dir = store->folder, .key = secret_span(store->key), .segment_max = store->start->conf->log_segment_max};
    return journal_open(&options, ret_journal);
}

void store_look(struct store *store)
{
    int fault = journal_fault(store->journal);
    struct journal_stats stats;
    journal_get_stats(store->journal, &stats);
    if (stats.damaged > store->damaged)
        log_error("store.log.damaged", F_U64("places", stats.damaged), F_TEXT("do", "look after the disk"));
    store->damaged = stats.damaged;
    if (fault == 0 || event_is_set(&store->broken))
        return;
    log_error("store.log.failed", F_FAULT(fault),
              F_TEXT("consequence", "no mail is accepted until the disk works again"));
    event_raise(&store->broken);
}

/* The checkpoint tries writing, too: a disk that only reads is not mended. */
static int mend(struct store *store)
{
    AUTO(journal) struct journal *fresh = NULL;
    int result = store_open_journal(store, &fresh);
    if (result == 0)
        result = journal_checkpoint(fresh);
    if (result != 0)
        return result;
    journal_commit(store->journal); /* refuses what is queued there */
    journal_free(store->journal);
    store->journal = TAKE(fresh);
    return 0;
}

void store_mend_task(struct task *task, void *arg)
{
    struct store *store = arg;
    int64_t delay = MEND_MIN_MS;
    int64_t mended = loop_now(store->loop);
    while (event_wait(task, &store->broken, FOREVER) == 0) {
        if (loop_now(store->loop) - mended > MEND_CALM_MS)
            delay = MEND_MIN_MS;
        int result = task_sleep(task, delay);
        if (result != 0)
            return;
        delay = delay < MEND_MAX_MS / 2 ? 2 * delay : MEND_MAX_MS;
        result = mend(store);
        if (result != 0) {
            log_warn("store.log.unmended", F_FAULT(result));
            continue;
        }
        event_clear(&store->broken);
        mended = loop_now(store->loop);
        log_info("store.log.mended");
    }
}
