#pragma once

#include "proto/imap/section.h"
#include "role/session/message.h"

/*
 * One message while FETCH or SEARCH looks at it: its record is opened, its header read, all of it read and parsed, each
 * only when it is first asked for. Faults: those of message_open; -ENOENT where the email is gone, and
 * -EBADMSG where only its record is.
 */
struct source {
    struct session *session;
    struct vault_email email;
    bool has_email;
    struct message *message;
    struct buf header;
    struct buf whole;
    struct arena *arena;
    struct mime_part *root;        /* of whole */
    struct mime_part *header_root; /* of header alone */
    struct arena *header_arena;
    struct buf front; /* of a long message: its first bytes, parsed as if they were all */
    struct arena *front_arena;
    struct mime_part *front_root;
    bool begun; /* FETCH: an item stands in the response already */
};

void source_init(struct source *source, struct session *session, uint64_t email_id);
void source_deinit(struct source *source);

MUST_USE int source_email(struct source *source, const struct vault_email **ret_email);
MUST_USE int source_message(struct task *task, struct source *source, struct message **ret_message);
/*
 * Where a section that needs no parsing stands in the message, its partial range applied: all of it, its header or its
 * text (RFC 3501 §6.4.5); false: it is another.
 */
MUST_USE bool source_is_range(const struct imap_section *section);
MUST_USE int source_range(struct task *task, struct source *source, const struct imap_section *section,
                          uint64_t *ret_from, uint64_t *ret_end);
/* The header, parsed as a message without a body. */
MUST_USE int source_header(struct task *task, struct source *source, const struct mime_part **ret_root);
MUST_USE int source_whole(struct task *task, struct source *source, const struct mime_part **ret_root);
/* What stands first in it: of a long message the first 128 KiB, parsed as if they were all; else all. */
MUST_USE int source_front(struct task *task, struct source *source, const struct mime_part **ret_root);
/*
 * The message as far as it is needed for this part (RFC 3501 §6.4.5): all of it, or its front where the part ends in
 * that. *ret_bytes: what was read, from the first byte of the message on.
 */
MUST_USE int source_part(struct task *task, struct source *source, const uint32_t *path, size_t depth,
                         const struct mime_part **ret_root, span_t *ret_bytes);
