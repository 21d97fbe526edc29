#pragma once

#include "base/buf.h"
#include "proto/dns/lookup.h"
#include "rt/tls.h"

/*
 * One request over HTTP/1.1 (RFC 9112), and its response: policies, verdicts, reports. No redirects, no cookies, no
 * compression, one connection a request.
 */
struct task;

#define FETCH_FIELDS_MAX 32U
#define FETCH_ADDRESSES_MAX 8U /* of a host that are tried */

struct fetch_request {
    const char *method; /* "GET" */
    bool is_tls;        /* with a certificate for the host that the client's roots vouch for */
    const char *host;   /* a name or an address */
    uint16_t port;
    const char *target; /* path and query */
    size_t field_count; /* "Name: value", without what ends lines: -EINVAL else */
    const char *fields[FETCH_FIELDS_MAX];
    span_t content;     /* at == NULL: none */
    int64_t timeout_ms; /* for all of it */
};

enum fetch_outcome {
    FETCH_OK,          /* whatever the status */
    FETCH_UNREACHABLE, /* no address, or nobody there */
    FETCH_UNTRUSTED,   /* there, but TLS failed */
    FETCH_BROKEN,      /* the connection ended early, or no HTTP came over it */
    FETCH_TOO_LARGE,   /* more content than asked for */
    FETCH_TIMED_OUT,
};

struct fetch_response {
    unsigned status;
    struct buf *content; /* given by the caller; its maximum is the limit. Holds what came, whatever the outcome */
    char type[64];       /* media type in lower case, without parameters; "" where none was told */
    char server[64];     /* what the server calls itself; "" where it does not */
    char reason[160];    /* in words, where the outcome is not FETCH_OK; else "" */
};

/* What a process needs for its requests; client may be NULL where none is over TLS. */
struct fetch_means {
    const struct dns_lookup *lookup;
    struct tls_client *client;
};

/* Returns an enum fetch_outcome; -EINVAL for a request that could not be written down, -ENOMEM, -ECANCELED. */
MUST_USE int fetch(struct task *task, const struct fetch_means *means, const struct fetch_request *request,
                   struct fetch_response *response);
