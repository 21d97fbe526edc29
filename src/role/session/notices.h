#pragma once

#include "base/result.h"
#include "base/span.h"

/*
 * What happens to the account's mailboxes and is not to be seen in their rows: names, subscriptions, annotations. The
 * last NOTICES_MAX are kept for the connections that listen (imap/notify.h); while none does, none is.
 */
#define NOTICES_MAX 2000U

struct session;

enum notice_kind { NOTICE_NAME, NOTICE_SUBSCRIPTION, NOTICE_METADATA };

struct notice {
    enum notice_kind kind;
    const void *origin; /* the connection whose doing it was, or NULL; only ever compared */
    span_t name;        /* of the mailbox; empty: of the account itself */
    span_t other;       /* of a mailbox that was renamed its old name; of an annotation its entry; or empty */
};

/* Copies what it is given. To be called once the change is committed. */
void notices_add(struct session *session, const struct notice *notice);

/* For each listener one of these pairs: *ret_next is the number of the first one that it will hear of. */
MUST_USE int notices_listen(struct session *session, uint64_t *ret_next);
void notices_ignore(struct session *session);

/* The notice with that number, valid until the next one is added; NOTICE_NONE: there is none yet. */
enum notice_result { NOTICE_NONE = 1, NOTICE_LOST };
MUST_USE int notices_get(const struct session *session, uint64_t number, struct notice *ret_notice);
