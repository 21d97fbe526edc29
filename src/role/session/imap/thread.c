#include "proto/imap/thread.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/order.h"
#include "role/session/imap/sort.h"

#define THREADS_MAX ((size_t)512 << 20) /* of one command: a million messages and what they refer to */
#define REFERENCES_MAX UINT8_MAX        /* of one message */

/* THREAD (RFC 5256 §3): what its two ways are made from. */
struct threading {
    struct task *task;
    struct run *run;
    struct arena *arena;
    struct sort_table table;
    struct imap_threads threads;
};

static uint32_t number_of(const struct threading *threading, uint32_t uid)
{
    const struct run *run = threading->run;
    return run->command->uid ? uid : (uint32_t)view_find(run->client->view, uid) + 1;
}

/* --- REFERENCES --- */

static uint64_t hash_subject(const struct threading *threading, span_t subject)
{
    if (subject.len == 0)
        return 0;
    uint64_t hash = hash_keyed(vault_hash_key(threading->run->vault), subject);
    return hash != 0 ? hash : 1;
}

static int add_message(void *arg, size_t row, const struct sort_key *key)
{
    struct threading *threading = arg;
    uint64_t references[REFERENCES_MAX];
    for (size_t i = 0; i < key->reference_count; i++)
        references[i] = sort_key_reference(key, i);
    struct imap_thread_message message = {
        .number = number_of(threading, threading->table.rows[row].uid),
        .date = sort_date(&threading->table.rows[row], key),
        .subject = hash_subject(threading, key->texts[SORT_TEXT_SUBJECT]),
        .is_reply = key->is_reply,
        .has_id = key->has_id,
        .id = key->id,
        .references = references,
        .reference_count = key->reference_count,
    };
    return imap_threads_add(&threading->threads, &message);
}

static int thread_references(struct threading *threading)
{
    int result = sort_table_keys(threading->task, threading->run, &threading->table, add_message, threading);
    return result == 0 ? imap_threads_link(&threading->threads) : result;
}

/* --- ORDEREDSUBJECT: the rows are in order of subject, then date --- */

struct subjects {
    const uint64_t *ranks; /* of each row's subject */
    const uint64_t *dates;
    const uint32_t *places; /* of rows, in order */
};

/* Nodes are put in front of their siblings, so all goes backwards. */
static int add_thread(struct threading *threading, const struct subjects *subjects, size_t first)
{
    struct imap_thread_node *top = NULL;
    struct imap_thread_node *node = NULL;
    const uint32_t *places = subjects->places;
    size_t end = first + 1;
    while (end < threading->table.count && subjects->ranks[places[end]] == subjects->ranks[places[first]])
        end++;
    uint32_t number = number_of(threading, threading->table.rows[places[first]].uid);
    int result = imap_threads_append(&threading->threads, number, NULL, &top);
    while (result == 0 && --end > first) {
        number = number_of(threading, threading->table.rows[places[end]].uid);
        result = imap_threads_append(&threading->threads, number, top, &node);
    }
    return result;
}

static int add_threads(struct threading *threading, const struct subjects *subjects)
{
    size_t rows = threading->table.count;
    size_t count = 0;
    struct order_row *firsts = arena_alloc_array(threading->arena, rows + 1, sizeof(*firsts));
    struct order_row *room = arena_alloc_array(threading->arena, rows + 1, sizeof(*room));
    if (firsts == NULL || room == NULL)
        return -ENOMEM;
    const uint32_t *places = subjects->places;
    for (size_t i = 0; i < rows; i++)
        if (i == 0 || subjects->ranks[places[i - 1]] != subjects->ranks[places[i]])
            firsts[count++] = (struct order_row){places[i], (uint32_t)i};
    order_rows(firsts, room, count); /* by UID, where dates are the same */
    for (size_t i = 0; i < count; i++)
        firsts[i].number = subjects->dates[places[firsts[i].place]];
    order_rows(firsts, room, count);
    int result = 0;
    while (result == 0 && count-- > 0)
        result = add_thread(threading, subjects, firsts[count].place);
    return result;
}

static int thread_subjects(struct threading *threading)
{
    static const struct imap_sort_key order[] = {{.field = IMAP_SORT_SUBJECT}, {.field = IMAP_SORT_DATE}};
    struct sort_columns columns;
    uint32_t *places = NULL;
    int result =
        sort_columns_read(threading->task, threading->run, &threading->table, order, COUNT_OF(order), &columns);
    if (result == 0)
        result = sort_columns_order(threading->task, &columns, &places);
    if (result < 0)
        return result;
    struct subjects subjects = {columns.columns[0].numbers, columns.columns[1].numbers, places};
    return add_threads(threading, &subjects);
}

/* --- both --- */

static int thread_found(struct threading *threading, const struct search_found *found)
{
    bool by_references = threading->run->command->search.thread == IMAP_THREAD_REFERENCES;
    int result = sort_table_fill(threading->task, threading->run, found, &threading->table);
    if (result == 0)
        result = by_references ? thread_references(threading) : thread_subjects(threading);
    sort_table_free(&threading->table);
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
    AUTO(arena) struct arena *arena = NULL;
    int result = search_run(task, run, &found);
    if (result != 0)
        return result < 0 ? result : search_refuse(run, result);
    struct threading threading = {.task = task, .run = run};
    result = arena_new(THREADS_MAX, &arena);
    threading.arena = arena;
    if (result == 0)
        result = imap_threads_init(&threading.threads, arena);
    if (result == 0)
        result = thread_found(&threading, &found);
    if (result == 0)
        result = answer(&threading);
    imap_threads_deinit(&threading.threads);
    free(found.uids);
    return result;
}
