#include "role/session/imap/imap.h"

#include <assert.h>
#include <errno.h>

#include "base/log.h"
#include "role/session/imap/tell.h"

/* When a command's answer may tell of expunges (RFC 3501 §7.4.1): a UID command always may. */
enum tells { TELLS_ALL, TELLS_NO_EXPUNGE, TELLS_NOTHING };

static const struct {
    imap_handler *handler;
    enum tells tells;
} rules[IMAP_VERB_COUNT] = {
    [IMAP_CAPABILITY] = {imap_do_capability, TELLS_ALL},             /* RFC 3501 §6.1.1 */
    [IMAP_NOOP] = {imap_do_noop, TELLS_ALL},                         /* RFC 3501 §6.1.2 */
    [IMAP_LOGOUT] = {imap_do_logout, TELLS_NOTHING},                 /* RFC 3501 §6.1.3 */
    [IMAP_ID] = {imap_do_id, TELLS_ALL},                             /* RFC 2971 §3.1 */
    [IMAP_ENABLE] = {imap_do_enable, TELLS_NOTHING},                 /* RFC 5161 §3.1 */
    [IMAP_COMPRESS] = {imap_do_compress, TELLS_NOTHING},             /* RFC 4978 §3 */
    [IMAP_UNAUTHENTICATE] = {imap_do_unauthenticate, TELLS_NOTHING}, /* RFC 8437 §3 */
    [IMAP_SELECT] = {imap_do_select, TELLS_NOTHING},                 /* RFC 3501 §6.3.1 */
    [IMAP_EXAMINE] = {imap_do_select, TELLS_NOTHING},                /* RFC 3501 §6.3.2 */
    [IMAP_CREATE] = {imap_do_create, TELLS_ALL},                     /* RFC 3501 §6.3.3 */
    [IMAP_DELETE] = {imap_do_delete, TELLS_ALL},                     /* RFC 3501 §6.3.4 */
    [IMAP_RENAME] = {imap_do_rename, TELLS_ALL},                     /* RFC 3501 §6.3.5 */
    [IMAP_SUBSCRIBE] = {imap_do_subscribe, TELLS_ALL},               /* RFC 3501 §6.3.6 */
    [IMAP_UNSUBSCRIBE] = {imap_do_unsubscribe, TELLS_ALL},           /* RFC 3501 §6.3.7 */
    [IMAP_LIST] = {imap_do_list, TELLS_ALL},                         /* RFC 3501 §6.3.8 */
    [IMAP_LSUB] = {imap_do_lsub, TELLS_ALL},                         /* RFC 3501 §6.3.9 */
    [IMAP_NAMESPACE] = {imap_do_namespace, TELLS_ALL},               /* RFC 2342 §5 */
    [IMAP_STATUS] = {imap_do_status, TELLS_ALL},                     /* RFC 3501 §6.3.10 */
    [IMAP_GETQUOTA] = {imap_do_getquota, TELLS_ALL},                 /* RFC 9208 §4.1.1 */
    [IMAP_GETQUOTAROOT] = {imap_do_getquotaroot, TELLS_ALL},         /* RFC 9208 §4.1.2 */
    [IMAP_SETQUOTA] = {imap_do_setquota, TELLS_ALL},                 /* RFC 9208 §4.1.3 */
    [IMAP_SETACL] = {imap_do_setacl, TELLS_ALL},                     /* RFC 4314 §3.1 */
    [IMAP_DELETEACL] = {imap_do_setacl, TELLS_ALL},                  /* RFC 4314 §3.2 */
    [IMAP_GETACL] = {imap_do_getacl, TELLS_ALL},                     /* RFC 4314 §3.3 */
    [IMAP_LISTRIGHTS] = {imap_do_listrights, TELLS_ALL},             /* RFC 4314 §3.4 */
    [IMAP_MYRIGHTS] = {imap_do_myrights, TELLS_ALL},                 /* RFC 4314 §3.5 */
    [IMAP_GETMETADATA] = {imap_do_getmetadata, TELLS_ALL},           /* RFC 5464 §4.2 */
    [IMAP_SETMETADATA] = {imap_do_setmetadata, TELLS_ALL},           /* RFC 5464 §4.3 */
    [IMAP_APPEND] = {imap_do_append, TELLS_ALL},                     /* RFC 3501 §6.3.11 */
    [IMAP_IDLE] = {imap_do_idle, TELLS_ALL},                         /* RFC 2177 §3 */
    [IMAP_NOTIFY] = {imap_do_notify, TELLS_ALL},                     /* RFC 5465 §3.1 */
    [IMAP_CANCELUPDATE] = {imap_do_cancelupdate, TELLS_ALL},         /* RFC 5267 §4.3.5 */
    [IMAP_UIDBATCHES] = {imap_do_uidbatches, TELLS_ALL},             /* RFC 10022 §3 */
    [IMAP_CHECK] = {imap_do_noop, TELLS_ALL},                        /* RFC 3501 §6.4.1 */
    [IMAP_CLOSE] = {imap_do_close, TELLS_NOTHING},                   /* RFC 3501 §6.4.2 */
    [IMAP_UNSELECT] = {imap_do_unselect, TELLS_NOTHING},             /* RFC 3691 §2 */
    [IMAP_EXPUNGE] = {imap_do_expunge, TELLS_ALL},                   /* RFC 3501 §6.4.3 */
    [IMAP_SEARCH] = {imap_do_search, TELLS_NO_EXPUNGE},              /* RFC 3501 §6.4.4 */
    [IMAP_ESEARCH] = {imap_do_esearch, TELLS_NO_EXPUNGE},            /* RFC 7377 §2.1 */
    [IMAP_SORT] = {imap_do_sort, TELLS_NO_EXPUNGE},                  /* RFC 5256 §3 */
    [IMAP_THREAD] = {imap_do_thread, TELLS_NO_EXPUNGE},              /* RFC 5256 §3 */
    [IMAP_FETCH] = {imap_do_fetch, TELLS_NO_EXPUNGE},                /* RFC 3501 §6.4.5 */
    [IMAP_STORE] = {imap_do_store, TELLS_NO_EXPUNGE},                /* RFC 3501 §6.4.6 */
    [IMAP_COPY] = {imap_do_copy, TELLS_ALL},                         /* RFC 3501 §6.4.7 */
    [IMAP_MOVE] = {imap_do_move, TELLS_ALL},                         /* RFC 6851 §3 */
    [IMAP_REPLACE] = {imap_do_replace, TELLS_ALL},                   /* RFC 8508 §3.2 */
};

