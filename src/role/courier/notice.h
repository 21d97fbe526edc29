#pragma once

#include "base/buf.h"
#include "ipc/row.h"

/*
 * The text that tells an account's owner, or the operator, that the account's mail to others is held. It has no address
 * but the account's own. Pure.
 */
enum notice_reader { NOTICE_OWNER, NOTICE_OPERATOR };

struct notice {
    enum notice_reader reader;
    span_t hostname; /* ours */
    span_t to;
    span_t account; /* its address */
    enum hold_why why;
    uint64_t seen;  /* recipients within a day, … */
    uint64_t usual; /* … and on other days */
    int64_t now;    /* seconds since 1970 */
    uint64_t id;    /* random */
};

/* The whole message. -ENOBUFS, -ENOMEM. */
MUST_USE int notice_write(const struct notice *notice, struct buf *text);
