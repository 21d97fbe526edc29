#pragma once

#include <stdbool.h>

#include "base/scope.h"
#include "base/span.h"

/*
 * The networks that mail from outside comes from (network.h): how much each has sent within the hour that ends now, and
 * which of them have delivered well before. Pure: the time is given, in seconds. Tables are bounded (allowance.h, and
 * VISITORS_KNOWN_MAX, where whoever was seen longest ago is forgotten), and hold keyed hashes alone.
 *
 * A sender's address is never counted by itself, as anybody can write it: only what one network sends in its name is,
 * so that nobody can use up what another may send.
 */
struct visitors;

#define VISITORS_KNOWN_MAX 65536U
#define VISITORS_MEMORY (36L * 24 * 3600) /* so long after the last connection one is known */

/* Per hour and network; 0: any number. */
struct visitor_rates {
    uint64_t connections;
    uint64_t messages;
    uint64_t sender_messages; /* of one sender */
    uint64_t recipients;
    uint64_t unknown; /* recipients that do not exist: beyond it, it no longer learns who does */
};

enum visitor_answer { VISITOR_GO, VISITOR_WAIT };

/* key: 16 random bytes. */
MUST_USE int visitors_new(const uint8_t key[16], struct visitors **ret_visitors);
void visitors_free(struct visitors *visitors);

/* A connection has come. An enum visitor_answer, or -ENOMEM. */
MUST_USE int visitors_connect(struct visitors *visitors, int64_t now, const struct visitor_rates *rates, span_t client,
                              bool *ret_known);

/* What a recipient is, and whether he is the first one of his message. */
struct visitor_recipient {
    span_t client;
    span_t sender;
    bool is_first;
    bool is_unknown;
};
MUST_USE int visitors_recipient(struct visitors *visitors, int64_t now, const struct visitor_rates *rates,
                                const struct visitor_recipient *recipient);

/* The client has delivered a message that was taken, and was not junk. 0, -ENOMEM. */
MUST_USE int visitors_vouch(struct visitors *visitors, int64_t now, span_t client);

SCOPE_OF(visitors)
