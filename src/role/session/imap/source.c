#include "role/session/imap/source.h"

#include <errno.h>

#define FRONT_LEN 131072U /* most texts end in it, and most attachments begin behind it */

void source_init(struct source *source, struct session *session, uint64_t email_id)
{
    *source = (struct source){.session = session, .email = {.id = email_id}};
    buf_init(&source->header, SIZE_MAX / 2);
    buf_init(&source->whole, SIZE_MAX / 2);
    buf_init(&source->front, FRONT_LEN);
}

void source_deinit(struct source *source)
{
    message_free(source->message);
    buf_deinit(&source->header);
    buf_deinit(&source->whole);
    buf_deinit(&source->front);
    arena_free(source->front_arena);
    arena_free(source->arena);
    arena_free(source->header_arena);
    secret_wipe(source->email.place.key, sizeof(source->email.place.key));
}

int source_email(struct source *source, const struct vault_email **ret_email)
{
    if (!source->has_email) {
        int result = vault_email_get(source->session->vault, source->email.id, &source->email);
        if (result != 0)
            return result < 0 ? result : -ENOENT;
        source->has_email = true;
    }
    *ret_email = &source->email;
    return 0;
}

/* -ENOENT of the log: an expunge while others waited, or, where the email is still there, a loss. */
static int judge_missing(const struct source *source)
{
    struct vault_email email;
    int result = vault_email_get(source->session->vault, source->email.id, &email);
    if (result == 0)
        secret_wipe(email.place.key, sizeof(email.place.key));
    return result < 0 ? result : result == 0 ? -EBADMSG : -ENOENT;
}

int source_message(struct task *task, struct source *source, struct message **ret_message)
{
    if (source->message == NULL) {
        const struct vault_email *email = NULL;
        int result = source_email(source, &email);
        if (result == 0)
            result = message_open(task, source->session, &email->place, &source->message);
        if (result == -ENOENT)
            result = judge_missing(source);
        if (result < 0)
            return result;
        source->whole.max = message_len(source->message);
        source->header.max = source->whole.max;
    }
    *ret_message = source->message;
    return 0;
}

bool source_is_range(const struct imap_section *section)
{
    return section->depth == 0 && section->kind != IMAP_SECTION_FIELDS && section->kind != IMAP_SECTION_FIELDS_NOT;
}

int source_range(struct task *task, struct source *source, const struct imap_section *section, uint64_t *ret_from,
                 uint64_t *ret_end)
{
    struct message *message = NULL;
    int result = source_message(task, source, &message);
    if (result < 0)
        return result;
    uint64_t size = message_len(message);
    uint64_t header = source->email.header_size < size ? source->email.header_size : size;
    uint64_t from = section->kind == IMAP_SECTION_TEXT ? header : 0;
    uint64_t end = section->kind == IMAP_SECTION_HEADER ? header : size;
    if (section->has_partial) {
        from = section->partial_start < end - from ? from + section->partial_start : end;
        if (section->partial_len < end - from)
            end = from + section->partial_len;
    }
    *ret_from = from;
    *ret_end = end;
    return 0;
}

int source_header(struct task *task, struct source *source, const struct mime_part **ret_root)
{
    if (source->root != NULL) {
        *ret_root = source->root;
        return 0;
    }
    if (source->header_root == NULL) {
        struct message *message = NULL;
        int result = source_message(task, source, &message);
        if (result == 0)
            result = message_read(message, 0, source->email.header_size, &source->header);
        if (result == 0)
            result = arena_new(MIME_ARENA_MAX, &source->header_arena);
        if (result == 0)
            result = mime_parse(buf_span(&source->header), source->header_arena, &source->header_root);
        if (result < 0)
            return result;
    }
    *ret_root = source->header_root;
    return 0;
}

int source_whole(struct task *task, struct source *source, const struct mime_part **ret_root)
{
    if (source->root == NULL) {
        struct message *message = NULL;
        int result = source_message(task, source, &message);
        if (result == 0)
            result = message_read(message, 0, message_len(message), &source->whole);
        if (result == 0)
            result = arena_new(MIME_ARENA_MAX, &source->arena);
        if (result == 0)
            result = mime_parse(buf_span(&source->whole), source->arena, &source->root);
        if (result < 0)
            return result;
    }
    *ret_root = source->root;
    return 0;
}

/* Whether the part has ended where another one has begun: then nothing that follows could change it. */
static bool has_ended(const struct mime_part *part)
{
    for (; part != NULL; part = part->parent)
        if (part->next != NULL)
            return true;
    return false;
}

static int read_front(struct task *task, struct source *source)
{
    struct message *message = NULL;
    if (source->root != NULL)
        return 0;
    int result = source_message(task, source, &message);
    if (result < 0 || source->front_root != NULL || message_len(message) <= 2 * FRONT_LEN)
        return result;
    result = message_read(message, 0, FRONT_LEN, &source->front);
    if (result == 0)
        result = arena_new(MIME_ARENA_MAX, &source->front_arena);
    if (result == 0)
        result = mime_parse(buf_span(&source->front), source->front_arena, &source->front_root);
    return result;
}

int source_front(struct task *task, struct source *source, const struct mime_part **ret_root)
{
    int result = read_front(task, source);
    if (result < 0)
        return result;
    if (source->root != NULL || source->front_root == NULL)
        return source_whole(task, source, ret_root);
    *ret_root = source->front_root;
    return 0;
}

int source_part(struct task *task, struct source *source, const uint32_t *path, size_t depth,
                const struct mime_part **ret_root, span_t *ret_bytes)
{
    int result = read_front(task, source);
    if (result < 0)
        return result;
    if (source->root == NULL && source->front_root != NULL &&
        has_ended(imap_section_part(source->front_root, path, depth))) {
        *ret_root = source->front_root;
        *ret_bytes = buf_span(&source->front);
        return 0;
    }
    result = source_whole(task, source, ret_root);
    *ret_bytes = buf_span(&source->whole);
    return result;
}
