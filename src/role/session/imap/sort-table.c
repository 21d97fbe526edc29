#include <errno.h>
#include <stdlib.h>

#include "mime/date.h"
#include "mime/text.h"
#include "mime/word.h"
#include "proto/imap/envelope.h"
#include "proto/imap/summary.h"
#include "role/session/imap/sort.h"

#define TABLE_MAX ((size_t)256 << 20) /* of one command: a million messages sorted by two texts */
#define SCRATCH_MAX (4U << 20)
#define TEXT_MAX (64U << 10)
#define KEPT_TEXT_MAX 256U /* what of a text is compared */
#define WALK_ROWS 20000U
#define CHUNK 512U
#define STEP_FULL 100
#define NEEDS_MESSAGE 101

struct filling {
    struct task *task;
    struct run *run;
    struct sort_table *table;
    const struct search_found *found;
    size_t next; /* of found */
    size_t walked;
    size_t done; /* entries with values */
    struct arena *scratch;
    struct buf folded;
};

/* --- rows --- */

static int on_member(void *arg, const struct vault_member *member)
{
    struct filling *filling = arg;
    const struct search_found *found = filling->found;
    if (filling->walked++ == WALK_ROWS)
        return STEP_FULL;
    while (filling->next < found->count && found->uids[filling->next] < member->uid)
        filling->next++;
    if (filling->next == found->count || found->uids[filling->next] != member->uid)
        return 0;
    filling->next++;
    filling->table->entries[filling->table->count++] = (struct sort_entry){
        .uid = member->uid, .email = member->email, .size = member->size, .received = member->received};
    return 0;
}

static int read_rows(struct filling *filling)
{
    const struct search_found *found = filling->found;
    uint64_t mailbox = filling->run->client->view->mailbox;
    int result = found->count > 0 ? STEP_FULL : 0;
    while (result == STEP_FULL && filling->next < found->count) {
        struct vault_range range = {found->uids[filling->next], found->uids[found->count - 1]};
        filling->walked = 0;
        result = vault_member_scan(filling->run->vault, mailbox, range, on_member, filling);
        int yielded = result < 0 ? result : task_yield(filling->task);
        if (yielded < 0)
            return yielded;
    }
    return 0;
}

/* --- values --- */

static int put_text(struct filling *filling, span_t utf8, span_t *ret_text)
{
    buf_clear(&filling->folded);
    int result = mime_text_fold(span_upto(utf8, TEXT_MAX / 64), &filling->folded);
    if (result < 0)
        return result;
    return arena_copy(filling->table->arena, span_upto(buf_span(&filling->folded), KEPT_TEXT_MAX), ret_text);
}

/* RFC 5256 §2.1. */
static int put_subject(struct filling *filling, span_t raw, span_t *ret_text)
{
    span_t decoded = SPAN_NONE;
    span_t base = SPAN_NONE;
    bool is_reply = false;
    int result = mime_word_decode_into(filling->scratch, raw, &decoded);
    if (result == 0)
        result = imap_base_subject(decoded, filling->scratch, &base, &is_reply);
    return result < 0 ? result : put_text(filling, base, ret_text);
}

/* RFC 5957 §3: the name, or where there is none the address. */
static int put_display(struct filling *filling, const struct imap_envelope_address *address, span_t *ret_text)
{
    span_t name = SPAN_NONE;
    int result = mime_word_decode_into(filling->scratch, address->name, &name);
    if (result < 0 || name.len > 0)
        return result < 0 ? result : put_text(filling, name, ret_text);
    struct buf both AUTO_BUF;
    buf_init(&both, TEXT_MAX);
    buf_append(&both, span_upto(address->mailbox, TEXT_MAX / 4));
    if (address->host.len > 0)
        buf_append_byte(&both, '@');
    buf_append(&both, span_upto(address->host, TEXT_MAX / 4));
    return buf_fault(&both) < 0 ? buf_fault(&both) : put_text(filling, buf_span(&both), ret_text);
}

/* RFC 5256 §2.2: the sent date in UTC; where there is none the one of arrival. */
static int64_t sent_date(const struct sort_entry *entry, span_t raw)
{
    struct mime_date date;
    return mime_date_parse(raw, &date) == 0 ? date.unix_time : entry->received / 1000000;
}

static int put_value(struct filling *filling, const struct sort_entry *entry, const struct imap_envelope *envelope,
                     enum imap_sort_field field, struct sort_value *value)
{
    switch (field) {
    case IMAP_SORT_ARRIVAL:
        value->number = entry->received;
        return 0;
    case IMAP_SORT_RELEVANCY: /* RFC 6203 §5: the most relevant first */
        value->number = -(int64_t)entry->score;
        return 0;
    case IMAP_SORT_SIZE:
        value->number = (int64_t)entry->size;
        return 0;
    case IMAP_SORT_DATE:
        value->number = sent_date(entry, envelope->date);
        return 0;
    case IMAP_SORT_SUBJECT:
        return put_subject(filling, envelope->subject, &value->text);
    case IMAP_SORT_FROM:
        return put_text(filling, envelope->from.mailbox, &value->text);
    case IMAP_SORT_TO:
        return put_text(filling, envelope->to.mailbox, &value->text);
    case IMAP_SORT_CC:
        return put_text(filling, envelope->cc.mailbox, &value->text);
    case IMAP_SORT_DISPLAYFROM:
        return put_display(filling, &envelope->from, &value->text);
    case IMAP_SORT_DISPLAYTO:
        return put_display(filling, &envelope->to, &value->text);
    }
    return -EINVAL;
}

