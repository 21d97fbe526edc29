#include <errno.h>

#include "base/mem.h"
#include "role/session/append.h"
#include "role/session/takein.h"

/*
 * The records are of a kind that take-in files never: it leaves them alone while a group is on its way, and gives them
 * up when there is none. So it makes no difference where a crash comes: the vault has all of them, or they are given
 * up.
 */
#define RUNNING_MAX 16U      /* being stored at once, so that they share syncs */
#define KEEP_MAX (64U << 20) /* what the vault keeps of all of them */

struct part {
    struct group *group;
    const struct append *append;
    struct append_stored stored;
    bool is_stored;
};

struct group {
    struct session *session;
    struct arena *keep;
    struct task_group storing;
    struct event ended; /* pulsed as one of them ends */
    size_t running;
    struct part *parts;
    size_t count;
    int result; /* the first that was not 0 */
};

static void store(struct task *task, void *arg)
{
    struct part *part = arg;
    struct group *group = part->group;
    int result = append_store(task, group->session, part->append, group->keep, &part->stored);
    part->is_stored = result == 0;
    if (result == 0)
        result = append_hold(group->session, part->stored.email.place.record);
    if (result != 0 && group->result == 0)
        group->result = result;
    group->running--;
    event_pulse(&group->ended);
}

static int store_all(struct task *task, struct group *group)
{
    for (size_t i = 0; i < group->count && group->result == 0; i++) {
        int result = 0;
        while (result == 0 && group->running >= RUNNING_MAX)
            result = event_wait(task, &group->ended, FOREVER);
        if (result == 0)
            result = task_group_spawn(&group->storing, group->session->loop, "append", store, &group->parts[i]);
        if (result < 0)
            group->result = result;
        else
            group->running++;
    }
    task_group_wait(task, &group->storing);
    return task_is_cancelled(task) ? -ECANCELED : group->result;
}

static int file_all(struct group *group, append_also also, void *arg, struct vault_filed *ret_filed)
{
    struct vault *vault = group->session->vault;
    int result = vault_begin(vault, VAULT_DURABLE);
    if (result < 0)
        return result;
    for (size_t i = 0; result == 0 && i < group->count; i++) {
        struct append_stored *stored = &group->parts[i].stored;
        result = takein_file(group->session, &stored->meta, &stored->email, &ret_filed[i]);
        if (result > 0)
            result = -EOVERFLOW; /* the mailbox has used up its UIDs */
    }
    if (result == 0 && also != NULL)
        result = also(arg);
    if (result == 0)
        result = vault_commit(vault);
    if (result != 0)
        vault_rollback(vault);
    return result;
}

static void let_go(struct group *group, bool is_filed)
{
    for (size_t i = 0; i < group->count; i++) {
        uint64_t record = group->parts[i].stored.email.place.record;
        if (!group->parts[i].is_stored)
            continue;
        append_let_go(group->session, record);
        if (is_filed)
            takein_note_taken(group->session, record);
    }
    group->session->together--;
    takein_note_arrived(group->session);
    if (is_filed)
        session_changed(group->session);
}

int append_together(struct task *task, struct session *session, struct append *appends, size_t count, append_also also,
                    void *arg, struct vault_filed *ret_filed)
{
    AUTO(arena) struct arena *keep = NULL;
    AUTO_FREE struct part *parts = mem_new_array(count, sizeof(*parts));
    if (parts == NULL)
        return -ENOMEM;
    int result = arena_new(KEEP_MAX, &keep);
    if (result < 0)
        return result;
    struct group group = {.session = session, .keep = keep, .parts = parts, .count = count};
    task_group_init(&group.storing);
    event_init(&group.ended);
    for (size_t i = 0; i < count; i++) {
        appends[i].together = true;
        parts[i] = (struct part){.group = &group, .append = &appends[i]};
    }
    session->together++;
    result = store_all(task, &group);
    if (result == 0)
        result = file_all(&group, also, arg, ret_filed);
    let_go(&group, result == 0);
    return result;
}
