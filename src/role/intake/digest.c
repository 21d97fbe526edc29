#include "role/intake/digest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mime/utf8.h"
#include "trust/domain.h"

#define COUNT_MAX ((uint64_t)1 << 40) /* of one row: nobody has seen more, and sums of them stay numbers */
#define SUMS_MAX 40U                  /* kinds of rows that say only how it went: 3 * 2 * 2 of DMARC, 3 * 13 of TLS */
#define SUM_TEXTS 3U
#define SUM_TEXT_MAX 31U /* of names that are ours */
#define SUMS_ROOM (SUMS_MAX * (8 + RECEIVED_TEXTS + SUM_TEXTS * SUM_TEXT_MAX))

/* One row's texts while it is made. */
struct draft {
    char texts[RECEIVED_TEXTS][RECEIVED_TEXT_MAX + 1];
};

/* What becomes a row: of DMARC a row, of TLS a policy and one of its failures. */
struct item {
    uint64_t count;
    const struct dmarc_report_row *row;
    const struct tlsrpt_policy *policy;
    const struct tlsrpt_failure *failure; /* NULL: what succeeded, or failed without a word on why */
    bool has_failed;
};

static void clean(const char *text, char ret_text[RECEIVED_TEXT_MAX + 1])
{
    span_t whole = span_upto(span_of_text(text), RECEIVED_TEXT_MAX);
    const size_t len = utf8_valid_len(whole);
    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = whole.at[i];
        const bool is_control = byte < 0x20 || byte == 0x7f;
        ret_text[i] = (char)(is_control ? '?' : byte == '"' ? '\'' : byte == '\\' ? '/' : byte);
    }
    ret_text[len] = '\0';
}

static void clean_pair(const char *one, const char *between, const char *other, char ret_text[RECEIVED_TEXT_MAX + 1])
{
    char joined[2 * RECEIVED_TEXT_MAX];
    ret_text[0] = '\0';
    if (one == NULL || one[0] == '\0')
        return;
    (void)snprintf(joined, sizeof(joined), "%s%s%s", one, other == NULL ? "" : between, other == NULL ? "" : other);
    clean(joined, ret_text);
}

/* The word itself where it is one of these, else the last of them: the only ones that are counted apart. */
static const char *one_of(const char *word, const char *const *words)
{
    while (words[1] != NULL && (word == NULL || strcmp(*words, word) != 0))
        words++;
    return *words;
}

/* One that has passed, else the first; an empty one where there is none. */
static struct dmarc_report_signature signature_of(const struct dmarc_report_row *row)
{
    for (size_t at = 0; at < row->signature_count; at++)
        if (row->signatures[at].result != NULL && strcmp(row->signatures[at].result, "pass") == 0)
            return row->signatures[at];
    return row->signatures[0];
}

static void draft_dmarc(const struct item *item, struct draft *draft)
{
    static const char *const dispositions[] = {"none", "quarantine", "reject", "other", NULL};
    static const char *const results[] = {"pass", "fail", NULL};
    const struct dmarc_report_row *row = item->row;
    const struct dmarc_report_signature signature = signature_of(row);
    clean(one_of(row->disposition, dispositions), draft->texts[RECEIVED_DISPOSITION]);
    clean(one_of(row->dkim, results), draft->texts[RECEIVED_DKIM]);
    clean(one_of(row->spf, results), draft->texts[RECEIVED_SPF]);
    clean(row->source_ip, draft->texts[RECEIVED_SOURCE]);
    clean(row->header_from, draft->texts[RECEIVED_AUTHOR]);
    clean_pair(row->reason, ": ", row->reason_comment, draft->texts[RECEIVED_REASON]);
    clean_pair(signature.domain, ": ", signature.result, draft->texts[RECEIVED_SIGNER]);
    clean_pair(row->spf_domain, ": ", row->spf_result, draft->texts[RECEIVED_SENDER]);
}

