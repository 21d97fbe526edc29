#include "role/session/teach.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/body.h"
#include "role/session/message.h"
#include "role/session/quiet.h"
#include "vault/email.h"
#include "vault/mailbox.h"

#define QUIET_MS 1000
#define PATIENCE_MS 10000 /* then it begins all the same */
#define REST_MS 20        /* between two messages, for the others */
#define BODY_MS 30000     /* who takes longer to read hears no more of it */
#define PIECE_MAX 65536U

enum teach_class { TEACH_NOTHING, TEACH_HAM, TEACH_SPAM };

struct lesson {
    uint64_t mailbox;
    struct vault_range uids;
    enum teach_class class_;
};

struct teaching {
    struct lesson lessons[TEACH_WAITING_MAX];
    size_t count;
    struct event wanted;
};

/* --- what there is to learn --------------------------------------------------------------------------------------- */

static void note(struct session *session, uint64_t mailbox, struct vault_range uids, enum teach_class class_)
{
    struct teaching *teaching = session->teaching;
    if (teaching == NULL || class_ == TEACH_NOTHING || teaching->count == TEACH_WAITING_MAX)
        return;
    teaching->lessons[teaching->count++] = (struct lesson){mailbox, uids, class_};
    session->is_teaching = true;
    event_raise(&teaching->wanted);
}

static uint64_t mailbox_of(struct session *session, enum vault_role role)
{
    struct vault_mailbox mailbox;
    int result = vault_mailbox_find_role(session->vault, role, &mailbox);
    return result == 0 ? mailbox.id : 0;
}

void teach_moved(struct session *session, const struct teach_move *move)
{
    if (session->teaching == NULL || move->from == move->to)
        return;
    uint64_t junk = mailbox_of(session, VAULT_ROLE_JUNK);
    if (junk == 0)
        return;
    if (move->to == junk)
        note(session, move->to, move->uids, TEACH_SPAM);
    else if (move->from == junk && move->to != mailbox_of(session, VAULT_ROLE_TRASH))
        note(session, move->to, move->uids, TEACH_HAM);
}

void teach_marked(struct session *session, uint64_t mailbox, const struct vault_range *ranges, size_t count,
                  const struct imap_flags *added)
{
    enum teach_class class_ = TEACH_NOTHING;
    if (session->teaching == NULL)
        return;
    for (size_t i = 0; i < added->count; i++) {
        if (span_equal_nocase(added->keywords[i], SPAN("$Junk")))
            class_ = TEACH_SPAM;
        else if (span_equal_nocase(added->keywords[i], SPAN("$NotJunk")))
            class_ = TEACH_HAM;
    }
    for (size_t i = 0; i < count; i++)
        note(session, mailbox, ranges[i], class_);
}

/* --- showing it --------------------------------------------------------------------------------------------------- */

static int send_body(struct task *task, struct session *session, struct message *message, int fd)
{
    AUTO(body_writer) struct body_writer *writer = NULL;
    AUTO_BUF struct buf piece;
    uint64_t len = message_len(message);
    buf_init(&piece, PIECE_MAX);
    int result = body_writer_new(session->loop, fd, &writer);
    for (uint64_t at = 0; result == 0 && at < len; at += PIECE_MAX) {
        buf_clear(&piece);
        result = message_read(message, at, PIECE_MAX, &piece);
        if (result == 0)
            result = body_write(task, writer, buf_span(&piece), BODY_MS);
    }
    return result == 0 ? body_finish(task, writer, SPAN_NONE, BODY_MS) : result;
}

static int show(struct task *task, struct session *session, const struct vault_place *place, enum teach_class class_)
{
    AUTO(message) struct message *message = NULL;
    int ends[2];
    int result = message_open(task, session, place, &message);
    if (result == 0)
        result = body_pair(ends);
    if (result < 0)
        return result;
    struct ipc_message teach = {.type = IPC_teach,
                                .fd_count = 1,
                                .fds = {ends[1]},
                                .teach = {.length = message_len(message), .is_spam = class_ == TEACH_SPAM}};
    AUTO_FD int fd = ends[0];
    result = channel_send(wiring_supervisor(session->wiring), &teach);
    return result == 0 ? send_body(task, session, message, TAKE_FD(fd)) : result;
}

struct emails {
    uint64_t ids[TEACH_EMAILS_MAX];
    size_t count;
};

static int add_email(void *arg, const struct vault_member *member)
{
    struct emails *emails = arg;
    if (emails->count == TEACH_EMAILS_MAX)
        return 1;
    emails->ids[emails->count++] = member->email;
    return 0;
}

/* What has left the mailbox again since is no lesson. */
static int teach(struct task *task, struct session *session, const struct lesson *lesson)
{
    AUTO_FREE struct emails *emails = mem_new(sizeof(*emails));
    if (emails == NULL)
        return -ENOMEM;
    int result = vault_member_scan(session->vault, lesson->mailbox, lesson->uids, add_email, emails);
    for (size_t i = 0; result >= 0 && i < emails->count; i++) {
        struct vault_email email;
        result = vault_email_get(session->vault, emails->ids[i], &email);
        if (result != 0 || email.size > session->conf->filter_scan_max)
            continue;
        result = show(task, session, &email.place, lesson->class_);
        if (result < 0 && result != -ECANCELED) {
            log_debug("session.teach.unheard", F_FAULT(result));
            result = 0;
        }
        if (result == 0)
            result = task_sleep(task, REST_MS);
    }
    return result;
}

static int teach_all(struct task *task, struct session *session)
{
    struct teaching *teaching = session->teaching;
    int result = quiet_hold(session);
    if (result < 0)
        return result;
    while (result >= 0 && teaching->count > 0) {
        struct lesson lesson = teaching->lessons[0];
        teaching->count--;
        for (size_t i = 0; i < teaching->count; i++)
            teaching->lessons[i] = teaching->lessons[i + 1];
        result = teach(task, session, &lesson);
    }
    quiet_let_go(session);
    return result;
}

/* Until nothing more has been moved for a while, though not for ever. */
static int wait_for_quiet(struct task *task, struct session *session)
{
    struct teaching *teaching = session->teaching;
    int64_t latest = loop_now(session->loop) + PATIENCE_MS;
    int result = 0;
    while (result == 0 && event_is_set(&teaching->wanted) && loop_now(session->loop) < latest) {
        event_clear(&teaching->wanted);
        result = event_wait(task, &teaching->wanted, QUIET_MS);
    }
    event_clear(&teaching->wanted);
    return result == -ETIMEDOUT ? 0 : result;
}

static void run(struct task *task, void *arg)
{
    struct session *session = arg;
    int result = 0;
    while (result != -ECANCELED) {
        result = event_wait(task, &session->teaching->wanted, FOREVER);
        if (result == 0)
            result = wait_for_quiet(task, session);
        if (result == 0)
            result = teach_all(task, session);
        if (result < 0 && result != -ECANCELED)
            log_warn("session.teach.failed", F_FAULT(result));
        session->is_teaching = session->teaching->count > 0;
    }
}

int teach_start(struct session *session)
{
    if (session->conf->filter_rspamd_learn[0] == 0)
        return 0;
    session->teaching = mem_new(sizeof(*session->teaching));
    if (session->teaching == NULL)
        return -ENOMEM;
    event_init(&session->teaching->wanted);
    return task_group_spawn(&session->tasks, session->loop, "teach", run, session);
}

void teach_end(struct session *session)
{
    free(session->teaching);
    session->teaching = NULL;
}
