#pragma once

#include "base/buf.h"
#include "ipc/tally.h"

/*
 * The mail that a report to another domain goes in: of TLS, multipart/report (RFC 8460 §5.3), of DMARC, a gzip file
 * (RFC 7489 §7.2.1.1). Pure.
 */
struct reportmail {
    enum tally_kind kind;
    span_t organization; /* our domain */
    span_t from;         /* an address of it */
    span_t to;
    span_t domain; /* that the report is about */
    span_t id;     /* of the report, "left@right" */
    int64_t start; /* of what it tells, seconds since 1970 */
    int64_t end;
    int64_t now;
    uint64_t number; /* at random: the boundary, and the message's own id */
    span_t packed;   /* the report, as gzip */
};

/* -ENOBUFS, -ENOMEM. */
MUST_USE int reportmail_write(const struct reportmail *mail, struct buf *text);

/* Whether it is an address that needs no quotes, of ASCII alone, and fit for a header: others get no reports. */
bool reportmail_may_go_to(span_t address);

/* The file's name (RFC 7489 §7.2.1.1, RFC 8460 §5.1): ours!theirs!start!end.xml.gz, or .json.gz. */
void reportmail_file_name(const struct reportmail *mail, struct buf *name);
