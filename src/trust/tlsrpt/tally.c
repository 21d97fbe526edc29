#include "trust/tlsrpt/tally.h"

#include <errno.h>

#include "trust/tlsrpt/name.h"

#define TEXT_MAX 256U

/* --- counting --------------------------------------------------------------------------------------------------- */

static void add_list(struct buf *list, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count && list->max - buf_len(list) > TLSRPT_STRING_MAX + 1; i++)
        if (texts[i][0] != '\0')
            tally_text_add(list, span_of_text(texts[i]), TLSRPT_STRING_MAX);
    tally_text_add(list, SPAN_NONE, 0);
}

void tlsrpt_tally_context(const struct tlsrpt_policy *policy, struct buf *context)
{
    tally_text_add(context, span_of_text(tlsrpt_policy_type_name(policy->type)), TEXT_MAX);
    add_list(context, policy->strings, policy->string_count);
    add_list(context, policy->mx_hosts, policy->mx_count);
}

void tlsrpt_tally_what(const struct tlsrpt_failure *failure, struct buf *what)
{
    if (failure == NULL) {
        tally_text_add(what, SPAN_NONE, 0);
        return;
    }
    tally_text_add(what, span_of_text(tlsrpt_result_type_name(failure->type)), TEXT_MAX);
    tally_text_add(what, span_of_text(failure->sending_ip), TEXT_MAX);
    tally_text_add(what, span_of_text(failure->mx_host), TEXT_MAX);
    tally_text_add(what, span_of_text(failure->mx_helo), TEXT_MAX);
    tally_text_add(what, span_of_text(failure->receiving_ip), TEXT_MAX);
    tally_text_add(what, span_of_text(failure->reason_code), TEXT_MAX);
}

/* --- the report ------------------------------------------------------------------------------------------------- */

static int read_list(span_t *rest, struct arena *arena, const char *const **ret_texts, size_t *ret_count)
{
    const char **texts = arena_alloc_array(arena, TLSRPT_STRINGS_MAX, sizeof(*texts));
    const char *text = NULL;
    int result = texts == NULL ? -ENOMEM : tally_text_next(rest, arena, &text);
    size_t count = 0;
    for (; result == 0 && text != NULL; result = tally_text_next(rest, arena, &text))
        if (count < TLSRPT_STRINGS_MAX)
            texts[count++] = text;
    *ret_texts = texts;
    *ret_count = count;
    return result;
}

/* 1: it is read. */
static int read_context(span_t context, struct arena *arena, struct tlsrpt_policy *policy)
{
    const char *type = NULL;
    int result = tally_text_next(&context, arena, &type);
    if (result < 0)
        return result;
    if (type == NULL || !tlsrpt_policy_type_find(type, &policy->type))
        return 0;
    result = read_list(&context, arena, &policy->strings, &policy->string_count);
    if (result == 0)
        result = read_list(&context, arena, &policy->mx_hosts, &policy->mx_count);
    return result < 0 ? result : 1;
}

/* 1: it is a failure, and read. 0: a session that succeeded. */
static int read_what(span_t what, struct arena *arena, struct tlsrpt_failure *failure)
{
    const char *type = NULL;
    int result = tally_text_next(&what, arena, &type);
    if (result < 0)
        return result;
    if (type == NULL || !tlsrpt_result_type_find(type, &failure->type))
        return 0;
    const char **const texts[] = {&failure->sending_ip, &failure->mx_host, &failure->mx_helo, &failure->receiving_ip,
                                  &failure->reason_code};
    for (size_t i = 0; result == 0 && i < COUNT_OF(texts); i++)
        result = tally_text_next(&what, arena, texts[i]);
    return result < 0 ? result : 1;
}

/* All rows of one context; failures has room for them. */
static int read_policy(const struct tally_item *items, size_t count, struct arena *arena, struct tlsrpt_policy *policy)
{
    struct tlsrpt_failure *failures =
        arena_alloc_array(arena, count < TLSRPT_FAILURES_MAX ? count : TLSRPT_FAILURES_MAX, sizeof(*failures));
    if (failures == NULL)
        return -ENOMEM;
    policy->failures = failures;
    for (size_t i = 0; i < count; i++) {
        struct tlsrpt_failure failure = {.sessions = items[i].count};
        int result = read_what(items[i].what, arena, &failure);
        if (result < 0)
            return result;
        if (result == 0) {
            policy->successful += items[i].count;
            continue;
        }
        policy->failed += items[i].count;
        if (policy->failure_count < TLSRPT_FAILURES_MAX)
            failures[policy->failure_count++] = failure;
    }
    return 0;
}

static size_t same_context(const struct tally_item *items, size_t count)
{
    size_t same = 1;
    while (same < count && span_equal(items[same].context, items[0].context))
        same++;
    return same;
}

int tlsrpt_tally_read(const char *domain, const struct tally_item *items, size_t count, struct arena *arena,
                      struct tlsrpt_report *report)
{
    struct tlsrpt_policy *policies = arena_alloc_array(arena, TLSRPT_POLICIES_MAX, sizeof(*policies));
    if (policies == NULL)
        return -ENOMEM;
    report->policies = policies;
    report->policy_count = 0;
    for (size_t same; count > 0 && report->policy_count < TLSRPT_POLICIES_MAX; items += same, count -= same) {
        struct tlsrpt_policy policy = {.domain = domain};
        same = same_context(items, count);
        int result = read_context(items[0].context, arena, &policy);
        if (result == 1)
            result = read_policy(items, same, arena, &policy);
        else if (result == 0)
            continue;
        if (result < 0)
            return result;
        policies[report->policy_count++] = policy;
    }
    return 0;
}
