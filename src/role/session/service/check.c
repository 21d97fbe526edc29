#include "role/session/service/check.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "role/session/imap/sort.h"
#include "role/session/index.h"
#include "role/session/message.h"
#include "role/session/segments.h"
#include "vault/check.h"
#include "vault/mailbox.h"
#include "vault/sorting.h"

#define TEXT_MAX 256U
#define TURN_BYTES (256U << 10) /* read before the connections get their turn */
#define TURN_MESSAGES 64U       /* looked for */
#define KEEP_MAX (2U << 20)
#define FINDINGS_ARENA_MAX (4U << 20)
#define STORE_TRIES 100 /* a store that is away is back soon */
#define STORE_TRY_MS 100

/* --- the rules of the vault --- */

struct listed {
    struct arena *arena;
    struct finding *findings;
    size_t count;
};

static int list_finding(void *arg, const struct vault_finding *found)
{
    struct listed *listed = arg;
    struct finding *finding = &listed->findings[listed->count];
    finding->mailbox = found->mailbox == NULL ? NULL : arena_text(listed->arena, span_of_text(found->mailbox));
    finding->uid = found->uid;
    finding->text = arena_text(listed->arena, span_of_text(found->text));
    if (finding->text == NULL)
        return -ENOMEM;
    listed->count++;
    return 0;
}

static int count_finding(void *arg, const struct vault_finding *found)
{
    (void)found;
    (*(size_t *)arg)++;
    return 0;
}

/* Whether nothing is left of it. */
static int repair_rule(const struct check *check, size_t rule, bool *ret_done)
{
    size_t left = 0;
    *ret_done = false;
    int result = vault_rule_repair(check->session->vault, rule);
    if (result == 0)
        result = vault_rule_check(check->session->vault, rule, count_finding, &left);
    if (result == 0) {
        *ret_done = left == 0;
        session_changed(check->session);
    }
    return result == VAULT_NOT_FOUND || result == -EBADMSG ? 0 : result;
}

static int check_rule(struct check *check, size_t rule, struct listed *listed)
{
    bool done = false;
    int result = vault_rule_check(check->session->vault, rule, list_finding, listed);
    if (result == -EBADMSG) {
        listed->count = 0;
        listed->findings[listed->count++] = (struct finding){
            .text = "a page of the account's database is damaged on the disk; restore it from a backup"};
    } else if (result < 0) {
        return result;
    } else if (listed->count > 0 && check->repair) {
        result = repair_rule(check, rule, &done);
        if (result < 0)
            return result;
    }
    result = 0;
    for (size_t i = 0; result == 0 && i < listed->count; i++) {
        listed->findings[i].kind = vault_rule_name(rule);
        listed->findings[i].is_repaired = done;
        result = check_report(check, &listed->findings[i]);
    }
    return result;
}

static int check_rules(struct check *check)
{
    struct frame_progress progress = {.total = vault_rule_count(), .what = SPAN("rules")};
    AUTO(arena) struct arena *arena = NULL;
    int result = arena_new(FINDINGS_ARENA_MAX, &arena);
    for (size_t rule = 0; result == 0 && rule < vault_rule_count(); rule++) {
        arena_reset(arena);
        struct listed listed = {.arena = arena};
        listed.findings = arena_alloc_array(arena, VAULT_FINDINGS_MAX + 1, sizeof(*listed.findings));
        if (listed.findings == NULL)
            return -ENOMEM;
        result = check_rule(check, rule, &listed);
        progress.done = rule + 1;
        if (result == 0)
            result = service_progress(check->task, check->service, &progress);
        if (result == 0)
            result = task_yield(check->task);
    }
    return result;
}

/* What members repeat of emails is put right after emails were. */
static int repair_sizes(struct check *check)
{
    int result = 0;
    for (size_t rule = 0; result == 0 && rule < vault_rule_count(); rule++)
        if (span_equal(span_of_text(vault_rule_name(rule)), SPAN("size")))
            result = vault_rule_repair(check->session->vault, rule);
    return result < 0 ? result : 0;
}

/* --- messages --- */

struct filings {
    struct arena *arena;
    struct finding *findings;
    uint64_t *mailboxes;
    size_t count;
};

static int list_filing(void *arg, uint64_t mailbox, uint32_t uid)
{
    struct filings *filings = arg;
    filings->mailboxes[filings->count] = mailbox;
    filings->findings[filings->count++].uid = uid;
    return 0;
}

