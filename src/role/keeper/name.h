#pragma once

#include "base/buf.h"
#include "base/span.h"

/*
 * Addresses in the one form in which the directory knows them: NFC, case folded, quotes of the local part removed, the
 * domain as A-labels in lower case (RFC 5891 §5). Two addresses are the same mailbox exactly if these are equal.
 */
enum name_result { NAME_OK, NAME_BAD };

#define NAME_LOCAL_MAX 256U  /* RFC 5321 §4.5.3.1.1 says 64 octets; UTF-8 takes more */
#define NAME_DOMAIN_MAX 255U /* RFC 5321 §4.5.3.1.2 */

struct name {
    char local[NAME_LOCAL_MAX + 1]; /* empty in a catch-all */
    char domain[NAME_DOMAIN_MAX + 1];
};

/* An address with a local part and a domain. -ENOMEM is a fault. */
MUST_USE int name_parse(span_t address, struct name *ret_name);
/* The same, or "@domain": a catch-all, whose local part is empty. */
MUST_USE int name_parse_pattern(span_t address, struct name *ret_name);
MUST_USE int name_parse_domain(span_t domain, char ret_domain[NAME_DOMAIN_MAX + 1]);

/* Appends local@domain. */
MUST_USE int name_write(const struct name *name, struct buf *text);

/* Cuts "+tag" off the local part (RFC 5233 §4); false where there is none. */
bool name_cut_detail(struct name *name);
