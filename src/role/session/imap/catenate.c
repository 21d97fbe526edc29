#include <sys/mman.h>

#include <errno.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "proto/imap/url.h"
#include "role/session/imap/imap.h"
#include "role/session/imap/source.h"
#include "vault/mailbox.h"

/*
 * CATENATE. Where each part stands is found out first, so that what cannot be had or is too long is refused before
 * anything is copied; then the bytes are put together, each once: a part in the log is read straight into its place,
 * and a part in the command is given back as it is copied.
 */
#define STEP (1U << 20) /* copied or read before others get their turn */
#define URL_SHOWN_MAX 1000U

struct piece {
    span_t bytes; /* in the command or the arena; at NULL: in the log */
    struct vault_place place;
    uint64_t from;
    uint64_t len;
};

enum { URL_BAD = 1 };

/* --- where it is --- */

static int note_email(void *arg, const struct vault_member *member)
{
    uint64_t *email = arg;
    *email = member->email;
    return 0;
}

static int find_email(struct run *run, const struct imap_url *url, uint64_t *ret_email)
{
    struct vault_mailbox mailbox;
    struct vault_range range = {url->uid, url->uid};
    const struct view *view = run->client->view;
    int result = url->mailbox.at != NULL ? vault_mailbox_find(run->vault, url->mailbox, &mailbox)
                 : view != NULL          ? vault_mailbox_get(run->vault, view->mailbox, &mailbox)
                                         : URL_BAD;
    if (result != 0 || !mailbox.selectable || (url->uidvalidity != 0 && url->uidvalidity != mailbox.uidvalidity))
        return result < 0 ? result : URL_BAD;
    result = vault_member_scan(run->vault, mailbox.id, range, note_email, ret_email);
    return result == 0 && *ret_email == 0 ? URL_BAD : result;
}

/* A part, or fields of a header: the message is parsed as far as that takes, and only the place is kept. */
static int locate_part(struct task *task, struct run *run, struct source *source, const struct imap_section *section,
                       struct piece *piece)
{
    const struct mime_part *root = NULL;
    span_t message = SPAN_NONE;
    span_t found = SPAN_NONE;
    struct buf scratch AUTO_BUF;
    buf_init(&scratch, SIZE_MAX / 2);
    int result = section->depth == 0 ? source_header(task, source, &root)
                                     : source_part(task, source, section->path, section->depth, &root, &message);
    if (result == 0)
        result = imap_section_read(root, message, section, &scratch, &found);
    if (result != 0)
        return result < 0 ? result : URL_BAD;
    piece->len = found.len;
    if (section->kind == IMAP_SECTION_FIELDS || section->kind == IMAP_SECTION_FIELDS_NOT)
        return arena_copy(run->arena, found, &piece->bytes);
    piece->from = found.len > 0 ? (uint64_t)(found.at - message.at) : 0;
    return 0;
}

static int locate(struct task *task, struct run *run, struct source *source, const struct imap_section *section,
                  struct piece *piece)
{
    uint64_t end = 0;
    int result = 0;
    if (source_is_range(section)) {
        result = source_range(task, source, section, &piece->from, &end);
        piece->len = end - piece->from;
    } else {
        result = locate_part(task, run, source, section, piece);
    }
    piece->place = source->email.place;
    return result;
}

static int resolve(struct task *task, struct run *run, span_t text, struct piece *piece)
{
    struct imap_url url;
    uint64_t email = 0;
    int result = imap_url_parse(text, run->arena, &url);
    if (result == 0)
        result = find_email(run, &url, &email);
    if (result != 0)
        return result;
    struct source source;
    source_init(&source, run->session, email);
    result = locate(task, run, &source, &url.section, piece);
    source_deinit(&source);
    return result;
}