#define REPLY_MAX (1U << 20) /* COPYUID of very many messages */

static int end_with(struct run *run, const char *status, const char *text)
{
    buf_clear(&run->reply);
    buf_append_text(&run->reply, status);
    buf_append_byte(&run->reply, ' ');
    buf_append_text(&run->reply, text);
    return 0;
}

int run_ok(struct run *run, const char *text)
{
    return end_with(run, "OK", text);
}

int run_no(struct run *run, const char *text)
{
    return end_with(run, "NO", text);
}

int run_bad(struct run *run, const char *text)
{
    return end_with(run, "BAD", text);
}

int run_begin(struct run *run)
{
    return vault_begin(run->vault, VAULT_DURABLE);
}

int run_begin_relaxed(struct run *run)
{
    return vault_begin(run->vault, VAULT_RELAXED);
}

int run_end(struct run *run, int result)
{
    if (result == 0)
        result = vault_commit(run->vault);
    if (result != 0)
        vault_rollback(run->vault);
    else
        session_changed(run->session);
    return result;
}

int run_refuse(struct run *run, int outcome)
{
    switch (outcome) {
    case VAULT_NOT_FOUND:
        return run_no(run, "[NONEXISTENT] No such mailbox");
    case VAULT_EXISTS:
        return run_no(run, "[ALREADYEXISTS] It exists already");
    case VAULT_LIMIT:
        return run_no(run, "[LIMIT] Too many, too long or too deep");
    case VAULT_NAME_BAD:
        return run_no(run, "[CANNOT] Not a possible name");
    case VAULT_PROTECTED:
        return run_no(run, "[CANNOT] INBOX cannot be deleted");
    default:
        return run_no(run, "[CANNOT] Not possible here");
    }
}

