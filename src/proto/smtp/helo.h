#pragma once

#include <stdbool.h>

#include "base/span.h"

/*
 * Whether what a client from outside calls itself can be its name (RFC 5321 §4.1.1.1, §4.1.3, §4.1.4). Pure: nothing is
 * looked up, as a name that cannot be found is no reason to refuse (RFC 5321 §4.1.4).
 */
enum smtp_helo {
    SMTP_HELO_FINE,
    SMTP_HELO_MALFORMED,    /* neither a domain nor an address in brackets; an underscore is let pass, many have one */
    SMTP_HELO_BARE_ADDRESS, /* an address without its brackets */
    SMTP_HELO_OURS,         /* our own name or address */
    SMTP_HELO_LOCALHOST,    /* localhost, below .localhost (RFC 6761 §6.3), or a loopback address */
    SMTP_HELO_COUNT
};

struct smtp_helo_facts {
    span_t hostname;   /* ours */
    span_t address;    /* ours, that the client has connected to; as text */
    bool is_from_here; /* the client is on this machine: it may well call itself by our name, or localhost */
};

enum smtp_helo smtp_helo_judge(span_t name, const struct smtp_helo_facts *facts);

/* What is said to the client, and of it in a header; NULL for SMTP_HELO_FINE. */
const char *smtp_helo_words(enum smtp_helo helo);