/* RFC 4469 §4.1: the URL as it came, but for what cannot stand in a response code. */
static int refuse_url(struct run *run, span_t url)
{
    buf_clear(&run->reply);
    buf_append_text(&run->reply, "NO [BADURL \"");
    for (size_t i = 0; i < url.len && i < URL_SHOWN_MAX; i++) {
        uint8_t byte = url.at[i];
        if (ascii_is_print(byte) && byte != '"' && byte != '\\' && byte != ']')
            buf_append_byte(&run->reply, byte);
        else
            buf_append_format(&run->reply, "%%%02X", (unsigned)byte);
    }
    buf_append_text(&run->reply, "\"] There is no such message or part");
    return buf_fault(&run->reply) < 0 ? buf_fault(&run->reply) : CATENATE_REFUSED;
}

/* What is damaged or has just been expunged is no part of a message either. */
static int refuse_part(struct run *run, const struct imap_cat_part *part, int result)
{
    bool is_gone = result > 0 || result == -ENOENT || result == -EBADMSG;
    return part->is_url && is_gone ? refuse_url(run, part->bytes) : result;
}

/* --- putting it together --- */

/* The pages of a long TEXT: nobody looks at them again. */
static void give_back(span_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)bytes.at + page - 1) / page * page;
    uintptr_t end = (uintptr_t)(bytes.at + bytes.len) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
}

static int copy(struct task *task, span_t bytes, struct buf *body)
{
    int result = 0;
    while (result == 0 && bytes.len > 0) {
        span_t step = span_upto(bytes, STEP);
        result = buf_append(body, step);
        give_back(step);
        bytes = span_from(bytes, step.len);
        if (result == 0 && bytes.len > 0)
            result = task_yield(task);
    }
    return result;
}

static int read_piece(struct task *task, struct run *run, const struct piece *piece, struct buf *body)
{
    AUTO(message) struct message *message = NULL;
    uint64_t end = piece->from + piece->len;
    int result = piece->len > 0 ? message_open(task, run->session, &piece->place, &message) : 0;
    for (uint64_t at = piece->from; result == 0 && at < end; at += STEP) {
        result = message_read(message, at, end - at < STEP ? end - at : STEP, body);
        if (result == 0 && end - at > STEP)
            result = task_yield(task);
    }
    return result;
}

static int put_together(struct task *task, struct run *run, const struct imap_new_message *message,
                        const struct piece *pieces, struct buf *body)
{
    for (size_t i = 0; i < message->part_count; i++) {
        int result =
            pieces[i].bytes.at != NULL ? copy(task, pieces[i].bytes, body) : read_piece(task, run, &pieces[i], body);
        if (result != 0)
            return refuse_part(run, &message->parts[i], result);
    }
    return 0;
}

static int locate_all(struct task *task, struct run *run, const struct imap_new_message *message, struct piece *pieces,
                      uint64_t *ret_len)
{
    uint64_t len = 0;
    for (size_t i = 0; i < message->part_count; i++) {
        const struct imap_cat_part *part = &message->parts[i];
        pieces[i] = (struct piece){.bytes = part->is_url ? SPAN_NONE : part->bytes, .len = part->bytes.len};
        int result = part->is_url ? resolve(task, run, part->bytes, &pieces[i]) : 0;
        if (result != 0)
            return refuse_part(run, part, result);
        len += pieces[i].len;
    }
    *ret_len = len;
    return 0;
}

int catenate(struct task *task, struct run *run, const struct imap_new_message *message, uint64_t max, struct buf *body)
{
    uint64_t len = 0;
    uint8_t *at = NULL;
    struct piece *pieces = arena_alloc_array(run->arena, message->part_count, sizeof(*pieces));
    if (pieces == NULL)
        return -ENOMEM;
    int result = locate_all(task, run, message, pieces, &len);
    if (result == 0 && len > max) /* RFC 4469 §4.2 */
        result = run_no(run, "[TOOBIG] The message would be too long") == 0 ? CATENATE_REFUSED : -EIO;
    if (result == 0)
        result = buf_reserve(body, (size_t)len, &at);
    if (result == 0)
        result = put_together(task, run, message, pieces, body);
    for (size_t i = 0; i < message->part_count; i++)
        secret_wipe(pieces[i].place.key, sizeof(pieces[i].place.key));
    return result;
}
