#include "proto/imap/thread.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

typedef struct imap_thread_node node_t;

int imap_threads_init(struct imap_threads *threads, struct arena *arena)
{
    *threads = (struct imap_threads){.arena = arena};
    return map_new(&threads->ids);
}

void imap_threads_deinit(struct imap_threads *threads)
{
    map_free(threads->ids);
    threads->ids = NULL;
}

static node_t *new_node(struct imap_threads *threads)
{
    threads->count++;
    return arena_alloc(threads->arena, sizeof(node_t));
}

static void attach(node_t *parent, node_t *node)
{
    node->parent = parent;
    node->next = parent->first;
    parent->first = node;
}

/* --- adding: step 1 of REFERENCES (RFC 5256 §3) --- */

static node_t *add_node(struct imap_threads *threads)
{
    node_t *node = new_node(threads);
    if (node == NULL)
        return NULL;
    node->next = threads->all;
    threads->all = node;
    return node;
}

static node_t *node_of(struct imap_threads *threads, uint64_t id)
{
    node_t *node = map_get(threads->ids, id);
    if (node != NULL)
        return node;
    node = add_node(threads);
    return node != NULL && map_put(threads->ids, id, node) == 0 ? node : NULL;
}

/* Whether linking would close a circle. A thread that is deeper than any real one goes no deeper. */
#define DEPTH_MAX 5000U

static bool is_above(const node_t *above, const node_t *node)
{
    for (unsigned depth = 0; node != NULL; node = node->parent)
        if (node == above || depth++ == DEPTH_MAX)
            return true;
    return false;
}

/* Only the parents are set here; a long thread would make lists of children slow to keep. */
static int link_references(struct imap_threads *threads, const struct imap_thread_message *message, node_t *node)
{
    node_t *parent = NULL;
    for (size_t i = 0; i < message->reference_count; i++) {
        node_t *reference = node_of(threads, message->references[i]);
        if (reference == NULL)
            return -ENOMEM;
        if (parent != NULL && reference->parent == NULL && !is_above(reference, parent))
            reference->parent = parent;
        parent = reference;
    }
    if (parent != NULL && !is_above(node, parent))
        node->parent = parent;
    else if (parent == NULL)
        node->parent = NULL;
    return 0;
}

int imap_threads_add(struct imap_threads *threads, const struct imap_thread_message *message)
{
    node_t *node = message->has_id ? node_of(threads, message->id) : NULL;
    if (message->has_id && node == NULL)
        return -ENOMEM;
    /* Without an id, or with one that another message has, it is a message of its own; nobody refers to it. */
    if (node == NULL || node->number != 0) {
        node = add_node(threads);
        if (node == NULL)
            return -ENOMEM;
    }
    node->number = message->number;
    node->date = message->date;
    node->subject = message->subject;
    node->is_reply = message->is_reply;
    return link_references(threads, message, node);
}

/* --- order: steps 4 and 6 --- */