bool run_find_mailbox(struct run *run, span_t name, const char *code, struct vault_mailbox *ret_mailbox,
                      int *ret_result)
{
    int result = vault_mailbox_find(run->vault, name, ret_mailbox);
    *ret_result = result;
    if (result < 0)
        return false;
    if (result == 0 && ret_mailbox->selectable)
        return true;
    struct buf text AUTO_BUF;
    buf_init(&text, 256);
    buf_append_format(&text, "[%s] No such mailbox", code);
    buf_append_byte(&text, 0);
    *ret_result = run_no(run, (const char *)buf_span(&text).at);
    return false;
}

int run_saved_set(struct run *run, struct imap_set *set)
{
    if (!set->saved)
        return 0;
    struct client *client = run->client;
    set->ranges = arena_alloc_array(run->arena, client->saved_count + 1, sizeof(*set->ranges));
    if (set->ranges == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < client->saved_count; i++)
        set->ranges[i] = client->saved[i];
    set->count = client->saved_count;
    return 0;
}

bool run_ranges(struct run *run, struct vault_range **ret_ranges, size_t *ret_count, int *ret_result)
{
    bool beyond = false;
    bool by_uid = run->command->uid || run->command->set.saved;
    *ret_result = run_saved_set(run, &run->command->set);
    if (*ret_result == 0)
        *ret_result =
            view_ranges(run->client->view, &run->command->set, by_uid, run->arena, ret_ranges, ret_count, &beyond);
    if (*ret_result < 0)
        return false;
    if (beyond)
        *ret_result = run_bad(run, "No message with such a number");
    return !beyond;
}

bool run_is_enabled(const struct run *run, enum imap_enable what)
{
    return (run->client->enabled & (unsigned)what) != 0;
}

void run_dress_view(const struct run *run, struct view *view)
{
    view->uid_only = run_is_enabled(run, IMAP_ENABLE_UIDONLY);
    view->resyncs = view->uid_only || run_is_enabled(run, IMAP_ENABLE_QRESYNC); /* RFC 9586 §3.4: VANISHED too */
    view->rev2 = run_is_enabled(run, IMAP_ENABLE_REV2);
}

void run_write_mailbox(const struct run *run, struct buf *out, span_t name)
{
    if (run_is_enabled(run, IMAP_ENABLE_REV2) || run_is_enabled(run, IMAP_ENABLE_UTF8))
        imap_write_mailbox_utf8(out, name);
    else
        imap_write_mailbox(out, name);
}

int run_ok_modseq(struct run *run, uint64_t mailbox, const char *text)
{
    struct vault_mailbox now;
    if (!run_is_enabled(run, IMAP_ENABLE_QRESYNC))
        return run_ok(run, text);
    int result = vault_mailbox_get(run->vault, mailbox, &now);
    if (result != 0)
        return result < 0 ? result : run_ok(run, text);
    return run_say_modseq(run, now.highest_modseq, text);
}

int run_say_modseq(struct run *run, uint64_t modseq, const char *text)
{
    buf_clear(&run->reply);
    return buf_append_format(&run->reply, "OK [HIGHESTMODSEQ %llu] %s", (unsigned long long)modseq, text);
}

int run_tell_now(struct run *run)
{
    bool more = false;
    struct view_format format = tell_format(run->client, TELL_AFTER_NUMBERS);
    format.expunge = VIEW_KEEP_EXPUNGED;
    format.uid |= run->command->uid;
    int result = view_tell(run->client->view, format, &run->client->out, &more);
    return result < 0 ? result : 0;
}

static bool is_fault_of_connection(int result)
{
    return result == -ECANCELED || result == -EPIPE || result == -ECONNRESET || result == -ETIMEDOUT ||
           result == -EPROTO;
}

/* RFC 5530 §3: what a fault of ours is called. */
static void say_fault(struct run *run, int result)
{
    if (result == -ENOSPC)
        run_no(run, "[LIMIT] The disk is full");
    else if (result == -EBADMSG)
        run_no(run, "[CORRUPTION] Damaged data");
    else if (result == -ENOTCONN)
        run_no(run, "[UNAVAILABLE] Try again later");
    else if (result == -EILSEQ)
        run_no(run, "[UNKNOWN-CTE] A content transfer encoding that is not known");
    else if (result == -ENOENT)
        run_no(run, "[EXPUNGEISSUED] It is gone");
    else if (result == -ENOBUFS || result == -ENOMEM || result == -EMFILE || result == -ENFILE)
        run_no(run, "[LIMIT] Too much at once");
    else
        run_no(run, "[SERVERBUG] Failed");
}

