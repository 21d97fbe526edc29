#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "role/courier/courier-state.h"

#define KEPT 16U /* descriptors; a queue that spans more segments opens some of them anew */

struct segfile {
    uint64_t segment;
    int fd;
    unsigned users;
    uint64_t used; /* the turn it was last asked for */
};

static uint64_t turn;

static void segfile_free(struct courier *courier, struct segfile *segfile)
{
    (void)map_remove(courier->segfiles, segfile->segment);
    (void)close(segfile->fd);
    free(segfile);
}

static void evict(struct courier *courier)
{
    struct segfile *oldest = NULL;
    size_t cursor = 0;
    uint64_t segment = 0;
    void *value = NULL;
    if (map_count(courier->segfiles) < KEPT)
        return;
    while (map_next(courier->segfiles, &cursor, &segment, &value)) {
        struct segfile *segfile = value;
        if (segfile->users == 0 && (oldest == NULL || segfile->used < oldest->used))
            oldest = segfile;
    }
    if (oldest != NULL)
        segfile_free(courier, oldest);
}

static int ask_store(struct task *task, struct courier *courier, uint64_t segment, int *ret_fd)
{
    struct channel *store = wiring_peer(courier->wiring, ROLE_STORE, 0);
    if (store == NULL)
        return -ENOTCONN;
    struct ipc_message request = {.type = IPC_segment, .segment = {.segment = segment}};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    int result = channel_call_within(task, store, &request, COURIER_CALL_MS, &reply);
    if (result < 0)
        return result == -EPIPE || result == -ETIMEDOUT ? -ENOTCONN : result;
    if (reply->segment_opened.outcome != 0)
        return -(int)reply->segment_opened.outcome;
    *ret_fd = ipc_message_take_fd(reply, 0);
    return *ret_fd < 0 ? -EMFILE : 0;
}

static int segfile_new(struct courier *courier, uint64_t segment, int descriptor, struct segfile **ret_segfile)
{
    AUTO_FD int fd = descriptor;
    AUTO_FREE struct segfile *segfile = mem_new(sizeof(*segfile));
    if (segfile == NULL)
        return -ENOMEM;
    evict(courier);
    int result = map_put(courier->segfiles, segment, segfile);
    if (result < 0)
        return result;
    *segfile = (struct segfile){.segment = segment, .fd = TAKE_FD(fd)};
    *ret_segfile = TAKE(segfile);
    return 0;
}

int segfile_get(struct task *task, struct courier *courier, uint64_t segment, struct segfile **ret_segfile)
{
    struct segfile *segfile = map_get(courier->segfiles, segment);
    if (segfile == NULL) {
        AUTO_FD int fd = -1;
        int result = ask_store(task, courier, segment, &fd);
        if (result < 0)
            return result;
        segfile = map_get(courier->segfiles, segment); /* another task may have been quicker */
        if (segfile == NULL)
            result = segfile_new(courier, segment, TAKE_FD(fd), &segfile);
        if (result < 0)
            return result;
    }
    segfile->users++;
    segfile->used = ++turn;
    *ret_segfile = segfile;
    return 0;
}

void segfile_put(struct courier *courier, struct segfile *segfile)
{
    if (segfile == NULL)
        return;
    segfile->users--;
    if (segfile->users == 0 && map_count(courier->segfiles) > KEPT)
        segfile_free(courier, segfile);
}

int segfile_fd(const struct segfile *segfile)
{
    return segfile->fd;
}

void segfiles_free(struct courier *courier)
{
    size_t cursor = 0;
    uint64_t segment = 0;
    void *value = NULL;
    while (courier->segfiles != NULL && map_next(courier->segfiles, &cursor, &segment, &value))
        segfile_free(courier, value);
    map_free(courier->segfiles);
    courier->segfiles = NULL;
}