static int compare_nodes(const void *one, const void *other)
{
    const node_t *left = *(node_t *const *)one;
    const node_t *right = *(node_t *const *)other;
    if (left->date != right->date)
        return left->date < right->date ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

static void sort_children(node_t *parent, node_t **room)
{
    size_t count = 0;
    for (node_t *node = parent->first; node != NULL; node = node->next)
        room[count++] = node;
    if (count < 2)
        return;
    qsort(room, count, sizeof(*room), compare_nodes);
    for (size_t i = 0; i < count; i++)
        room[i]->next = i + 1 < count ? room[i + 1] : NULL;
    parent->first = room[0];
}

/* All nodes but the root, each before its children. */
static size_t list_nodes(node_t *root, node_t **list)
{
    size_t count = 0;
    for (node_t *node = root->first; node != NULL; node = node->next)
        list[count++] = node;
    for (size_t at = 0; at < count; at++)
        for (node_t *node = list[at]->first; node != NULL; node = node->next)
            list[count++] = node;
    return count;
}

/* Children first, so that what is not there has the date of its first child. */
static void sort_all(struct imap_threads *threads, node_t **list, node_t **room)
{
    size_t count = list_nodes(&threads->root, list);
    while (count-- > 0) {
        sort_children(list[count], room);
        if (list[count]->number == 0 && list[count]->first != NULL)
            list[count]->date = list[count]->first->date;
    }
    sort_children(&threads->root, room);
}

/* --- steps 2 and 3: the roots, and what is not there taken out --- */

static void place(struct imap_threads *threads)
{
    node_t *next = NULL;
    for (node_t *node = threads->all; node != NULL; node = next) {
        next = node->next;
        attach(node->parent == NULL ? &threads->root : node->parent, node);
    }
    threads->all = NULL;
}

/* Where an empty node goes its children take its place; among the threads only a single one does. */
static void prune_children(const struct imap_threads *threads, node_t *parent)
{
    node_t *kept = NULL;
    node_t *next = NULL;
    for (node_t *child = parent->first; child != NULL; child = next) {
        next = child->next;
        bool many = child->first != NULL && child->first->next != NULL;
        if (child->number != 0 || (many && parent == &threads->root)) {
            child->next = kept;
            kept = child;
            continue;
        }
        node_t *after = NULL;
        for (node_t *below = child->first; below != NULL; below = after) {
            after = below->next;
            below->parent = parent;
            below->next = kept;
            kept = below;
        }
    }
    parent->first = kept;
}

static void prune(struct imap_threads *threads, node_t **list)
{
    size_t count = list_nodes(&threads->root, list);
    while (count-- > 0)
        prune_children(threads, list[count]);
    prune_children(threads, &threads->root);
}

/* --- step 5: threads of one subject --- */

static const node_t *speaker(const node_t *node)
{
    return node->number == 0 && node->first != NULL ? node->first : node;
}

static int gather_subjects(struct imap_threads *threads, struct map *subjects)
{
    for (node_t *node = threads->root.first; node != NULL; node = node->next) {
        const node_t *speaks = speaker(node);
        if (speaks->subject == 0)
            continue;
        const node_t *held = map_get(subjects, speaks->subject);
        bool better = held == NULL || (node->number == 0 && held->number != 0) ||
                      (held->number != 0 && speaker(held)->is_reply && !speaks->is_reply);
        int result = better ? map_put(subjects, speaks->subject, node) : 0;
        if (result < 0)
            return result;
    }
    return 0;
}

/* Only parents are set; *ret_new: a thread that was made to hold both, or NULL. */
static int merge(struct imap_threads *threads, node_t *held, node_t *node, node_t **ret_new)
{
    *ret_new = NULL;
    if (held->number == 0 && node->number == 0) {
        node_t *next = NULL;
        for (node_t *child = node->first; child != NULL; child = next) {
            next = child->next;
            attach(held, child);
        }
        node->parent = NULL;
        return 0;
    }
    if (held->number == 0 || (node->is_reply && !held->is_reply)) {
        node->parent = held;
        return 0;
    }
    node_t *both = new_node(threads);
    if (both == NULL)
        return -ENOMEM;
    both->parent = &threads->root;
    held->parent = both;
    node->parent = both;
    *ret_new = both;
    return 0;
}

static int merge_list(struct imap_threads *threads, struct map *subjects, node_t **list, size_t *count)
{
    size_t threads_before = *count;
    for (size_t i = 0; i < threads_before; i++) {
        uint64_t subject = speaker(list[i])->subject;
        node_t *held = subject != 0 ? map_get(subjects, subject) : NULL;
        if (held == NULL || held == list[i])
            continue;
        node_t *both = NULL;
        int result = merge(threads, held, list[i], &both);
        if (result == 0 && both != NULL) {
            both->subject = subject;
            list[(*count)++] = both;
            result = map_put(subjects, subject, both);
        }
        if (result < 0)
            return result;
    }
    return 0;
}

static int merge_subjects(struct imap_threads *threads, node_t **list)
{
    AUTO(map) struct map *subjects = NULL;
    size_t count = 0;
    int result = map_new(&subjects);
    if (result == 0)
        result = gather_subjects(threads, subjects);
    for (node_t *node = threads->root.first; node != NULL; node = node->next)
        list[count++] = node;
    if (result == 0)
        result = merge_list(threads, subjects, list, &count);
    /* All of them anew below their parents; what was emptied has none. */
    threads->root.first = NULL;
    for (size_t i = 0; i < count; i++)
        if (list[i]->parent != NULL)
            attach(list[i]->parent, list[i]);
    return result;
}

int imap_threads_link(struct imap_threads *threads)
{
    place(threads);
    /* Each merge of two adds a node: there can be half as many more. */
    AUTO_FREE node_t **list = mem_new_array(2 * threads->count + 1, sizeof(*list));
    AUTO_FREE node_t **room = mem_new_array(2 * threads->count + 1, sizeof(*room));
    if (list == NULL || room == NULL)
        return -ENOMEM;
    prune(threads, list);
    sort_all(threads, list, room);
    int result = merge_subjects(threads, list);
    if (result == 0)
        sort_all(threads, list, room);
    return result;
}

/* --- ORDEREDSUBJECT --- */

int imap_threads_append(struct imap_threads *threads, uint32_t number, node_t *parent, node_t **ret_node)
{
    node_t *node = new_node(threads);
    if (node == NULL)
        return -ENOMEM;
    node->number = number;
    attach(parent == NULL ? &threads->root : parent, node);
    *ret_node = node;
    return 0;
}

/* --- writing --- */

static void write_number(const node_t *node, bool follows, struct buf *out)
{
    if (node->number == 0)
        return;
    if (follows)
        buf_append_byte(out, ' ');
    buf_append_u64(out, node->number);
}

/* RFC 5256 §5: thread-list. A single child follows its parent; several stand in parentheses each. */
int imap_threads_write(const struct imap_threads *threads, struct buf *out)
{
    const node_t *node = threads->root.first;
    while (node != NULL) {
        bool is_branch = node->parent == &threads->root || node->parent->first->next != NULL;
        if (is_branch) {
            bool spaced = node->parent != &threads->root && node->parent->number != 0 && node == node->parent->first;
            buf_append_text(out, spaced ? " (" : "(");
        }
        write_number(node, !is_branch, out);
        if (node->first != NULL) {
            node = node->first;
            continue;
        }
        /* Up to where a sibling is left, closing what was opened. */
        while (node != &threads->root) {
            bool closes = node->parent == &threads->root || node->parent->first->next != NULL;
            if (closes)
                buf_append_byte(out, ')');
            if (node->next != NULL)
                break;
            node = node->parent;
        }
        node = node == &threads->root ? NULL : node->next;
    }
    return buf_fault(out);
}
