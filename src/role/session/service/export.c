#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "role/session/flags.h"
#include "role/session/message.h"
#include "role/session/service/service.h"
#include "vault/mailbox.h"

/* Mail to the command line: mailbox after mailbox, message after message, as they are when their turn comes. */

#define PIECE_MAX (48U << 10)
#define FLAGS_MAX 16384U /* all keywords an account can have */

struct folder {
    uint64_t id;
    char *name;
    uint32_t uidvalidity;
    uint32_t total;
};

struct export
{
    struct task *task;
    struct service *service;
    struct session *session;
    struct buf from; /* only this mailbox and those below it; empty: all */
    struct folder *folders;
    size_t count;
    const struct folder *folder; /* at hand */
    struct buf flags;
    struct buf piece;
    uint64_t done;
    uint64_t total;
};

/* --- which mailboxes --- */

static bool is_below(span_t name, span_t from)
{
    return from.len == 0 || span_equal(name, from) ||
           (span_starts(name, from) && name.len > from.len && name.at[from.len] == '/');
}

static int note_folder(void *arg, const struct vault_mailbox *mailbox)
{
    struct export *export = arg;
    if (!mailbox->selectable || !is_below(span_of_text(mailbox->name), buf_span(&export->from)))
        return 0;
    if (export->count == VAULT_MAILBOXES_MAX)
        return -EOVERFLOW;
    struct folder *folder = &export->folders[export->count];
    folder->name = mem_copy_text(mailbox->name);
    if (folder->name == NULL)
        return -ENOMEM;
    folder->id = mailbox->id;
    folder->uidvalidity = mailbox->uidvalidity;
    folder->total = mailbox->total;
    export->count++;
    export->total += mailbox->total;
    return 0;
}

/* --- a message --- */

static int send_bytes(struct export *export, struct message *message)
{
    uint64_t len = message_len(message);
    int result = 0;
    for (uint64_t at = 0; result == 0 && at < len; at += PIECE_MAX) {
        buf_clear(&export->piece);
        result = message_read(message, at, PIECE_MAX, &export->piece);
        struct transfer data = {.kind = TRANSFER_DATA, .bytes = buf_span(&export->piece)};
        if (result == 0)
            result = service_say(export->task, export->service, &data);
    }
    return result;
}

static int send_message(struct export *export, const struct vault_member *member, struct message *message)
{
    buf_clear(&export->flags);
    flags_write(export->session->vault, member->flags, false, &export->flags);
    struct transfer head = {.kind = TRANSFER_HEAD,
                            .size = message_len(message),
                            .id = (uint64_t) export->folder->uidvalidity << 32 | member->uid,
                            .received = member->received,
                            .mailbox = span_of_text(export->folder->name),
                            .flags = buf_span(&export->flags)};
    int result = buf_fault(&export->flags);
    if (result == 0)
        result = service_say(export->task, export->service, &head);
    return result < 0 ? result : send_bytes(export, message);
}

static int say_lost(struct export *export, const struct vault_member *member)
{
    struct transfer lost = {.kind = TRANSFER_LOST,
                            .id = (uint64_t) export->folder->uidvalidity << 32 | member->uid,
                            .mailbox = span_of_text(export->folder->name)};
    return service_say(export->task, export->service, &lost);
}

/* Read to its end once before anything is said of it, so that a damaged one is never half a message. */
static int is_readable(struct export *export, struct message *message)
{
    uint64_t len = message_len(message);
    int result = 0;
    for (uint64_t at = 0; result == 0 && len > PIECE_MAX && at < len; at += PIECE_MAX) {
        buf_clear(&export->piece);
        result = message_read(message, at, PIECE_MAX, &export->piece);
    }
    return result;
}

static int take_out(void *arg, const struct vault_member *member)
{
    struct export *export = arg;
    struct vault_email email;
    AUTO(message) struct message *message = NULL;
    int result = vault_email_get(export->session->vault, member->email, &email);
    if (result != 0)
        return result == VAULT_NOT_FOUND ? 0 : result; /* expunged meanwhile */
    result = message_open(export->task, export->session, &email.place, &message);
    if (result == 0)
        result = is_readable(export, message);
    if (result == 0)
        result = send_message(export, member, message);
    else if (result == -EBADMSG || result == -ENOENT || result == -EIO)
        result = say_lost(export, member);
    if (result < 0)
        return result;
    struct frame_progress progress = {
        .done = ++export->done, .total = export->total, .what = SPAN("messages exported")};
    return service_progress(export->task, export->service, &progress);
}

static int send_folder(struct export *export, const struct folder *folder)
{
    struct transfer head = {.kind = TRANSFER_FOLDER, .size = folder->total, .mailbox = span_of_text(folder->name)};
    export->folder = folder;
    int result = service_say(export->task, export->service, &head);
    if (result == 0)
        result = vault_member_scan(export->session->vault, folder->id, VAULT_RANGE_ALL, take_out, export);
    return result == VAULT_NOT_FOUND ? 0 : result; /* deleted meanwhile */
}

static int send_all(struct export *export)
{
    int result = vault_mailbox_list(export->session->vault, note_folder, export);
    if (result == 0 && export->count == 0)
        return service_refuse(export->service, "there is no such folder");
    for (size_t i = 0; result == 0 && i < export->count; i++)
        result = send_folder(export, &export->folders[i]);
    return result;
}

static int begin(struct export *export)
{
    struct transfer wish = {.size = 0};
    export->folders = mem_new_array(VAULT_MAILBOXES_MAX, sizeof(*export->folders));
    if (export->folders == NULL)
        return -ENOMEM;
    int result = service_hear(export->task, export->service, &wish);
    if (result == 0 && wish.kind != TRANSFER_FOLDER)
        result = -EBADMSG;
    return result < 0 ? result : buf_append(&export->from, wish.mailbox);
}

int service_export(struct task *task, struct service *service)
{
    struct export export = {.task = task, .service = service, .session = service->session};
    buf_init(&export.from, VAULT_NAME_MAX);
    buf_init(&export.flags, FLAGS_MAX);
    buf_init(&export.piece, PIECE_MAX);
    int result = begin(&export);
    if (result == 0)
        result = send_all(&export);
    for (size_t i = 0; i < export.count; i++)
        free(export.folders[i].name);
    free(export.folders);
    buf_deinit(&export.from);
    buf_deinit(&export.flags);
    buf_deinit(&export.piece);
    return result;
}
