#include "role/session/notices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "role/session/session.h"

struct entry {
    struct notice notice; /* its spans point behind it */
    uint8_t bytes[];
};

struct notices {
    struct entry *ring[NOTICES_MAX]; /* NULL: there was no memory for it, or there has been none yet */
    size_t listeners;
};

static uint8_t *put(uint8_t *at, span_t *span)
{
    if (span->len > 0)
        memcpy(at, span->at, span->len);
    span->at = at;
    return at + span->len;
}

void notices_add(struct session *session, const struct notice *notice)
{
    struct notices *notices = session->notices;
    if (notices == NULL)
        return;
    struct entry **slot = &notices->ring[session->notice_count++ % NOTICES_MAX];
    free(*slot);
    *slot = mem_new(sizeof(**slot) + notice->name.len + notice->other.len);
    if (*slot == NULL)
        return;
    (*slot)->notice = *notice;
    (void)put(put((*slot)->bytes, &(*slot)->notice.name), &(*slot)->notice.other);
}

int notices_listen(struct session *session, uint64_t *ret_next)
{
    if (session->notices == NULL)
        session->notices = mem_new(sizeof(*session->notices));
    if (session->notices == NULL)
        return -ENOMEM;
    session->notices->listeners++;
    *ret_next = session->notice_count;
    return 0;
}

void notices_ignore(struct session *session)
{
    if (--session->notices->listeners > 0)
        return;
    for (size_t i = 0; i < NOTICES_MAX; i++)
        free(session->notices->ring[i]);
    free(TAKE(session->notices));
}

int notices_get(const struct session *session, uint64_t number, struct notice *ret_notice)
{
    if (number == session->notice_count)
        return NOTICE_NONE;
    const struct entry *entry = session->notices->ring[number % NOTICES_MAX];
    if (session->notice_count - number > NOTICES_MAX || entry == NULL)
        return NOTICE_LOST;
    *ret_notice = entry->notice;
    return 0;
}
