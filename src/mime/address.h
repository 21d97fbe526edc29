#pragma once

#include "base/arena.h"
#include "base/span.h"

#define MIME_ADDRESS_COUNT_MAX 10000U

enum mime_address_kind {
    MIME_ADDRESS_MAILBOX,
    MIME_ADDRESS_GROUP_START, /* name is the group's (RFC 5322 §3.4) */
    MIME_ADDRESS_GROUP_END,
};

/* All text raw, not yet through mime_word_decode; quoting undone. at == NULL: absent. */
struct mime_address {
    struct mime_address *next;
    enum mime_address_kind kind;
    span_t name;   /* display name, or else the comment after the address */
    span_t route;  /* obsolete source route (RFC 5322 §4.4), `@a,@b` */
    span_t local;  /* at == NULL only for what has no address at all */
    span_t domain; /* at == NULL where there was no @ */
};

/* Reads an address list; whatever cannot be understood ends up as an entry with what was found, never as a fault.
 * -ENOMEM. An empty list gives NULL. Lists longer than MIME_ADDRESS_COUNT_MAX are cut. */
MUST_USE int mime_address_parse(span_t value, struct arena *arena, struct mime_address **ret_addresses);
