#include "role/session/imap/search.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define CHUNK_ROWS 128U  /* messages that have to be opened, at a time */
#define WALK_ROWS 20000U /* narrow rows in one walk, before others get their turn */
#define STEP_FULL 100

struct search {
    struct run *run;
    struct search_node *program;
    uint32_t *found; /* UIDs, rising */
    uint8_t *scores; /* of each, where they are asked for */
    bool is_scored;
    size_t count;
    size_t room;
    uint64_t modseq; /* the highest of those found */
    struct vault_member *open;
    size_t open_count;
    size_t walked;
    uint32_t next;
    bool is_again; /* only what has changed is looked at: */
    uint64_t since;
    uint32_t known;
};

static int grow_scores(struct search *search)
{
    uint8_t *scores = arena_alloc(search->run->arena, search->room);
    if (scores == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < search->count; i++)
        scores[i] = search->scores[i];
    search->scores = scores;
    return 0;
}

static int add_found(struct search *search, const struct vault_member *member)
{
    size_t room = search->room;
    uint32_t *more = mem_grow(search->found, search->count, &search->room, sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    search->found = more;
    if (search->is_scored && search->room > room && grow_scores(search) < 0)
        return -ENOMEM;
    if (search->is_scored)
        search->scores[search->count] = search_fuzzy_relevancy(search->program);
    search->found[search->count++] = member->uid;
    if (member->modseq > search->modseq)
        search->modseq = member->modseq;
    return 0;
}

static int decide(struct search *search, const struct search_subject *subject)
{
    if (search->is_scored)
        search_fuzzy_reset(search->program);
    return search_decide(search->program, subject);
}

static bool make_subject(const struct search *search, const struct vault_member *member,
                         struct search_subject *ret_subject)
{
    const struct view *view = search->run->client->view;
    size_t number = view_number(view, member->uid);
    if (number == 0)
        return false;
    *ret_subject = (struct search_subject){.member = member,
                                           .vault = search->run->vault,
                                           .number = (uint32_t)number,
                                           .recent = view_is_recent(view, member->uid)};
    return true;
}

/* Decides what the narrow row can decide; the rest waits until the walk is over. */
static int on_member(void *arg, const struct vault_member *member)
{
    struct search *search = arg;
    if (search->open_count == CHUNK_ROWS || search->walked++ == WALK_ROWS) {
        search->next = member->uid;
        return STEP_FULL;
    }
    struct search_subject subject;
    if (!make_subject(search, member, &subject))
        return 0;
    int answer = decide(search, &subject);
    if (answer == SEARCH_YES)
        return add_found(search, member);
    if (answer == SEARCH_NEEDS_HEADER || answer == SEARCH_NEEDS_WHOLE)
        search->open[search->open_count++] = *member;
    return answer < 0 ? answer : 0;
}

static int look_into(struct task *task, struct search *search, const struct vault_member *member, int *ret_answer)
{
    struct search_subject subject;
    struct source source;
    *ret_answer = SEARCH_NO;
    if (!make_subject(search, member, &subject))
        return 0;
    source_init(&source, search->run->session, member->email);
    int result = source_header(task, &source, &subject.header);
    subject.thread = source.email.thread;
    int answer = result < 0 ? result : decide(search, &subject);
    if (answer == SEARCH_NEEDS_WHOLE) {
        result = source_whole(task, &source, &subject.whole);
        answer = result < 0 ? result : decide(search, &subject);
    }
    source_deinit(&source);
    /* What is damaged or gone is not found; that is no reason not to find the others. */
    if (answer == -EBADMSG || answer == -ENOENT)
        return 0;
    *ret_answer = answer;
    return answer < 0 ? answer : 0;
}

/* Numbers are said where they cannot go back: there is nothing else to do, and one mailbox to do it in. */
static int tell_progress(struct task *task, struct search *search, uint64_t done, uint64_t goal)
{
    const struct imap_command *command = search->run->command;
    if (search->is_again)
        return 0;
    bool is_all = command->verb == IMAP_SEARCH || (command->verb == IMAP_ESEARCH && command->search.scope.count == 0);
    return run_progress(task, search->run, is_all ? done : 0, is_all ? goal : 0);
}

static int look_into_open(struct task *task, struct search *search)
{
    for (size_t i = 0; i < search->open_count; i++) {
        int answer = SEARCH_NO;
        int result = look_into(task, search, &search->open[i], &answer);
        if (result == 0 && answer == SEARCH_YES)
            result = add_found(search, &search->open[i]);
        if (result == 0 && i % 8 == 7)
            result = task_yield(task);
        if (result < 0)
            return result;
    }
    search->open_count = 0;
    return task_yield(task);
}

/* All in the range; of a search that is done again what has changed, and what has come. */
static int walk(struct search *search, struct vault_range range, vault_member_fn fn)
{
    struct vault *vault = search->run->vault;
    uint64_t mailbox = search->run->client->view->mailbox;
    if (search->is_again && range.first <= search->known) {
        struct vault_range old = {range.first, range.last < search->known ? range.last : search->known};
        int result = vault_member_changes(vault, mailbox, old, search->since, fn, search);
        if (result != 0 || old.last == range.last)
            return result;
        range.first = search->known + 1;
    }
    return vault_member_scan(vault, mailbox, range, fn, search);
}

static int search_all(struct task *task, struct search *search)
{
    struct view *view = search->run->client->view;
    uint32_t last = view_last_uid(view);
    int result = last == 0 ? 0 : STEP_FULL;
    search->next = 1;
    while (result == STEP_FULL) {
        search->walked = 0;
        struct vault_range range = {search->next, last};
        result = walk(search, range, on_member);
        if (result < 0)
            return result;
        int looked = look_into_open(task, search);
        size_t done = result == STEP_FULL ? view_find(view, search->next) : view_count(view);
        if (looked == 0)
            looked = tell_progress(task, search, done, view_count(view));
        if (looked < 0)
            return looked;
    }
    return 0;
}

static int search_these(struct task *task, struct search *search, const uint64_t *ids, size_t count)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        search->next = 1;
        do {
            search->walked = 0;
            result = vault_member_scan_email(search->run->vault, search->run->client->view->mailbox, ids[i],
                                             search->next, on_member, search);
            int looked = result == STEP_FULL ? look_into_open(task, search) : 0;
            if (looked == 0 && result == STEP_FULL)
                looked = tell_progress(task, search, i + 1, count);
            if (looked < 0)
                return looked;
        } while (result == STEP_FULL);
    }
    if (result == 0)
        result = look_into_open(task, search);
    return result == 0 && count > 0 ? tell_progress(task, search, count, count) : result;
}

