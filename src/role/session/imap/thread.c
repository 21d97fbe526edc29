#include "proto/imap/thread.h"

#include <errno.h>
#include <stdlib.h>

#include "crypto/secret.h"
#include "mime/text.h"
#include "proto/imap/summary.h"
#include "role/session/imap/sort.h"

#define THREADS_MAX ((size_t)512 << 20) /* of one command: a million messages and what they refer to */
#define SCRATCH_MAX (4U << 20)
#define SUBJECT_MAX 65536U
#define KEPT_SUBJECT_MAX 256U

/* THREAD (RFC 5256 §3): what its two ways are made from. */
struct threading {
    struct task *task;
    struct run *run;
    struct arena *arena;
    struct arena *scratch;
    struct imap_threads threads;
};

static uint32_t number_of(const struct threading *threading, uint32_t uid)
{
    const struct run *run = threading->run;
    return run->command->uid ? uid : (uint32_t)view_find(run->client->view, uid) + 1;
}

/* --- REFERENCES: every header is read --- */

static int fold_subject(struct threading *threading, span_t subject, span_t *ret_folded)
{
    struct buf folded AUTO_BUF;
    buf_init(&folded, (size_t)16 * SUBJECT_MAX);
    int result = mime_text_fold(span_upto(subject, SUBJECT_MAX / 64), &folded);
    if (result < 0)
        return result;
    return arena_copy(threading->arena, span_upto(buf_span(&folded), KEPT_SUBJECT_MAX), ret_folded);
}

static int add_header(struct threading *threading, const struct sort_entry *entry, span_t header)
{
    struct imap_summary summary = {0};
    arena_reset(threading->scratch);
    int result = imap_summary_read(header, threading->scratch, &summary);
    if (result < 0)
        return result;
    struct imap_thread_message message = {
        .number = number_of(threading, entry->uid),
        .date = summary.has_date ? summary.date.unix_time : entry->received / 1000000,
        .is_reply = summary.is_reply,
        .message_id = summary.message_id,
        .references = summary.references,
        .reference_count = summary.reference_count,
    };
    result = fold_subject(threading, summary.base_subject, &message.subject);
    return result < 0 ? result : imap_threads_add(&threading->threads, &message);
}

/* What cannot be read is a thread of its own. */
static int add_message(struct threading *threading, const struct sort_entry *entry)
{
    struct source source;
    const struct mime_part *root = NULL;
    source_init(&source, threading->run->session, entry->email);
    int result = source_header(threading->task, &source, &root);
    if (result == 0)
        result = add_header(threading, entry, root->header);
    else if (result == -EBADMSG || result == -ENOENT)
        result = add_header(threading, entry, SPAN(""));
    source_deinit(&source);
    return result;
}

static int thread_references(struct threading *threading, const struct sort_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        int result = add_message(threading, &table->entries[i]);
        if (result == 0 && i % 64 == 63)
            result = task_yield(threading->task);
        if (result == 0)
            result = run_progress(threading->task, threading->run, 0, 0);
        if (result < 0)
            return result;
    }
    return imap_threads_link(&threading->threads);
}

/* --- ORDEREDSUBJECT: the table is in order of subject, then date --- */

static int compare_dates(const void *one, const void *other)
{
    const struct sort_entry *left = *(const struct sort_entry *const *)one;
    const struct sort_entry *right = *(const struct sort_entry *const *)other;
    if (left->values[1].number != right->values[1].number)
        return left->values[1].number < right->values[1].number ? -1 : 1;
    return left->uid < right->uid ? -1 : left->uid > right->uid;
}

static bool is_same_subject(const struct sort_entry *one, const struct sort_entry *other)
{
    return span_equal(one->values[0].text, other->values[0].text);
}

/* Nodes are put in front of their siblings, so all goes backwards. */
static int add_thread(struct threading *threading, const struct sort_table *table, const struct sort_entry *first)
{
    struct imap_thread_node *top = NULL;
    struct imap_thread_node *node = NULL;
    const struct sort_entry *end = first + 1;
    while (end < table->entries + table->count && is_same_subject(first, end))
        end++;
    int result = imap_threads_append(&threading->threads, number_of(threading, first->uid), NULL, &top);
    while (result == 0 && --end > first)
        result = imap_threads_append(&threading->threads, number_of(threading, end->uid), top, &node);
    return result;
}

static int thread_subjects(struct threading *threading, struct sort_table *table)
{
    sort_table_order(table);
    size_t count = 0;
    const struct sort_entry **firsts =
        arena_alloc_array(threading->arena, table->count + 1, sizeof(struct sort_entry *));
    if (firsts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        if (i == 0 || !is_same_subject(&table->entries[i - 1], &table->entries[i]))
            firsts[count++] = &table->entries[i];
    if (count > 1)
        qsort(firsts, count, sizeof(*firsts), compare_dates);
    int result = 0;
    while (result == 0 && count-- > 0)
        result = add_thread(threading, table, firsts[count]);
    return result;
}

/* --- both --- */

static int thread_found(struct threading *threading, const struct search_found *found)
{
    static const struct imap_sort_key by_subject[] = {{.field = IMAP_SORT_SUBJECT}, {.field = IMAP_SORT_DATE}};
    static const struct imap_sort_key by_arrival[] = {{.field = IMAP_SORT_ARRIVAL}};
    bool by_references = threading->run->command->search.thread == IMAP_THREAD_REFERENCES;
    struct sort_table table = {.order = by_references ? by_arrival : by_subject, .order_count = by_references ? 1 : 2};
    int result = sort_table_fill(threading->task, threading->run, found, &table);
    if (result == 0)
        result = by_references ? thread_references(threading, &table) : thread_subjects(threading, &table);
    sort_table_free(&table);
    return result;
}

static int answer(struct threading *threading)
{
    struct buf *out = &threading->run->client->out;
    buf_append_text(out, "* THREAD");
    if (threading->threads.root.first != NULL)
        buf_append_byte(out, ' ');
    int result = imap_threads_write(&threading->threads, out);
    buf_append_text(out, "\r\n");
    return result < 0 ? result : run_ok(threading->run, "Threaded");
}

int imap_do_thread(struct task *task, struct run *run)
{
    struct search_found found = {0};
    uint8_t hash_key[16];
    AUTO(arena) struct arena *arena = NULL;
    AUTO(arena) struct arena *scratch = NULL;
    int result = search_run(task, run, &found);
    if (result != 0)
        return result < 0 ? result : search_refuse(run, result);
    struct threading threading = {.task = task, .run = run};
    random_bytes(hash_key, sizeof(hash_key));
    result = arena_new(THREADS_MAX, &arena);
    if (result == 0)
        result = arena_new(SCRATCH_MAX, &scratch);
    threading.arena = arena;
    threading.scratch = scratch;
    if (result == 0)
        result = imap_threads_init(&threading.threads, arena, hash_key);
    if (result == 0)
        result = thread_found(&threading, &found);
    if (result == 0)
        result = answer(&threading);
    imap_threads_deinit(&threading.threads);
    free(found.uids);
    return result;
}
