#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/*
 * A maildrop as it was when it was opened (RFC 1939 §4), 16 bytes a message. Message n is entries[n - 1], for as long
 * as the connection lasts, whatever becomes of the mailbox meanwhile.
 */
struct pop3_entry {
    uint64_t size : 62; /* octets */
    uint64_t is_deleted : 1;
    uint64_t is_shown : 1; /* all of it was sent */
    uint32_t uid;
};

struct pop3_maildrop {
    struct pop3_entry *entries; /* in order of UID */
    size_t count;
    size_t room;
    uint32_t uidvalidity;
    size_t deleted;
    uint64_t octets; /* of what is not deleted */
};

void pop3_maildrop_deinit(struct pop3_maildrop *maildrop);
MUST_USE int pop3_maildrop_add(struct pop3_maildrop *maildrop, uint32_t uid, uint64_t size); /* 0 or -ENOMEM */

/* Message n, or NULL where there is none or it is marked as deleted (RFC 1939 §5). */
struct pop3_entry *pop3_maildrop_find(const struct pop3_maildrop *maildrop, uint64_t number);

void pop3_maildrop_delete(struct pop3_maildrop *maildrop, struct pop3_entry *entry);
void pop3_maildrop_reset(struct pop3_maildrop *maildrop); /* none is marked as deleted any more */