/* Where an email is filed, as findings without a text; at least one. */
static int find_filings(struct check *check, uint64_t id, struct filings *filings)
{
    struct vault *vault = check->session->vault;
    filings->findings = arena_alloc_array(filings->arena, VAULT_MAILBOXES_OF_EMAIL_MAX, sizeof(*filings->findings));
    filings->mailboxes = arena_alloc_array(filings->arena, VAULT_MAILBOXES_OF_EMAIL_MAX, sizeof(*filings->mailboxes));
    if (filings->findings == NULL || filings->mailboxes == NULL)
        return -ENOMEM;
    int result = vault_email_mailboxes(vault, id, list_filing, filings);
    for (size_t i = 0; result == 0 && i < filings->count; i++) {
        struct vault_mailbox mailbox;
        result = vault_mailbox_get(vault, filings->mailboxes[i], &mailbox);
        if (result == 0)
            filings->findings[i].mailbox = arena_text(filings->arena, span_of_text(mailbox.name));
        result = result > 0 ? 0 : result;
    }
    if (filings->count == 0)
        filings->count = 1;
    return result;
}

static int report_message(struct check *check, struct filings *filings, const struct finding *like)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < filings->count; i++) {
        filings->findings[i].kind = like->kind;
        filings->findings[i].text = like->text;
        filings->findings[i].is_repaired = like->is_repaired;
        result = check_report(check, &filings->findings[i]);
    }
    return result;
}

/* Expunged meanwhile, it may well be gone from the log. */
static bool is_still_there(const struct check *check, const struct vault_email *email)
{
    uint64_t id = 0;
    int result = vault_email_find_record(check->session->vault, email->place.record, &id);
    return result == 0 && id == email->id;
}

static int report_lost(struct check *check, const struct vault_email *email, int fault)
{
    char text[TEXT_MAX];
    AUTO(arena) struct arena *arena = NULL;
    int result = arena_new(FINDINGS_ARENA_MAX, &arena);
    struct filings filings = {.arena = arena};
    if (result == 0)
        result = find_filings(check, email->id, &filings);
    if (result < 0)
        return result;
    (void)snprintf(text, sizeof(text), "its record of %llu bytes %s", (unsigned long long)email->size,
                   fault == -ENOENT ? "is not in the log any more" : "is damaged on the disk");
    if (check->repair)
        result = check_replace(check, email);
    struct finding like = {.kind = "lost", .text = text, .is_repaired = check->repair};
    return result < 0 ? result : report_message(check, &filings, &like);
}

/* A hole where the record should be: its space was given back. */
static int look_for(struct check *check, const struct vault_email *email)
{
    struct logfile *segment = NULL;
    struct stat facts;
    int result = logfile_get(check->task, check->session, email->place.segment, &segment);
    if (result < 0)
        return result;
    int fd = logfile_fd(segment);
    off_t end = (off_t)(email->place.offset + email->place.length);
    if (fstat(fd, &facts) < 0)
        result = -errno;
    else if (facts.st_size < end)
        result = -EBADMSG;
    else if (lseek(fd, (off_t)email->place.offset, SEEK_HOLE) < end)
        result = -EBADMSG;
    logfile_put(segment);
    return result;
}

/* All of it, so that every piece has proved itself. */
static int read_message(struct check *check, const struct vault_email *email, struct buf *bytes)
{
    AUTO(message) struct message *message = NULL;
    int result = message_open(check->task, check->session, &email->place, &message);
    if (result < 0)
        return result;
    bytes->max = message_len(message);
    for (uint64_t at = 0; result == 0 && at < message_len(message); at += TURN_BYTES) {
        result = message_read(message, at, TURN_BYTES, bytes);
        if (result == 0 && at > 0)
            result = task_yield(check->task);
    }
    return result;
}

struct sorting {
    span_t fresh;
    bool is_same;
};

static int compare_sorting(void *arg, size_t index, span_t key)
{
    struct sorting *sorting = arg;
    (void)index;
    sorting->is_same = key.at == NULL || span_equal(key, sorting->fresh);
    return 0;
}

/* Whether what the vault remembers is what the message says now. */
static int compare(struct check *check, const struct vault_email *email, const struct vault_new_email *fresh,
                   bool *ret_same)
{
    span_t envelope = SPAN_NONE;
    span_t structure = SPAN_NONE;
    int result = vault_email_get_cache(check->session->vault, email->id, &envelope, &structure);
    if (result < 0)
        return result;
    bool same_cache = (envelope.len == 0 || span_equal(envelope, fresh->envelope)) &&
                      (structure.len == 0 || span_equal(structure, fresh->structure));
    struct sorting sorting = {.fresh = fresh->sorting, .is_same = true};
    result = vault_sorting_read(check->session->vault, &email->id, 1, compare_sorting, &sorting);
    if (result < 0)
        return result;
    *ret_same = same_cache && sorting.is_same && email->size == fresh->size && email->sent == fresh->sent &&
                email->header_size == fresh->header_size;
    return 0;
}

