#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "role/session/service/service.h"
#include "vault/index.h"

#define LOOK_MS 100
#define STUCK_LOOKS 1200U /* without any progress: something is wrong */
#define EXIT_STUCK 1
#define LINE_MAX 128

static int tell_end(struct task *task, struct service *service, uint64_t count, bool is_stuck)
{
    char line[LINE_MAX];
    int len = is_stuck ? snprintf(line, sizeof(line), "the index does not get on; the server's log says why\n")
                       : snprintf(line, sizeof(line), "%" PRIu64 " messages are indexed\n", count);
    int result = service_output(task, service, span_of(line, (size_t)len));
    return result < 0 ? result : is_stuck ? EXIT_STUCK : 0;
}

/* The indexer (indexer.c) does the work, as ever; here it is watched. */
static int watch(struct task *task, struct service *service)
{
    uint64_t left_before = UINT64_MAX;
    unsigned looks = 0;
    for (;;) {
        struct vault_index_size size;
        int result = vault_index_size(service->session->vault, &size);
        if (result < 0)
            return result;
        looks = size.left < left_before ? 0 : looks + 1;
        left_before = size.left;
        if (size.left == 0 || looks == STUCK_LOOKS)
            return tell_end(task, service, size.total, size.left > 0);
        struct frame_progress progress = {
            .done = size.total - size.left, .total = size.total, .what = SPAN("messages indexed")};
        result = service_progress(task, service, &progress);
        if (result == 0)
            result = task_sleep(task, LOOK_MS);
        if (result < 0)
            return result;
    }
}

int service_index(struct task *task, struct service *service)
{
    struct session *session = service->session;
    if (service_has_word(service, SPAN("--rebuild"))) {
        int result = vault_index_reset(session->vault);
        if (result < 0)
            return result;
    }
    session->index_waiters++;
    event_raise(&session->unindexed);
    int result = watch(task, service);
    session->index_waiters--;
    return result;
}