static void draft_tls(const struct item *item, struct draft *draft)
{
    const struct tlsrpt_failure *failure = item->failure;
    clean(tlsrpt_policy_type_name(item->policy->type), draft->texts[RECEIVED_POLICY]);
    if (failure == NULL) {
        clean(item->has_failed ? "not-said" : "", draft->texts[RECEIVED_RESULT]);
        return;
    }
    clean(tlsrpt_result_type_name(failure->type), draft->texts[RECEIVED_RESULT]);
    clean(failure->mx_host, draft->texts[RECEIVED_MX]);
    clean(failure->sending_ip, draft->texts[RECEIVED_FROM]);
    clean(failure->reason_code, draft->texts[RECEIVED_CODE]);
}

static struct received_row row_of(const struct draft *draft, uint64_t count)
{
    struct received_row row = {.count = count};
    for (size_t i = 0; i < RECEIVED_TEXTS; i++)
        row.texts[i] = span_of_text(draft->texts[i]);
    return row;
}

/* --- what has no row of its own ----------------------------------------------------------------------------------- */

struct sums {
    size_t count;
    struct draft drafts[SUMS_MAX];
    uint64_t counts[SUMS_MAX];
};

static bool is_alike(const struct draft *one, const struct draft *other)
{
    for (size_t i = 0; i < SUM_TEXTS; i++)
        if (strcmp(one->texts[i], other->texts[i]) != 0)
            return false;
    return true;
}

/* TLS has a text of the report's among the first three. */
static void add_up(struct sums *sums, const struct draft *draft, enum received_kind kind, uint64_t count)
{
    struct draft only = {.texts = {{0}}};
    const size_t kept = kind == RECEIVED_DMARC ? SUM_TEXTS : (size_t)RECEIVED_MX;
    for (size_t i = 0; i < kept; i++)
        memcpy(only.texts[i], draft->texts[i], SUM_TEXT_MAX + 1);
    size_t at = 0;
    while (at < sums->count && !is_alike(&sums->drafts[at], &only))
        at++;
    if (at == SUMS_MAX)
        at--;
    if (at == sums->count)
        sums->drafts[sums->count++] = only;
    sums->counts[at] += count;
}

static int write_sums(const struct sums *sums, struct buf *rows)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < sums->count; i++) {
        const struct received_row row = row_of(&sums->drafts[i], sums->counts[i]);
        result = received_row_write(&row, rows);
    }
    return result;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static int by_count(const void *one, const void *other)
{
    const uint64_t first = ((const struct item *)one)->count;
    const uint64_t second = ((const struct item *)other)->count;
    return first > second ? -1 : first < second ? 1 : 0;
}

static int write_rows(struct digest *digest, struct digest_part *part, struct item *items, size_t count,
                      struct arena *arena)
{
    struct sums *sums = arena_alloc(arena, sizeof(*sums)); /* too large for a task's stack */
    if (sums == NULL)
        return -ENOMEM;
    if (count > 0)
        qsort(items, count, sizeof(*items), by_count);
    part->rows.max = RECEIVED_BYTES_MAX - SUMS_ROOM;
    bool is_full = false;
    int result = 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct draft draft = {.texts = {{0}}};
        if (digest->kind == RECEIVED_DMARC)
            draft_dmarc(&items[i], &draft);
        else
            draft_tls(&items[i], &draft);
        const struct received_row row = row_of(&draft, items[i].count);
        result = is_full || i >= RECEIVED_ROWS_MAX - SUMS_MAX ? -ENOBUFS : received_row_write(&row, &part->rows);
        is_full = result == -ENOBUFS;
        if (is_full)
            add_up(sums, &draft, digest->kind, items[i].count);
        result = is_full ? 0 : result;
    }
    part->rows.max = RECEIVED_BYTES_MAX;
    return result != 0 ? result : write_sums(sums, &part->rows);
}

static uint64_t counted(uint64_t count)
{
    return count < COUNT_MAX ? count : COUNT_MAX;
}

/* The part of a domain, made where there is none; NULL where it is none, or there are too many. */
static struct digest_part *part_of(struct digest *digest, const char *domain, struct arena *arena)
{
    span_t name = SPAN_NONE;
    if (domain_normal(span_of_text(domain), arena, &name) != 0 || name.len > DIGEST_DOMAIN_MAX)
        return NULL;
    for (size_t i = 0; i < digest->count; i++)
        if (span_equal(span_of_text(digest->parts[i].domain), name))
            return &digest->parts[i];
    if (digest->count == DIGEST_DOMAINS_MAX)
        return NULL;
    struct digest_part *part = &digest->parts[digest->count++];
    memcpy(part->domain, name.at, name.len);
    buf_init(&part->rows, RECEIVED_BYTES_MAX);
    return part;
}

