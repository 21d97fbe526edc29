#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/parcel.h"
#include "mime/header.h"
#include "proto/smtp/xtext.h"
#include "role/courier/courier-state.h"
#include "role/courier/report.h"

#define HEADER_MAX 65536U     /* of the original, as a report shows it */
#define RETURN_MAX (1U << 20) /* of a whole original (RFC 3461 §4.3 leaves it to us where it is large) */
#define REPORT_MAX (4U << 20)
#define DELIVER_MS 120000
#define ADDRESS_MAX 2048U
#define HIDDEN_MAX (4U << 20)

/* --- what it says ------------------------------------------------------------------------------------------------- */

static bool belongs(const struct work *work, size_t at, enum report_kind kind)
{
    unsigned notify = work->recipients[at].notify & ENVELOPE_NOTIFY;
    enum note_status status = work->note.recipients[at].status;
    if (kind == REPORT_FINAL)
        return status != NOTE_OPEN && status != NOTE_DONE;
    return status == NOTE_OPEN && (notify == 0 || (notify & SMTP_NOTIFY_DELAY) != 0); /* RFC 3461 §5.2.4 */
}

/* What is delayed because nobody could be reached has no answer of its own. */
static const struct smtp_response *response_for(struct courier *courier, const struct work *work, size_t at)
{
    struct destination *destination = NULL;
    const struct note_recipient *row = &work->note.recipients[at];
    if (row->response.code != 0 || row->status != NOTE_OPEN ||
        destination_find(courier, work, work->recipients[at].address, &destination) < 0 || destination->failures == 0)
        return &row->response;
    return &destination->response;
}

/* Mail that was sent on: to whom is nobody's business (RFC 3464 §4.2), and the other server's words may tell. */
static int hide(struct report_recipient *row, struct arena *arena)
{
    AUTO_BUF struct buf address;
    struct smtp_response *response = arena_alloc(arena, sizeof(*response));
    buf_init(&address, ADDRESS_MAX);
    if (response == NULL)
        return -ENOMEM;
    *response = *row->response;
    if (row->host.len > 0)
        response->text_len = 0;
    row->response = response;
    row->host = SPAN_NONE;
    int result = smtp_orcpt_read(row->orcpt, &address);
    return result < 0 ? result : arena_copy(arena, buf_span(&address), &row->address);
}

static int list_recipients(struct courier *courier, const struct work *work, enum report_kind kind, struct arena *arena,
                           struct report_recipient *rows)
{
    int count = 0;
    for (size_t i = 0; i < work->note.count; i++) {
        if (!belongs(work, i, kind))
            continue;
        const struct note_recipient *row = &work->note.recipients[i];
        rows[count] = (struct report_recipient){.address = work->recipients[i].address,
                                                .orcpt = work->recipients[i].orcpt,
                                                .status = row->status,
                                                .response = response_for(courier, work, i),
                                                .host = span_of(row->host, row->host_len)};
        bool is_hidden = (work->recipients[i].notify & ENVELOPE_FORWARD) != 0 && rows[count].orcpt.len > 0;
        int result = is_hidden ? hide(&rows[count], arena) : 0;
        if (result < 0)
            return result;
        count++;
    }
    return count;
}

static bool has_failed(const struct report_recipient *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].status == NOTE_FAILED)
            return true;
    return false;
}

/* RFC 3461 §4.3, §5.2.6: all of it where that was asked for, and only with a failure. */
static int read_original(struct work *work, bool wants_all, struct buf *original, bool *ret_is_whole)
{
    uint64_t len = work_message_len(work);
    bool is_whole = wants_all && (work->envelope.flags & ENVELOPE_RETURN_FULL) != 0 && len <= RETURN_MAX;
    int result = work_read(work, 0, is_whole ? len : HEADER_MAX, original);
    if (result == 0 && !is_whole)
        buf_truncate(original, mime_header_len(buf_span(original)));
    *ret_is_whole = is_whole;
    return result;
}

static int write_report(struct courier *courier, struct work *work, const struct report_recipient *rows, size_t count,
                        struct buf *text)
{
    AUTO_BUF struct buf original;
    buf_init(&original, RETURN_MAX + HEADER_MAX);
    const struct entry *entry = work->entry;
    int64_t start = entry->hold_until > entry->arrived ? entry->hold_until : entry->arrived;
    struct report report = {.hostname = span_of_text(courier->conf->server_hostname),
                            .to = work->envelope.sender,
                            .envid = work->envelope.envid,
                            .is_utf8 = (work->envelope.flags & ENVELOPE_UTF8) != 0,
                            .arrived = entry->arrived,
                            .now = courier_seconds(),
                            .until = start + (int64_t)courier->conf->courier_lifetime,
                            .recipients = rows,
                            .count = count};
    random_bytes(&report.id, sizeof(report.id));
    int result = read_original(work, has_failed(rows, count), &original, &report.is_whole);
    report.original = buf_span(&original);
    return result == 0 ? report_write(&report, text) : result;
}