/*
 * Who was told a MODSEQ takes everything up to it for told, and asks for what came later when it is back. Where a lower
 * one is that of an expunge that must wait, it is told from where to ask instead (RFC 7162 §3.2).
 */
static int tell_held_back(struct run *run)
{
    struct view *view = run->client->view;
    int result = run_is_enabled(run, IMAP_ENABLE_QRESYNC) ? view_holds_back(view) : 0;
    if (result != VIEW_HOLDS_BACK)
        return result;
    return buf_append_format(&run->client->out, "* OK [HIGHESTMODSEQ %llu] Expunges are to be told\r\n",
                             (unsigned long long)view->expunged_seen);
}

static enum tell_moment moment_of(const struct run *run)
{
    if (run->command->verb == IMAP_EXPUNGE || run->command->verb == IMAP_MOVE || run->command->verb == IMAP_REPLACE)
        return TELL_AFTER_EXPUNGE;
    bool may_expunge = rules[run->command->verb].tells == TELLS_ALL || run->command->uid;
    return may_expunge ? TELL_AFTER : TELL_AFTER_NUMBERS;
}

static int tell_changes(struct task *task, struct run *run)
{
    if (rules[run->command->verb].tells == TELLS_NOTHING)
        return 0;
    enum tell_moment moment = moment_of(run);
    int result = tell_all(task, run->client, moment, run->command->uid ? VIEW_WITH_UID : VIEW_PLAIN);
    return result == 0 && moment == TELL_AFTER_NUMBERS && run->client->view != NULL ? tell_held_back(run) : result;
}

/* RFC 9586 §3.2: what has, or answers with, message numbers. */
static bool has_numbers(const struct imap_command *command)
{
    switch ((int)command->verb) {
    case IMAP_FETCH:
    case IMAP_STORE:
    case IMAP_COPY:
    case IMAP_MOVE:
    case IMAP_REPLACE:
        return !command->uid;
    case IMAP_SEARCH:
    case IMAP_ESEARCH:
    case IMAP_SORT:
    case IMAP_THREAD:
        return !command->uid || imap_keys_have_numbers(command->search.keys);
    case IMAP_SELECT:
    case IMAP_EXAMINE:
        return command->select.qresync.numbers.count > 0;
    default:
        return false;
    }
}

static int handle(struct task *task, struct run *run)
{
    if (run_is_enabled(run, IMAP_ENABLE_UIDONLY) && has_numbers(run->command))
        return run_bad(run, "[UIDREQUIRED] Message numbers are off");
    return rules[run->command->verb].handler(task, run);
}

static int answer(struct task *task, struct run *run)
{
    struct client *client = run->client;
    int result = handle(task, run);
    assert(!vault_in_transaction(run->vault));
    if (result < 0 && !is_fault_of_connection(result)) {
        const char *command = imap_verb_name(run->command->verb);
        if (result == -ENOENT) /* expunged meanwhile: that is nobody's fault */
            log_debug("imap.command.late", F_TEXT("command", command));
        else
            log_warn("imap.command.failed", F_TEXT("command", command), F_FAULT(result));
        say_fault(run, result);
        result = 0;
    }
    if (result == 0)
        result = tell_changes(task, run);
    if (result < 0 || client->tag != NULL) /* IDLE goes on until DONE */
        return result;
    buf_append(&client->out, run->command->tag);
    buf_append_byte(&client->out, ' ');
    buf_append(&client->out, buf_span(&run->reply));
    buf_append_text(&client->out, "\r\n");
    if (run->bye)
        client->logged_out = true;
    return 0;
}

int imap_run(struct task *task, struct client *client, struct imap_command *command, struct arena *arena)
{
    struct run run = {.client = client,
                      .session = client->session,
                      .vault = client->session->vault,
                      .command = command,
                      .arena = arena,
                      .told = loop_now(client->session->loop)};
    buf_init(&run.reply, REPLY_MAX);
    int result = answer(task, &run);
    buf_deinit(&run.reply);
    return result;
}
