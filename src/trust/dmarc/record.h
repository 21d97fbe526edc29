#pragma once

#include "base/result.h"
#include "base/span.h"

/* Which one is gone by: they differ in tags, and in how the organizational domain is found (find.h). */
enum dmarc_edition { DMARC_RFC7489, DMARC_RFC9989 };

enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

/* A DMARC record (RFC 7489 §6.3, RFC 9989 §4.7). Spans point into its text. */

struct dmarc_record {
    enum dmarc_policy policy;
    enum dmarc_policy subdomains;  /* sp=; as policy where not said */
    enum dmarc_policy nonexistent; /* np=, of RFC 9989; as subdomains where not said */
    enum dmarc_psd psd;            /* of RFC 9989 */
    bool is_dkim_strict;
    bool is_spf_strict;
    unsigned percent;  /* pct=, of RFC 7489; RFC 9989 knows 100 alone, and 0 where t=y */
    uint32_t interval; /* ri=, seconds */
    span_t fo;         /* "0" where not said */
    span_t rua;        /* URIs, comma-separated; may be empty, here and below */
    span_t ruf;
};

/* Whether a TXT record is meant to be one. */
bool dmarc_is_record(span_t text);

/*
 * Reads one; a tag that makes no sense counts as if it were not there, but for p, sp and np: without sense in them,
 * mail is at least reported on where rua says to whom, and else there is no record (RFC 7489 §6.6.3). False: none.
 */
MUST_USE bool dmarc_record_parse(span_t text, enum dmarc_edition edition, struct dmarc_record *ret_record);
