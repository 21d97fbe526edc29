#include <errno.h>

#include "base/log.h"
#include "role/session/imap/search.h"
#include "role/session/words.h"

/* SEARCH=FUZZY (RFC 6203): keys that close words will do for (mime/closeness.h). */

#define WORDS_ARENA_MAX ((size_t)4 << 20U)

int search_fuzzy_make(struct vault *vault, struct search_node *node)
{
    enum imap_match_kind kind = imap_match_kind_of(node->match);
    if (kind == IMAP_MATCH_HEADER) /* the index does not tell one field from another */
        return 0;
    int result = vault_fuzzy_new(vault, search_fields_of(kind), imap_match_needle(node->match), &node->fuzzy);
    return result == VAULT_SEARCH_NO_HELP ? 0 : result;
}

/* Where the index fails, the messages are read. */
int search_fuzzy_look_up(struct task *task, struct search_node *node)
{
    int result = VAULT_SEARCH_HAS_MORE;
    while (result == VAULT_SEARCH_HAS_MORE) {
        result = vault_fuzzy_step(node->fuzzy);
        if (result == VAULT_SEARCH_HAS_MORE && task_yield(task) < 0)
            return -ECANCELED;
    }
    if (result < 0)
        log_warn("search.index.failed", F_FAULT(result));
    return 0;
}

static int score_words(struct search_node *node, const struct search_subject *subject, struct vault *vault)
{
    AUTO(arena) struct arena *scratch = NULL;
    AUTO_WORDS struct vault_words words;
    vault_words_init(&words, vault);
    int result = arena_new(WORDS_ARENA_MAX, &scratch);
    if (result == 0)
        result = words_read(subject->whole, scratch, &words);
    if (result == 0)
        node->score = vault_fuzzy_score_words(node->fuzzy, &words);
    return result;
}

int search_fuzzy_decide(struct search_node *node, const struct search_subject *subject)
{
    node->score = vault_fuzzy_score(node->fuzzy, subject->member->email);
    if (node->score == VAULT_FUZZY_UNKNOWN) {
        node->score = 0;
        if (subject->whole == NULL)
            return SEARCH_NEEDS_WHOLE;
        int result = score_words(node, subject, subject->vault);
        if (result < 0)
            return result;
    }
    return node->score > 0 ? SEARCH_YES : SEARCH_NO;
}

struct sum {
    unsigned all;
    unsigned count;
};

/* What must not match says nothing of how well the others do. As deep as the grammar allows. */
static void add_scores(const struct search_node *list, struct sum *sum)
{
    for (const struct search_node *node = list; node != NULL; node = node->next) {
        sum->all += node->score;
        sum->count += node->score > 0;
        if (node->kind != IMAP_KEY_NOT)
            add_scores(node->children, sum);
    }
}

uint8_t search_fuzzy_relevancy(const struct search_node *program)
{
    struct sum sum = {0};
    add_scores(program, &sum);
    unsigned mean = sum.count > 0 ? sum.all / sum.count : 100;
    return (uint8_t)(mean > 0 ? mean : 1);
}

void search_fuzzy_reset(struct search_node *program)
{
    for (struct search_node *node = program; node != NULL; node = node->next) {
        node->score = 0;
        search_fuzzy_reset(node->children);
    }
}
