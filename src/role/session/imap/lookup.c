#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "role/session/imap/search.h"

#define LOOKUPS_MAX 16U  /* in one command, each of which may hold 8 bytes for each of the account's emails */
#define NARROW_MAX 2000U /* emails, each of which costs as much as some fifty in a walk */

/* The index does not tell one header field from another, but for the ones that are searched most. */
#define FIELDS_HEADER (VAULT_FIELDS_ALL & ~(1U << VAULT_FIELD_BODY))

unsigned search_fields_of(enum imap_match_kind kind)
{
    static const unsigned fields[] = {
        [IMAP_MATCH_FROM] = 1U << VAULT_FIELD_FROM,       [IMAP_MATCH_TO] = 1U << VAULT_FIELD_TO,
        [IMAP_MATCH_CC] = 1U << VAULT_FIELD_CC,           [IMAP_MATCH_BCC] = 1U << VAULT_FIELD_BCC,
        [IMAP_MATCH_SUBJECT] = 1U << VAULT_FIELD_SUBJECT, [IMAP_MATCH_HEADER] = FIELDS_HEADER,
        [IMAP_MATCH_BODY] = 1U << VAULT_FIELD_BODY,       [IMAP_MATCH_TEXT] = VAULT_FIELDS_ALL,
    };
    return fields[kind];
}

/* An index that fails is no reason not to search: every message is looked into then. */
static int look_up(struct task *task, struct vault *vault, struct search_node *node)
{
    int result = vault_search_new(vault, search_fields_of(imap_match_kind_of(node->match)),
                                  imap_match_needle(node->match), &node->hits);
    if (result == VAULT_SEARCH_NO_HELP)
        return 0;
    while (result >= 0) {
        result = vault_search_step(node->hits);
        if (result != VAULT_SEARCH_HAS_MORE)
            break;
        result = task_yield(task);
    }
    if (result < 0) {
        vault_search_free(node->hits);
        node->hits = NULL;
        if (result != -ECANCELED)
            log_warn("search.index.failed", F_FAULT(result));
    }
    return result == -ECANCELED ? result : 0;
}

static int look_up_list(struct task *task, struct vault *vault, struct search_node *list, unsigned *left)
{
    int result = 0;
    for (struct search_node *node = list; result == 0 && node != NULL; node = node->next) {
        bool is_indexed = node->match != NULL && !mime_field_is_opaque(node->key->field);
        if (node->fuzzy != NULL && *left >= FUZZY_TERMS_MAX) {
            *left -= FUZZY_TERMS_MAX;
            result = search_fuzzy_look_up(task, node);
        } else if (node->fuzzy == NULL && is_indexed && *left > 0) {
            (*left)--;
            result = look_up(task, vault, node);
        } else {
            result = look_up_list(task, vault, node->children, left);
        }
    }
    return result;
}

int search_look_up(struct task *task, struct vault *vault, struct search_node *program)
{
    unsigned left = LOOKUPS_MAX;
    return look_up_list(task, vault, program, &left);
}

enum search_answer search_ask_index(const struct search_node *node, const struct vault_member *member)
{
    if (node->hits == NULL)
        return SEARCH_NEEDS_WHOLE;
    enum vault_hit hit = vault_search_hit(node->hits, member->email);
    if (hit == VAULT_HIT_NO)
        return SEARCH_NO;
    bool is_sure = hit == VAULT_HIT_YES && imap_match_kind_of(node->match) != IMAP_MATCH_HEADER;
    return is_sure ? SEARCH_YES : SEARCH_NEEDS_WHOLE;
}

/* Of those that must all match; keys in parentheses are among them. As deep as the grammar allows. */
static const struct search_node *narrowest(const struct search_node *program)
{
    const struct search_node *best = NULL;
    for (const struct search_node *node = program; node != NULL; node = node->next) {
        const struct search_node *one = node->kind == IMAP_KEY_AND ? narrowest(node->children) : node;
        if (one == NULL || one->hits == NULL)
            continue;
        if (best == NULL || vault_search_count(one->hits) < vault_search_count(best->hits))
            best = one;
    }
    return best;
}

static int compare_ids(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one;
    uint64_t right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

static size_t sort_ids(uint64_t *ids, size_t count)
{
    size_t kept = 0;
    qsort(ids, count, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || ids[i] != ids[kept - 1])
            ids[kept++] = ids[i];
    return kept;
}

int search_narrow_down(struct vault *vault, const struct search_node *program, uint64_t **ret_ids, size_t *ret_count)
{
    const struct search_node *node = narrowest(program);
    *ret_ids = NULL;
    size_t count = node == NULL ? 0 : vault_search_count(node->hits);
    if (node == NULL || count > NARROW_MAX)
        return 0;
    AUTO_FREE uint64_t *ids = mem_new_array(count + NARROW_MAX, sizeof(*ids));
    if (ids == NULL)
        return -ENOMEM;
    vault_search_copy(node->hits, ids);
    size_t unknown = 0;
    int result = vault_index_pending(vault, ids + count, NARROW_MAX, &unknown);
    if (result < 0 || unknown == NARROW_MAX)
        return result;
    *ret_count = sort_ids(ids, count + unknown);
    *ret_ids = TAKE(ids);
    return 0;
}
