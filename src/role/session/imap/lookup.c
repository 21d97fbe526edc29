#include <errno.h>

#include "base/log.h"
#include "role/session/imap/search.h"
#include "role/session/words.h"

/* The index does not tell one header field from another, but for the ones that are searched most. */
#define FIELDS_HEADER (VAULT_FIELDS_ALL & ~(1U << VAULT_FIELD_BODY))

static unsigned fields_of(enum imap_match_kind kind)
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
    int result = vault_search_new(vault, fields_of(imap_match_kind_of(node->match)), imap_match_needle(node->match),
                                  &node->hits);
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

int search_look_up(struct task *task, struct vault *vault, struct search_node *program)
{
    int result = 0;
    for (struct search_node *node = program; result == 0 && node != NULL; node = node->next) {
        bool is_indexed = node->match != NULL && !words_is_left_out(node->key->field);
        result = is_indexed ? look_up(task, vault, node) : search_look_up(task, vault, node->children);
    }
    return result;
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