static int put_index(struct check *check, const struct vault_email *email, const struct vault_new_email *fresh)
{
    struct vault *vault = check->session->vault;
    struct vault_email now = *email;
    now.size = fresh->size;
    now.sent = fresh->sent;
    now.header_size = fresh->header_size;
    int result = vault_begin(vault, VAULT_DURABLE);
    if (result == 0)
        result = vault_email_put_cache(vault, email->id, fresh->envelope, fresh->structure);
    if (result == 0)
        result = vault_email_put_index(vault, &now);
    if (result == 0)
        result = vault_sorting_put(vault, email->id, fresh->sorting);
    if (result == 0)
        result = vault_commit(vault);
    if (result != 0)
        vault_rollback(vault);
    else
        result = repair_sizes(check);
    sort_memo_drop(check->session);
    return result;
}

static int report_index(struct check *check, const struct vault_email *email, const struct vault_new_email *fresh,
                        struct arena *arena)
{
    struct filings filings = {.arena = arena};
    int result = find_filings(check, email->id, &filings);
    if (result == 0 && check->repair)
        result = put_index(check, email, fresh);
    struct finding like = {.kind = "index",
                           .text = "what is remembered of its envelope, structure or size is not what it says",
                           .is_repaired = check->repair};
    return result != 0 ? result : report_message(check, &filings, &like);
}

static int check_index(struct check *check, const struct vault_email *email, span_t bytes)
{
    AUTO(arena) struct arena *keep = NULL;
    AUTO(arena) struct arena *scratch = NULL;
    struct vault_new_email fresh = {0};
    bool is_same = true;
    int result = arena_new(KEEP_MAX, &keep);
    if (result == 0)
        result = arena_new(MIME_ARENA_MAX, &scratch);
    if (result == 0)
        result = index_message(bytes, vault_hash_key(check->session->vault), scratch, keep, &fresh);
    if (result == 0)
        result = compare(check, email, &fresh, &is_same);
    if (result != 0 || is_same || !is_still_there(check, email))
        return result;
    return report_index(check, email, &fresh, keep);
}

static int examine(struct check *check, const struct vault_email *email)
{
    AUTO_BUF struct buf bytes;
    int result = -ENOTCONN;
    buf_init(&bytes, 0);
    for (int tries = 0; result == -ENOTCONN && tries < STORE_TRIES; tries++) {
        result = check->quick ? look_for(check, email) : read_message(check, email, &bytes);
        if (result == -ENOTCONN && task_sleep(check->task, STORE_TRY_MS) < 0)
            return -ECANCELED;
    }
    if (result == -EBADMSG || result == -ENOENT || result == -EIO)
        return is_still_there(check, email) ? report_lost(check, email, result) : 0;
    return result < 0 || check->quick ? result : check_index(check, email, buf_span(&bytes));
}

static int check_messages(struct check *check)
{
    struct vault *vault = check->session->vault;
    uint64_t bytes = 0;
    uint64_t turn = 0;
    uint64_t id = 0;
    int result = vault_email_usage(vault, &check->total, &bytes);
    while (result == 0) {
        struct vault_email email;
        result = vault_email_after(vault, id, &id);
        if (result == 0)
            result = vault_email_get(vault, id, &email);
        if (result == 0)
            result = examine(check, &email);
        if (result < 0 || result == VAULT_NOT_FOUND)
            break;
        check->messages++;
        turn += check->quick ? TURN_BYTES / TURN_MESSAGES : email.size + TURN_BYTES / TURN_MESSAGES;
        struct frame_progress progress = {check->messages, check->total, SPAN("messages")};
        result = service_progress(check->task, check->service, &progress);
        if (result == 0 && turn >= TURN_BYTES) {
            turn = 0;
            result = task_yield(check->task);
        }
    }
    if (result == -EBADMSG) {
        struct finding finding = {.kind = "pages",
                                  .text = "a damaged page keeps the messages behind it from being read"};
        result = check_report(check, &finding);
    }
    return result == VAULT_NOT_FOUND ? 0 : result;
}

int service_check(struct task *task, struct service *service)
{
    struct check check = {
        .task = task,
        .service = service,
        .session = service->session,
        .quick = service_has_word(service, SPAN("--quick")),
        .repair = service_has_word(service, SPAN("--repair")),
        .json = service_has_word(service, SPAN("--json")),
    };
    int result = check_report_begin(&check);
    if (result == 0)
        result = check_rules(&check);
    if (result == 0)
        result = check_messages(&check);
    if (result == 0 && !check.quick)
        result = check_pending(&check);
    if (result == 0)
        result = check_report_end(&check);
    if (result == 0 && !check.quick && check.found == check.repaired)
        damage_none(check.session);
    return result != 0 ? result : check.found > check.repaired;
}
