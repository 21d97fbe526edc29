#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "base/span.h"

struct task;

/* Where a connection goes to, or comes from. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    };
};

/* From the bytes of an A or AAAA record: 4 or 16 of them. */
MUST_USE bool address_set(struct address *address, span_t bytes, uint16_t port);
/* From text such as 192.0.2.1 or 2001:db8::1. */
MUST_USE bool address_parse(struct address *address, span_t text, uint16_t port);
#define ADDRESS_TEXT_MAX 46U
void address_text(const struct address *address, char ret_text[ADDRESS_TEXT_MAX]);

/*
 * A TCP connection, from the address where one is given (its port is left to the kernel), within so many milliseconds:
 * -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH and what else connect(2) says; -ECANCELED.
 */
MUST_USE int connect_to(struct task *task, const struct address *to, const struct address *from, int64_t timeout_ms,
                        int *ret_fd);
