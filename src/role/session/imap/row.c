#include <string.h>

#include "role/session/flags.h"
#include "role/session/imap/fetch.h"

void fetch_write_flags(struct fetch *fetch, const struct vault_member *member, bool begun)
{
    bool recent = view_is_recent(fetch->run->client->view, member->uid);
    if (!fetch->flags_known || fetch->flags_of != member->flags || fetch->flags_recent != recent) {
        buf_clear(&fetch->flags);
        flags_write(fetch->run->vault, member->flags, recent, &fetch->flags);
        fetch->flags_known = true;
        fetch->flags_of = member->flags;
        fetch->flags_recent = recent;
    }
    buf_append_text(fetch->out, begun ? " FLAGS (" : "FLAGS (");
    buf_append(fetch->out, buf_span(&fetch->flags));
    buf_append_byte(fetch->out, ')');
}

/* One row's numbers, written by hand: this is what a client does for a hundred thousand messages at a time. false:
 * none of its items was asked for. */
#define ROW_MAX 256U
static size_t put_text(uint8_t *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return len;
}

/* ` NAME "date"` */
static size_t put_date(uint8_t *at, const char *name, size_t name_len, int64_t microseconds)
{
    size_t len = put_text(at, name, name_len);
    return len + imap_put_date_time(at + len, microseconds / 1000000 - (microseconds % 1000000 < 0));
}

bool fetch_write_row(struct fetch *fetch, size_t number, const struct vault_member *member)
{
    uint8_t row[ROW_MAX];
    size_t len = put_text(row, "* ", 2);
    bool uid_only = fetch->run->client->view->uid_only;
    len += imap_put_u64(row + len, uid_only ? member->uid : number);
    len += uid_only ? put_text(row + len, " UIDFETCH (", 11) : put_text(row + len, " FETCH (", 8);
    size_t empty = len;
    if ((fetch->items & IMAP_FETCH_UID) != 0) {
        len += put_text(row + len, "UID ", 4);
        len += imap_put_u64(row + len, member->uid);
    }
    if ((fetch->items & IMAP_FETCH_SIZE) != 0) {
        len += put_text(row + len, " RFC822.SIZE ", 13);
        len += imap_put_u64(row + len, member->size);
    }
    if ((fetch->items & IMAP_FETCH_INTERNALDATE) != 0)
        len += put_date(row + len, " INTERNALDATE ", 14, member->received);
    if ((fetch->items & IMAP_FETCH_SAVEDATE) != 0)
        len += put_date(row + len, " SAVEDATE ", 10, member->saved);
    if ((fetch->items & IMAP_FETCH_MODSEQ) != 0) {
        len += put_text(row + len, " MODSEQ (", 9);
        len += imap_put_u64(row + len, member->modseq);
        row[len++] = ')';
    }
    if ((fetch->items & IMAP_FETCH_EMAILID) != 0) {
        len += put_text(row + len, " EMAILID (M", 11);
        len += imap_put_u64(row + len, member->email);
        row[len++] = ')';
    }
    /* Items are separated, not preceded, by a space. */
    if (len > empty && row[empty] == ' ') {
        memmove(row + empty, row + empty + 1, len - empty - 1);
        len--;
    }
    buf_append(fetch->out, span_of(row, len));
    return len > empty;
}
