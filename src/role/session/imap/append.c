#include <errno.h>

#include "crypto/record.h"
#include "role/session/append.h"
#include "role/session/flags.h"
#include "role/session/imap/imap.h"

int imap_do_append(struct task *task, struct run *run)
{
    const struct imap_command *command = run->command;
    struct vault_mailbox mailbox;
    int result = 0;
    if (!run_find_mailbox(run, command->mailbox, "TRYCREATE", &mailbox, &result))
        return result;
    if (command->append.message.len == 0)
        return run_no(run, "[CANNOT] An empty message"); /* RFC 3502 §6.3.11: it cancels the append */
    bool has_room = false;
    result = run_quota_has_room(run, command->append.message.len, &has_room);
    if (result < 0 || !has_room)
        return result < 0 ? result : run_quota_refuse(run);
    struct buf flags AUTO_BUF;
    buf_init(&flags, RECORD_FLAGS_MAX);
    flags_write_command(&command->append.flags, &flags);
    if (buf_fault(&flags) < 0)
        return run_no(run, "[LIMIT] Too many flags");
    struct append append = {.mailbox = mailbox.id,
                            .received = command->append.dated ? command->append.seconds * 1000000 : session_now(),
                            .flags = buf_span(&flags),
                            .message = command->append.message};
    struct vault_filed filed = {0};
    result = append_message(task, run->session, &append, &filed);
    if (result < 0)
        return result;
    if (result == APPEND_DISK_FULL)
        return run_no(run, "[LIMIT] The disk is full");
    if (result == APPEND_STORE_AWAY)
        return run_no(run, "[UNAVAILABLE] Try again later");
    if (run->client->view != NULL && run->client->view->mailbox == mailbox.id)
        run->client->made = (struct imap_range){filed.uid, filed.uid};
    buf_clear(&run->reply);
    /* RFC 4315 §3. */
    return buf_append_format(&run->reply, "OK [APPENDUID %u %u] Appended", filed.uidvalidity, filed.uid);
}
