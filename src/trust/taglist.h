#pragma once

#include "base/result.h"
#include "base/span.h"

/*
 * A list of `tag=value;`, as DKIM signatures and keys are written (RFC 6376 §3.2), and DMARC, MTA-STS and TLS-RPT
 * records nearly so. Read in place. Pure.
 */
#define TAGLIST_MAX 48U /* tags in a list; one with more is malformed */

struct taglist {
    size_t count;
    struct tag {
        span_t name;  /* letters, digits and "_"; case counts */
        span_t value; /* raw, without white space and line ends around it; may be empty */
    } tags[TAGLIST_MAX];
};

enum taglist_result {
    TAGLIST_OK,
    TAGLIST_MALFORMED, /* a piece without "=", a name that is none, or one name twice */
};

/* White space and line ends around names and values fall away; a ";" at the end is allowed, an empty piece elsewhere is
 * not. */
MUST_USE enum taglist_result taglist_parse(span_t text, struct taglist *ret_list);

/* A tag's value; SPAN_NONE (at == NULL) where there is none of that name. */
span_t taglist_value(const struct taglist *list, const char *name);

/* Whether the text starts with the tag v, and it has just this value: how records say what they are (RFC 7489 §6.3,
 * RFC 8461 §3.1, RFC 8460 §3). */
bool taglist_is_version(const struct taglist *list, const char *version);