/* --- all of it --- */

static int compare_numbers(const void *one, const void *other)
{
    uint32_t left = *(const uint32_t *)one;
    uint32_t right = *(const uint32_t *)other;
    return left < right ? -1 : left > right;
}

static int compare_pairs(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one;
    uint64_t right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

/* Scores stay with what they are of. */
static void order_scored(struct search *search, uint64_t *pairs)
{
    for (size_t i = 0; i < search->count; i++)
        pairs[i] = (uint64_t)search->found[i] << 8U | search->scores[i];
    qsort(pairs, search->count, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < search->count; i++) {
        search->found[i] = (uint32_t)(pairs[i] >> 8U);
        search->scores[i] = (uint8_t)pairs[i];
    }
}

static int put_in_order(struct search *search)
{
    if (search->count < 2)
        return 0;
    if (!search->is_scored) {
        qsort(search->found, search->count, sizeof(*search->found), compare_numbers);
        return 0;
    }
    AUTO_FREE uint64_t *pairs = mem_new_array(search->count, sizeof(*pairs));
    if (pairs == NULL)
        return -ENOMEM;
    order_scored(search, pairs);
    return 0;
}

/* Rows that had to be opened come behind those that had not, so the UIDs are put in order at the end. */
static int run_program(struct task *task, struct search *search)
{
    AUTO_FREE uint64_t *ids = NULL;
    size_t count = 0;
    int result = search_narrow_down(search->run->vault, search->program, &ids, &count);
    if (result == 0)
        result = ids != NULL ? search_these(task, search, ids, count) : search_all(task, search);
    return result == 0 ? put_in_order(search) : result;
}

static bool wants_scores(const struct imap_command *command)
{
    bool wants = (command->search.returns & IMAP_RETURN_RELEVANCY) != 0;
    for (size_t i = 0; i < command->search.order_count; i++)
        wants |= command->search.order[i].field == IMAP_SORT_RELEVANCY;
    return wants;
}

/* What every message is found by needs no walk through them. */
static bool finds_all(const struct search_node *node)
{
    bool all = node->kind == IMAP_KEY_ALL || node->kind == IMAP_KEY_AND;
    for (const struct search_node *child = node->children; all && child != NULL; child = child->next)
        all = finds_all(child);
    return all;
}

static int find_all(struct search *search, bool *ret_found)
{
    const struct view *view = search->run->client->view;
    struct vault_mailbox mailbox;
    *ret_found = false;
    bool finds = !search->is_scored && finds_all(search->program);
    int result = finds ? vault_mailbox_get(search->run->vault, view->mailbox, &mailbox) : 1;
    if (result != 0 || !view_is_current(view, &mailbox))
        return result < 0 ? result : 0;
    search->found = mem_new_array(view_count(view) + 1, sizeof(*search->found));
    if (search->found == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < view_count(view); i++)
        search->found[search->count++] = view_uid(view, i);
    *ret_found = true;
    return 0;
}

int search_run(struct task *task, struct run *run, struct search_found *ret_found)
{
    struct search_node *program = NULL;
    struct search search = {.run = run,
                            .is_scored = wants_scores(run->command),
                            .open = arena_alloc_array(run->arena, CHUNK_ROWS, sizeof(*search.open))};
    int result = search.open == NULL ? -ENOMEM : search_program_make(run, &program);
    search.program = program;
    if (result == 0)
        result = search_look_up(task, run->vault, program);
    bool is_found = false;
    if (result == 0)
        result = find_all(&search, &is_found);
    if (result == 0 && !is_found)
        result = run_program(task, &search);
    search_program_free(program);
    if (result == 0)
        *ret_found = (struct search_found){TAKE(search.found), search.count, search.modseq, search.scores};
    free(search.found);
    return result;
}

static int on_changed(void *arg, const struct vault_member *member)
{
    struct search *search = arg;
    return view_number(search->run->client->view, member->uid) != 0 ? add_found(search, member) : 0;
}

/* A few messages are sooner read than looked up in the index. */
#define SOONER_READ 64U

static int run_again(struct task *task, struct search *search, size_t changed)
{
    struct search_node *program = NULL;
    int result = search_program_make(search->run, &program);
    search->program = program;
    if (result == 0 && changed > SOONER_READ)
        result = search_look_up(task, search->run->vault, program);
    if (result == 0)
        result = search_all(task, search);
    if (result == 0)
        result = put_in_order(search);
    search_program_free(program);
    return result;
}

int search_again(struct task *task, struct run *run, const struct search_since *since, struct search_found *ret_changed,
                 struct search_found *ret_found)
{
    struct search changed = {.run = run, .is_again = true, .since = since->modseq, .known = since->uid};
    struct search search = changed;
    search.open = arena_alloc_array(run->arena, CHUNK_ROWS, sizeof(*search.open));
    uint32_t last = view_last_uid(run->client->view);
    int result = search.open == NULL ? -ENOMEM : 0;
    if (result == 0 && last > 0)
        result = walk(&changed, (struct vault_range){1, last}, on_changed);
    if (result == 0 && changed.count > 0)
        result = run_again(task, &search, changed.count);
    if (result == 0) {
        *ret_changed = (struct search_found){TAKE(changed.found), changed.count, changed.modseq, NULL};
        *ret_found = (struct search_found){TAKE(search.found), search.count, search.modseq, NULL};
    }
    free(changed.found);
    free(search.found);
    return result;
}

int search_copy_keys(struct arena *arena, const struct imap_search_key *from, struct imap_search_key **link)
{
    for (*link = NULL; from != NULL; from = from->next) {
        struct imap_search_key *key = arena_alloc(arena, sizeof(*key));
        struct imap_range *ranges = arena_alloc_array(arena, from->set.count + 1, sizeof(*ranges));
        if (key == NULL || ranges == NULL)
            return -ENOMEM;
        *key = *from;
        for (size_t i = 0; i < from->set.count; i++)
            ranges[i] = from->set.ranges[i];
        key->set.ranges = ranges;
        *link = key;
        link = &key->next;
        int result = search_copy_keys(arena, from->children, &key->children);
        if (result < 0)
            return result;
    }
    return 0;
}

int search_refuse(struct run *run, int outcome)
{
    (void)outcome;                                                       /* there is but one */
    return run_no(run, "[BADCHARSET (US-ASCII UTF-8)] Unknown charset"); /* RFC 3501 §6.4.4 */
}
