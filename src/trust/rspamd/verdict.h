#pragma once

#include "base/arena.h"

/* What rspamd says of a message: the answer to POST /checkv2, as JSON (its documentation, "Rspamd HTTP protocol").
 * Pure. */
#define RSPAMD_ANSWER_MAX (1U << 20) /* bytes */
#define RSPAMD_DEPTH_MAX 32U
#define RSPAMD_FIELDS_MAX 32U /* header fields to add or to remove; more are passed over */
#define RSPAMD_SYMBOLS_MAX 64U

enum rspamd_action {
    RSPAMD_NO_ACTION,
    RSPAMD_GREYLIST,
    RSPAMD_ADD_HEADER, /* to Junk */
    RSPAMD_REWRITE_SUBJECT,
    RSPAMD_SOFT_REJECT,
    RSPAMD_REJECT,
    RSPAMD_DISCARD,
    RSPAMD_QUARANTINE,
    RSPAMD_ACTION_COUNT
};

struct rspamd_field {
    span_t name;
    span_t value; /* unfolded */
};

/* All is the arena's. */
struct rspamd_verdict {
    enum rspamd_action action;
    double score;
    double required; /* from which on it is spam */
    span_t subject;  /* with RSPAMD_REWRITE_SUBJECT: the new one; else empty */
    span_t reply;    /* words for the SMTP reply, printable ASCII; empty where it has none */
    size_t symbol_count;
    span_t symbols[RSPAMD_SYMBOLS_MAX]; /* names of what it found, in its order */
    size_t add_count;
    struct rspamd_field add[RSPAMD_FIELDS_MAX];
    size_t remove_count;
    span_t remove[RSPAMD_FIELDS_MAX]; /* names of fields */
};

enum rspamd_result {
    RSPAMD_OK,
    RSPAMD_MALFORMED, /* no verdict: JSON of another shape, or an action that is not known */
};

/* What would break a header or a reply (line ends, control bytes, names that are none) is left out. RSPAMD_OK,
 * RSPAMD_MALFORMED, -ENOMEM. */
MUST_USE int rspamd_verdict_read(span_t json, struct arena *arena, struct rspamd_verdict *ret_verdict);

const char *rspamd_action_name(enum rspamd_action action);
