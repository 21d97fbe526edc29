#pragma once

#include <stdint.h>

#include "base/result.h"
#include "base/span.h"

/* Whom to ask. */
enum dns_way {
    DNS_WAY_FORWARD,  /* these servers */
    DNS_WAY_RECURSE,  /* the authoritative ones */
    DNS_WAY_FIND_OUT, /* these servers if DNSSEC passes through them, else the authoritative ones */
};

#define DNS_SERVERS_MAX 8U
#define DNS_PORT 53U
#define DNS_SERVER_TEXT_SIZE 64U

struct dns_server {
    char text[DNS_SERVER_TEXT_SIZE]; /* ADDRESS@PORT */
    uint16_t port;
};

struct dns_servers {
    enum dns_way way;
    size_t count;
    struct dns_server servers[DNS_SERVERS_MAX];
};

/* Reads [dns] resolver. system_text is what resolv.conf holds, for the word "system" (resolv.conf(5)); lines in it that
 * are not understood are passed over, as the C library does. -EINVAL: the setting is not understood. */
MUST_USE int dns_servers_read(const char *setting, span_t system_text, struct dns_servers *ret_servers);