static int put_values(struct filling *filling, struct sort_entry *entry, span_t text)
{
    struct sort_table *table = filling->table;
    struct imap_envelope envelope = {0};
    arena_reset(filling->scratch);
    int result = text.len > 0 ? imap_envelope_read(text, filling->scratch, &envelope) : 0;
    if (result < 0 && result != -EBADMSG)
        return result;
    entry->values = arena_alloc_array(table->arena, table->order_count, sizeof(*entry->values));
    if (entry->values == NULL)
        return -ENOMEM;
    result = 0;
    for (size_t i = 0; result == 0 && i < table->order_count; i++)
        result = put_value(filling, entry, &envelope, table->order[i].field, &entry->values[i]);
    return result;
}

static bool needs_envelope(const struct sort_table *table)
{
    for (size_t i = 0; i < table->order_count; i++)
        if (table->order[i].field != IMAP_SORT_ARRIVAL && table->order[i].field != IMAP_SORT_SIZE)
            return true;
    return false;
}

static int on_cache(void *arg, size_t index, span_t envelope, span_t structure)
{
    struct filling *filling = arg;
    (void)index;
    (void)structure;
    if (envelope.len == 0)
        return NEEDS_MESSAGE;
    int result = put_values(filling, &filling->table->entries[filling->done], envelope);
    filling->done += result == 0;
    return result;
}

/* What cannot be read has an empty header, and sorts as such. */
static int open_message(struct filling *filling, struct sort_entry *entry)
{
    struct source source;
    const struct mime_part *root = NULL;
    struct buf text AUTO_BUF;
    buf_init(&text, SCRATCH_MAX);
    source_init(&source, filling->run->session, entry->email);
    int result = source_header(filling->task, &source, &root);
    if (result == 0)
        result = imap_envelope_append(root->header, &text);
    if (result == -EBADMSG || result == -ENOENT || result == -ENOBUFS) {
        buf_clear(&text);
        result = 0;
    }
    source_deinit(&source);
    return result < 0 ? result : put_values(filling, entry, buf_span(&text));
}

static int read_chunk(struct filling *filling, size_t end)
{
    uint64_t ids[CHUNK];
    struct sort_table *table = filling->table;
    while (filling->done < end) {
        size_t count = end - filling->done;
        for (size_t i = 0; i < count; i++)
            ids[i] = table->entries[filling->done + i].email;
        int result = vault_email_read_caches(filling->run->vault, ids, count, on_cache, filling);
        if (result == NEEDS_MESSAGE)
            result = open_message(filling, &table->entries[filling->done++]);
        if (result < 0)
            return result;
    }
    return 0;
}

static int read_values(struct filling *filling)
{
    struct sort_table *table = filling->table;
    bool opens = needs_envelope(table);
    for (size_t at = 0; at < table->count; at += CHUNK) {
        size_t end = at + CHUNK < table->count ? at + CHUNK : table->count;
        int result = opens ? read_chunk(filling, end) : 0;
        for (size_t i = at; result == 0 && !opens && i < end; i++)
            result = put_values(filling, &table->entries[i], SPAN_NONE);
        if (result == 0)
            result = task_yield(filling->task);
        if (result < 0)
            return result;
    }
    return 0;
}

/* --- all of it --- */

int sort_table_fill(struct task *task, struct run *run, const struct search_found *found, struct sort_table *table)
{
    AUTO(arena) struct arena *scratch = NULL;
    int result = arena_new(TABLE_MAX, &table->arena);
    if (result == 0)
        result = arena_new(SCRATCH_MAX, &scratch);
    if (result < 0)
        return result;
    table->entries = arena_alloc_array(table->arena, found->count + 1, sizeof(*table->entries));
    if (table->entries == NULL)
        return -ENOMEM;
    struct filling filling = {.task = task, .run = run, .table = table, .found = found, .scratch = scratch};
    buf_init(&filling.folded, (size_t)TEXT_MAX * 16);
    result = read_rows(&filling);
    if (result == 0)
        result = read_values(&filling);
    buf_deinit(&filling.folded);
    return result;
}

static int compare(const void *one, const void *other, void *arg)
{
    const struct sort_table *table = arg;
    const struct sort_entry *left = one;
    const struct sort_entry *right = other;
    for (size_t i = 0; i < table->order_count; i++) {
        const struct sort_value *a = &left->values[i];
        const struct sort_value *b = &right->values[i];
        int order = a->number != b->number ? (a->number < b->number ? -1 : 1) : span_compare(a->text, b->text);
        if (order != 0)
            return table->order[i].reverse ? -order : order;
    }
    return left->uid < right->uid ? -1 : left->uid > right->uid;
}

void sort_table_order(struct sort_table *table)
{
    if (table->count > 1)
        qsort_r(table->entries, table->count, sizeof(*table->entries), compare, table);
}

void sort_table_free(struct sort_table *table)
{
    arena_free(table->arena);
}
