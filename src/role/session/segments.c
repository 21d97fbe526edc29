#include "role/session/segments.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct logfile {
    struct session *session;
    uint64_t id;
    int fd;
    unsigned users;
    uint64_t used; /* the turn it was last asked for */
};

static uint64_t turn;

static void logfile_free(struct logfile *segment)
{
    (void)map_remove(segment->session->segments, segment->id);
    close(segment->fd);
    free(segment);
}

/* Makes room: the one that has been idle longest goes. */
static void evict(struct session *session)
{
    if (map_count(session->segments) < SEGMENTS_KEPT)
        return;
    struct logfile *oldest = NULL;
    size_t cursor = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_next(session->segments, &cursor, &id, &value)) {
        struct logfile *segment = value;
        if (segment->users == 0 && (oldest == NULL || segment->used < oldest->used))
            oldest = segment;
    }
    if (oldest != NULL)
        logfile_free(oldest);
}

static int ask_store(struct task *task, struct session *session, uint64_t id, int *ret_fd)
{
    struct channel *store = session_store(session);
    if (store == NULL)
        return -ENOTCONN;
    struct ipc_message request = {.type = IPC_segment, .segment = {.segment = id}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, &request, SESSION_CALL_MS, &reply);
    if (result < 0)
        return result == -EPIPE || result == -ETIMEDOUT ? -ENOTCONN : result;
    if (reply->segment_opened.outcome != 0)
        return -(int)reply->segment_opened.outcome;
    *ret_fd = ipc_message_take_fd(reply, 0);
    return *ret_fd < 0 ? -EMFILE : 0;
}

int logfile_get(struct task *task, struct session *session, uint64_t id, struct logfile **ret_segment)
{
    struct logfile *segment = map_get(session->segments, id);
    if (segment == NULL) {
        AUTO_FD int fd = -1;
        int result = ask_store(task, session, id, &fd);
        if (result < 0)
            return result;
        segment = map_get(session->segments, id); /* another task may have been quicker */
        if (segment == NULL) {
            evict(session);
            segment = mem_new(sizeof(*segment));
            if (segment == NULL)
                return -ENOMEM;
            *segment = (struct logfile){.session = session, .id = id, .fd = TAKE_FD(fd)};
            result = map_put(session->segments, id, segment);
            if (result < 0) {
                close(segment->fd);
                free(segment);
                return result;
            }
        }
    }
    segment->users++;
    segment->used = ++turn;
    *ret_segment = segment;
    return 0;
}

void logfile_put(struct logfile *segment)
{
    if (segment == NULL)
        return;
    segment->users--;
    if (segment->users == 0 && map_count(segment->session->segments) > SEGMENTS_KEPT)
        logfile_free(segment);
}

int logfile_fd(const struct logfile *segment)
{
    return segment->fd;
}

void segments_free(struct session *session)
{
    if (session->segments == NULL)
        return;
    size_t cursor = 0;
    uint64_t id = 0;
    void *value = NULL;
    while (map_next(session->segments, &cursor, &id, &value))
        logfile_free(value);
    map_free(session->segments);
    session->segments = NULL;
}
