#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ipc/envelope.h"
#include "mime/header.h"
#include "proto/smtp/xtext.h"
#include "role/intake/intake-state.h"
#include "trust/domain.h"

#define ASK_WAIT 30000 /* milliseconds */
#define ADDRESS_MAX 2048U
#define SENDER_MAX 1024U
#define LINES_MAX (FORWARD_ROOM - ENVELOPE_FIXED - SENDER_MAX)

bool forward_is_asked(const struct ipc_deliver *deliver)
{
    const uint32_t own = (uint32_t)DELIVER_SUBMISSION | (uint32_t)DELIVER_REPORT;
    return deliver->remote.len > 0 && (deliver->flags & own) == 0;
}

/* --- the plan -------------------------------------------------------------------------------------------------------
 */

/* RFC 9228: who has put its name there has had the message already. */
static bool has_been_here(span_t header, span_t address)
{
    for (struct mime_field field; mime_field_next(&header, &field);)
        if (span_equal_nocase(field.name, SPAN("Delivered-To")) && span_equal_nocase(span_trim(field.value), address))
            return true;
    return false;
}

static int ask_keeper(struct task *task, struct intake *intake, span_t sender, struct arena *arena,
                      struct forward_copy *copy)
{
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    struct channel *keeper = wiring_any(intake->wiring, ROLE_KEEPER);
    struct ipc_message request = {.type = IPC_forward,
                                  .forward = {.address = copy->address, .sender = sender, .targets = copy->rows}};
    if (keeper == NULL)
        return DELIVER_LATER;
    int result = channel_call_within(task, keeper, &request, ASK_WAIT, &reply);
    if (result != 0)
        return result == -ECANCELED ? result : (int)DELIVER_LATER;
    if (reply->forward_done.outcome != FORWARD_OK)
        return reply->forward_done.outcome == FORWARD_WAIT ? DELIVER_WAIT : DELIVER_LATER;
    return arena_copy(arena, reply->forward_done.sender, &copy->sender) == 0 ? DELIVER_OK : -ENOMEM;
}

static enum deliver_outcome look_at(const struct forward_letter *letter, const struct forward_copy *copy,
                                    const char **ret_text)
{
    if (has_been_here(letter->header, copy->address)) {
        log_info("forward.loop", F_HASH("address", copy->address));
        return DELIVER_LOOP;
    }
    if (letter->is_junk)
        *ret_text = "This looks like junk, which is not sent on from that address";
    return letter->is_junk ? DELIVER_REFUSED : DELIVER_OK;
}

/* The first recipient's address of ours, and all rows that stand for it. */
static int next_copy(span_t *rows, struct arena *arena, struct forward_copy *copy, bool *ret_is_kept)
{
    AUTO_BUF struct buf address;
    struct envelope_recipient first;
    struct envelope_recipient row;
    span_t rest = *rows;
    buf_init(&address, ADDRESS_MAX);
    if (!envelope_recipient_next(&rest, &first))
        return -EBADMSG;
    for (span_t behind = rest; envelope_recipient_next(&behind, &row) && span_equal(row.orcpt, first.orcpt);)
        rest = behind;
    copy->rows = span_upto(*rows, rows->len - rest.len);
    *rows = rest;
    *ret_is_kept = (first.notify & ENVELOPE_KEPT) != 0;
    int result = smtp_orcpt_read(first.orcpt, &address);
    return result != 0 ? result : arena_copy(arena, buf_span(&address), &copy->address);
}

int forward_plan(struct task *task, struct intake *intake, const struct forward_letter *letter, struct arena *arena,
                 struct forward_plan *ret_plan, const char **ret_text)
{
    span_t rows = letter->deliver->remote;
    struct forward_copy *copies = arena_alloc_array(arena, FORWARD_COPIES_MAX, sizeof(*copies));
    size_t count = 0;
    if (copies == NULL)
        return -ENOMEM;
    while (rows.len > 0) {
        bool is_kept = false;
        struct forward_copy copy = {.rows = SPAN_NONE};
        if (count == FORWARD_COPIES_MAX)
            return DELIVER_LATER;
        int result = next_copy(&rows, arena, &copy, &is_kept);
        if (result == 0)
            result = (int)look_at(letter, &copy, ret_text);
        if (is_kept && (result == DELIVER_LOOP || result == DELIVER_REFUSED))
            continue; /* an account here has it: nothing is lost */
        if (result == DELIVER_OK)
            result = ask_keeper(task, intake, letter->deliver->sender, arena, &copy);
        if (result == DELIVER_WAIT)
            *ret_text = "As much mail is sent on from there as this server allows; please try again later";
        if (result != DELIVER_OK)
            return result;
        copies[count++] = copy;
    }
    *ret_plan = (struct forward_plan){.copies = copies, .count = count};
    return DELIVER_OK;
}

/* --- a copy ---------------------------------------------------------------------------------------------------------
 */

static int write_lines(struct task *task, struct intake *intake, const struct forward_letter *letter,
                       const struct forward_copy *copy, span_t message, struct buf *lines)
{
    const struct intake_sealing sealing = {
        .domain = span_from(copy->address, span_find_last_byte(copy->address, '@') + 1),
        .message = message,
        .judged = letter->judged,
    };
    int result = intake_seal(task, intake, &sealing, lines);
    if (result < 0)
        return result;
    return buf_append_format(lines, "Delivered-To: %.*s\r\n", SPAN_PRINT(copy->address));
}

int forward_send(struct task *task, struct intake *intake, const struct forward_letter *letter,
                 const struct forward_copy *copy, span_t message, uint64_t arrived)
{
    AUTO_BUF struct buf lines;
    AUTO_BUF struct buf queue;
    struct ipc_deliver deliver = *letter->deliver;
    buf_init(&lines, LINES_MAX);
    buf_init(&queue, RECIPIENT_ROW_SIZE);
    deliver.account = 0;
    deliver.sender = copy->sender;
    deliver.remote = copy->rows;
    deliver.flags = outgoing_flags(deliver.flags, message);
    const struct record_meta meta = {
        .kind = RECORD_OUTGOING, .arrived = arrived, .return_path = span_upto(copy->sender, RECORD_PATH_MAX)};
    int result = write_lines(task, intake, letter, copy, message, &lines);
    if (result == 0)
        result = outgoing_pick(deliver.recipients, OUTGOING_QUEUE, &queue);
    if (result != 0)
        return result;
    uint8_t *start = (uint8_t *)(uintptr_t)message.at - buf_len(&lines); /* the block is ours, and has the room */
    memcpy(start, buf_span(&lines).at, buf_len(&lines));
    start -= outgoing_envelope_len(&deliver);
    result = outgoing_envelope(&deliver, start);
    if (result != 0)
        return result;
    return intake_send(task, intake, &meta, span_of(start, (size_t)(message.at + message.len - start)),
                       buf_span(&queue));
}
