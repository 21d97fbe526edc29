#pragma once

#include "proto/imap/command.h"

/*
 * The small pieces of the grammar (RFC 3501 §9), taken one by one off the front of a command. Each answers false where
 * it does not stand there; `why` then says what was expected, and `fault` is set where memory was the reason.
 */
struct imap_scan {
    span_t rest; /* the command's last CRLF is already cut off */
    struct arena *arena;
    bool utf8; /* mailbox names are UTF-8 */
    const char *why;
    int fault;
};

bool imap_scan_fail(struct imap_scan *scan, const char *why); /* always false */
/* An array in the arena that grew by one at a time so far: itself, or where it has room for one more. NULL: fault. */
void *imap_scan_grow(struct imap_scan *scan, void *array, size_t count, size_t size);
bool imap_scan_at_end(const struct imap_scan *scan);
bool imap_scan_peek(const struct imap_scan *scan, uint8_t byte);
bool imap_scan_byte(struct imap_scan *scan, uint8_t byte);     /* takes it if it stands there; sets no why */
bool imap_scan_space(struct imap_scan *scan);                  /* one SP; runs of SP are forgiven */
bool imap_scan_end(struct imap_scan *scan);                    /* nothing may follow but spaces */
bool imap_scan_word(struct imap_scan *scan, const char *word); /* a keyword, any case, ended by a delimiter */

bool imap_scan_atom(struct imap_scan *scan, span_t *ret_atom);
bool imap_scan_string(struct imap_scan *scan, span_t *ret_bytes);  /* quoted or literal */
bool imap_scan_nstring(struct imap_scan *scan, span_t *ret_bytes); /* NIL: at == NULL */
bool imap_scan_astring(struct imap_scan *scan, span_t *ret_bytes);
bool imap_scan_literal8(struct imap_scan *scan, span_t *ret_bytes); /* or a literal (RFC 3516 §6) */
bool imap_scan_literal(struct imap_scan *scan, span_t *ret_bytes);
bool imap_scan_mailbox(struct imap_scan *scan, span_t *ret_utf8);
bool imap_scan_list_mailbox(struct imap_scan *scan, span_t *ret_utf8); /* with wildcards */
bool imap_scan_number(struct imap_scan *scan, uint64_t max, uint64_t *ret_number);
bool imap_scan_set(struct imap_scan *scan, struct imap_set *ret_set);
bool imap_scan_date(struct imap_scan *scan, int64_t *ret_day);          /* days since 1970 */
bool imap_scan_date_time(struct imap_scan *scan, int64_t *ret_seconds); /* since 1970, UTC */
bool imap_scan_flag(struct imap_scan *scan, struct imap_flags *flags);  /* adds one; room for IMAP_KEYWORDS_MAX */
bool imap_scan_flag_list(struct imap_scan *scan, struct imap_flags *ret_flags); /* in parentheses */

struct imap_option {
    const char *name;
    unsigned bit;
};
/* Names separated by SP up to ")", as bits added to *into; what is no option is `why`. */
bool imap_scan_options(struct imap_scan *scan, const struct imap_option *options, size_t count, unsigned *into,
                       const char *why);
bool imap_scan_status_items(struct imap_scan *scan, unsigned *ret_items);         /* in parentheses, at least one */
bool imap_scan_partial(struct imap_scan *scan, struct imap_partial *ret_partial); /* RFC 9394 §5 */

bool imap_scan_fetch_list(struct imap_scan *scan, struct imap_fetch *fetch); /* fetch-atts in parentheses */
/* One kind of mailboxes with its names (RFC 5465 §8, RFC 7377 §2.2); scope->parts has room. */
bool imap_scan_scope_part(struct imap_scan *scan, struct imap_scope *scope);

bool imap_scan_entries(struct imap_scan *scan, struct imap_metadata *metadata); /* RFC 5464 §5 */

/* RETURN (…) with the space after it, where it stands there; search-keys up to the end of the command. */
bool imap_scan_returns(struct imap_scan *scan, struct imap_command *command);
bool imap_scan_search_keys(struct imap_scan *scan, struct imap_command *command);

/* The parsers of command.c's table: what follows a command's name, its leading space included. */
typedef bool imap_parser(struct imap_scan *scan, struct imap_command *command);
imap_parser imap_parse_nothing, imap_parse_mailbox;                                      /* command.c */
imap_parser imap_parse_login, imap_parse_authenticate, imap_parse_id, imap_parse_enable; /* parse-login.c */
imap_parser imap_parse_compress;                                                         /* parse-login.c */
imap_parser imap_parse_select, imap_parse_create, imap_parse_rename, imap_parse_list;    /* parse-mailbox.c */
imap_parser imap_parse_lsub, imap_parse_status;                                          /* parse-mailbox.c */
imap_parser imap_parse_append, imap_parse_replace;                                       /* parse-append.c */
imap_parser imap_parse_fetch, imap_parse_store, imap_parse_copy, imap_parse_expunge;     /* parse-message.c */
imap_parser imap_parse_search;                                                           /* parse-search.c */
imap_parser imap_parse_cancelupdate, imap_parse_uidbatches;                              /* parse-context.c */
imap_parser imap_parse_notify;                                                           /* parse-notify.c */
imap_parser imap_parse_getquota, imap_parse_setquota;                                    /* parse-quota.c */
imap_parser imap_parse_setacl, imap_parse_identifier;                                    /* parse-acl.c */
imap_parser imap_parse_getmetadata, imap_parse_setmetadata;                              /* parse-metadata.c */
imap_parser imap_parse_esearch;                                                          /* parse-esearch.c */
imap_parser imap_parse_sort, imap_parse_thread;                                          /* parse-sort.c */
