#pragma once

#include "base/result.h"
#include "base/span.h"

/* A DMARC record (RFC 7489 §6.3). Spans point into its text. */
enum dmarc_policy { DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT };

struct dmarc_record {
    enum dmarc_policy policy;
    enum dmarc_policy subdomains; /* sp=; as policy where not said */
    bool is_dkim_strict;
    bool is_spf_strict;
    unsigned percent;
    uint32_t interval; /* ri=, seconds */
    span_t fo;         /* "0" where not said */
    span_t rua;        /* URIs, comma-separated; may be empty, here and below */
    span_t ruf;
};

/* Whether a TXT record is meant to be one. */
bool dmarc_is_record(span_t text);

/*
 * Reads one; a tag that makes no sense counts as if it were not there, but for p and sp: without sense in them, mail is
 * at least reported on where rua says to whom, and else there is no record (RFC 7489 §6.6.3). False: none.
 */
MUST_USE bool dmarc_record_parse(span_t text, struct dmarc_record *ret_record);
