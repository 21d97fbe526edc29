#pragma once

#include "base/buf.h"

/*
 * The names of Maildir and Maildir++ (cr.yp.to/proto/maildir.html; Dovecot's and Courier's folders). Pure.
 *
 * Flags stand behind ":2,": D draft, F flagged, P passed (the keyword $Forwarded), R replied, S seen, T trashed, and a
 * to z for the keywords the folder's file dovecot-keywords gives numbers to (0 is a).
 * A folder is a directory whose name begins with a dot, with dots between its levels, in modified UTF-7
 * (RFC 3501 §5.1.3); a dot inside a level is written \2e and a backslash \5c, as Dovecot's listescape does.
 */
#define MAILDIR_KEYWORDS 26U
#define MAILDIR_KEYWORD_MAX 250U
#define MAILDIR_KEYWORDS_FILE "dovecot-keywords"
#define MAILDIR_KEYWORDS_FILE_MAX 65536U

struct maildir_keywords {
    struct buf names[MAILDIR_KEYWORDS]; /* empty: not given */
};
void maildir_keywords_init(struct maildir_keywords *keywords);
void maildir_keywords_deinit(struct maildir_keywords *keywords);
/* Lines that are not understood are passed over. */
MUST_USE int maildir_keywords_read(struct maildir_keywords *keywords, span_t file);
MUST_USE int maildir_keywords_write(const struct maildir_keywords *keywords, struct buf *file);

/* The flags in a file's name as IMAP has them, separated by spaces. */
MUST_USE int maildir_flags_read(span_t name, const struct maildir_keywords *keywords, struct buf *flags);
/* ":2," and the letters; gives letters to keywords that have none. *ret_dropped: keywords for which there was none. */
MUST_USE int maildir_flags_write(span_t flags, struct maildir_keywords *keywords, struct buf *name,
                                 size_t *ret_dropped);
/* What stands before the flags. */
span_t maildir_base(span_t name);

/* ".A.B" as "A/B", appended; -EINVAL where it is not such a name. And back. */
MUST_USE int maildir_folder_read(span_t name, struct buf *mailbox);
MUST_USE int maildir_folder_write(span_t mailbox, struct buf *name);