/* --- where it goes ------------------------------------------------------------------------------------------------ */

static int call_intake(struct task *task, struct courier *courier, struct ipc_message *request, span_t text,
                       struct ipc_message **ret_reply)
{
    struct channel *intake = wiring_any(courier->wiring, ROLE_INTAKE);
    if (intake == NULL)
        return -ENOTCONN;
    return parcel_call(task, intake, request, &request->deliver.content, text, DELIVER_MS, ret_reply);
}

static int resolve(struct task *task, struct courier *courier, span_t address, struct ipc_message **ret_reply)
{
    struct channel *keeper = wiring_peer(courier->wiring, ROLE_KEEPER, 0);
    if (keeper == NULL)
        return -ENOTCONN;
    struct ipc_message request = {.type = IPC_resolve, .resolve = {.address = address, .is_report = 1}};
    return channel_call_within(task, keeper, &request, COURIER_CALL_MS, ret_reply);
}

static bool is_8bit(span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] >= 0x80)
            return true;
    return false;
}

/* Who wants his mail elsewhere has reports there, too. */
static int add_forwards(span_t forwards, struct buf *remote)
{
    int result = 0;
    for (struct envelope_recipient row; result == 0 && envelope_recipient_next(&forwards, &row);) {
        row.notify |= SMTP_NOTIFY_NEVER;
        result = envelope_recipient_write(&row, remote);
    }
    return result;
}

/* A report is nobody's message (RFC 3464 §2): its sender is <>, and of what becomes of it nobody hears. */
int inject_text(struct task *task, struct courier *courier, span_t to, enum inject_kind kind, span_t text)
{
    AUTO(ipc_message) struct ipc_message *found = NULL;
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    AUTO_BUF struct buf remote;
    buf_init(&remote, 65536);
    int result = resolve(task, courier, to, &found);
    if (result < 0)
        return result;
    uint32_t outcome = found->resolved.outcome;
    if (outcome == RESOLVE_UNAVAILABLE)
        return -EAGAIN;
    if (outcome == RESOLVE_REMOTE) {
        const struct envelope_recipient row = {.notify = SMTP_NOTIFY_NEVER, .address = to};
        result = envelope_recipient_write(&row, &remote);
    } else if (outcome == RESOLVE_LOCAL) {
        result = add_forwards(found->resolved.forwards, &remote);
    } else {
        log_info("courier.report.nobody", F_U64("outcome", outcome));
        return 0;
    }
    if (result < 0)
        return result;
    static const uint32_t flags[] = {
        [INJECT_PLAIN] = 0, [INJECT_UTF8] = DELIVER_UTF8, [INJECT_TLS_OPTIONAL] = DELIVER_TLS_OPTIONAL};
    struct ipc_message request = {
        .type = IPC_deliver,
        .deliver = {.flags = flags[kind] | DELIVER_REPORT | (is_8bit(text) ? DELIVER_8BIT : 0U),
                    .for_address = to,
                    .recipients = found->resolved.recipients,
                    .remote = buf_span(&remote)}};
    result = call_intake(task, courier, &request, text, &reply);
    if (result < 0)
        return result;
    return reply->delivered.outcome == DELIVER_OK ? 0 : -EIO;
}

int inject_report(struct task *task, struct courier *courier, struct work *work, enum report_kind kind)
{
    AUTO_BUF struct buf text = {0};
    AUTO(arena) struct arena *arena = NULL;
    AUTO_FREE struct report_recipient *rows = mem_new_array(work->note.count, sizeof(*rows));
    if (rows == NULL)
        return -ENOMEM;
    int result = arena_new(HIDDEN_MAX, &arena);
    int count = result == 0 ? list_recipients(courier, work, kind, arena, rows) : result;
    if (count <= 0 || work->envelope.sender.len == 0)
        return count < 0 ? count : 0;
    buf_init(&text, REPORT_MAX);
    result = write_report(courier, work, rows, (size_t)count, &text);
    enum inject_kind in = (work->envelope.flags & ENVELOPE_UTF8) != 0 ? INJECT_UTF8 : INJECT_PLAIN;
    if (result == 0)
        result = inject_text(task, courier, work->envelope.sender, in, buf_span(&text));
    if (result < 0)
        return result;
    courier->reports++;
    log_info("courier.report", F_U64("record", work->entry->message.record), F_U64("kind", kind),
             F_U64("recipients", (uint64_t)count));
    return 0;
}