static int add_dmarc(struct digest *digest, const struct dmarc_report *report, struct arena *arena)
{
    struct digest_part *part = part_of(digest, report->published.domain, arena);
    struct item *items = arena_alloc_array(arena, report->row_count + 1, sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    if (part == NULL)
        return 0;
    for (size_t i = 0; i < report->row_count; i++)
        items[i] = (struct item){.count = counted(report->rows[i].count), .row = &report->rows[i]};
    return write_rows(digest, part, items, report->row_count, arena);
}

static size_t add_policy(const struct tlsrpt_policy *policy, struct item *items)
{
    size_t count = 0;
    uint64_t said = 0;
    for (size_t i = 0; i < policy->failure_count; i++) {
        const uint64_t sessions = counted(policy->failures[i].sessions);
        items[count++] =
            (struct item){.count = sessions, .policy = policy, .failure = &policy->failures[i], .has_failed = true};
        said += sessions;
    }
    const uint64_t failed = counted(policy->failed);
    if (failed > said)
        items[count++] = (struct item){.count = failed - said, .policy = policy, .has_failed = true};
    if (policy->successful > 0)
        items[count++] = (struct item){.count = counted(policy->successful), .policy = policy};
    return count;
}

/* All policies of one domain together. */
static int add_domain(struct digest *digest, const struct tlsrpt_report *report, struct digest_part *part,
                      struct arena *arena)
{
    size_t count = 0;
    size_t room = 1;
    for (size_t i = 0; i < report->policy_count; i++)
        room += report->policies[i].failure_count + 2;
    struct item *items = arena_alloc_array(arena, room, sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < report->policy_count; i++)
        if (part_of(digest, report->policies[i].domain, arena) == part)
            count += add_policy(&report->policies[i], items + count);
    return write_rows(digest, part, items, count, arena);
}

static int add_tls(struct digest *digest, const struct tlsrpt_report *report, struct arena *arena)
{
    for (size_t i = 0; i < report->policy_count; i++)
        (void)part_of(digest, report->policies[i].domain, arena);
    int result = 0;
    for (size_t i = 0; result == 0 && i < digest->count; i++)
        result = add_domain(digest, report, &digest->parts[i], arena);
    return result;
}

static void add_head(struct digest *digest, const char *organization, const char *contact, const char *id)
{
    clean(organization, digest->organization);
    clean(contact, digest->contact);
    clean(id, digest->id);
    if (digest->id[0] == '\0')
        (void)snprintf(digest->id, sizeof(digest->id), "%" PRIu64 "-%" PRIu64, digest->first, digest->last);
}

int digest_new(const struct reported *reported, struct arena *arena, struct digest **ret_digest)
{
    AUTO(digest) struct digest *digest = mem_new(sizeof(*digest));
    if (digest == NULL)
        return -ENOMEM;
    int result;
    if (reported->kind == REPORTED_DMARC) {
        const struct dmarc_report *report = &reported->dmarc;
        digest->kind = RECEIVED_DMARC;
        digest->first = report->start;
        digest->last = report->end;
        add_head(digest, report->organization, report->contact, report->id);
        result = add_dmarc(digest, report, arena);
    } else {
        const struct tlsrpt_report *report = &reported->tls;
        digest->kind = RECEIVED_TLS;
        digest->first = report->start > 0 ? (uint64_t)report->start : 0;
        digest->last = report->end > 0 ? (uint64_t)report->end : 0;
        add_head(digest, report->organization, report->contact, report->id);
        result = add_tls(digest, report, arena);
    }
    if (result != 0)
        return result;
    *ret_digest = TAKE(digest);
    return 0;
}

void digest_free(struct digest *digest)
{
    if (digest == NULL)
        return;
    for (size_t i = 0; i < digest->count; i++)
        buf_deinit(&digest->parts[i].rows);
    free(digest);
}
