#pragma once

#include "proto/imap/section.h"

/*
 * IMAP URLs (RFC 5092) as CATENATE has them: relative ones, of a message or a part of one, on this server and of this
 * account (RFC 4469 §3). `/MAILBOX[;UIDVALIDITY=n]/;UID=n[/;SECTION=…][/;PARTIAL=start[.len]]`; or from `;UID=` on, of
 * the mailbox that is selected.
 */
struct imap_url {
    span_t mailbox;       /* UTF-8; at NULL: the selected one */
    uint32_t uidvalidity; /* 0: not said */
    uint32_t uid;
    struct imap_section section; /* with the partial range, whose length is UINT64_MAX up to the end */
};

enum { IMAP_URL_BAD = 1 }; /* not one of these */

/* Spans of *ret_url point into the text or the arena. 0, IMAP_URL_BAD, -ENOMEM. */
MUST_USE int imap_url_parse(span_t text, struct arena *arena, struct imap_url *ret_url);
