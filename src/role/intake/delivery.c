#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "crypto/secret.h"
#include "ipc/body.h"
#include "role/intake/filter.h"
#include "role/intake/intake-state.h"

#define ROOM_MIN 4096U   /* less is not worth a read */
#define BODY_WAIT 600000 /* milliseconds without a byte from gate, which has limits of its own */

/* A few slow senders of large messages may use up the memory there is; a part beyond it is for small ones alone. */
#define SMALL_MAX 262144U

#define SIGNATURES_MAX 8192U
#define FORWARDS_MEMORY (1U << 20)
#define JUNK_LINES_MAX 1024U

/* The message lies in one block, behind room for the lines that go in front of it. */
struct delivery {
    struct intake *intake;
    struct channel *channel;
    struct ipc_message *message;
    struct buf block;
    size_t front; /* bytes of that room */
    uint64_t held;
    const char *text;
    char limit_text[SENDER_TEXT_MAX];
    struct intake_judged judged;
    struct arena *arena; /* of what filters say */
    struct forward_plan forwards;
    struct arena *forwards_arena;
    struct buf findings;
    struct filter_opinion opinion;
    bool is_junk;
};

static void delivery_free(struct delivery *delivery)
{
    if (delivery == NULL)
        return;
    delivery->intake->held -= delivery->held;
    buf_deinit(&delivery->block);
    buf_deinit(&delivery->judged.lines);
    buf_deinit(&delivery->findings);
    buf_deinit(&delivery->judged.results);
    arena_free(delivery->forwards_arena);
    arena_free(delivery->arena);
    ipc_message_free(delivery->message);
    channel_unref(delivery->channel);
    free(delivery);
}

SCOPE_OF(delivery)

/*
 * Room for the next bytes: for a small message at first; then four times as much each time, for what has come has to be
 * copied over, while memory that is never written to costs nothing. One byte more than a message may have shows that it
 * has too many.
 */
static int block_room(struct delivery *delivery, uint8_t **ret_at, size_t *ret_len)
{
    struct buf *block = &delivery->block;
    size_t held = buf_len(block);
    size_t left = block->room - block->end;
    if (left < ROOM_MIN && block->room < block->max)
        left = 3 * held;
    if (left > block->max - held)
        left = block->max - held;
    *ret_len = left;
    return buf_reserve(block, left, ret_at);
}

static int block_add(struct delivery *delivery, size_t len)
{
    const struct conf *conf = delivery->intake->start->conf;
    delivery->intake->held += len;
    delivery->held += len;
    buf_commit(&delivery->block, len);
    if (delivery->held > conf->smtp_message_max)
        return DELIVER_TOO_LARGE;
    uint64_t max = conf->intake_memory_max;
    if (delivery->held <= SMALL_MAX)
        max += max / 4;
    return delivery->intake->held > max ? DELIVER_LATER : DELIVER_OK;
}

/* An enum deliver_outcome; -ECONNABORTED where the client gave up. */
static int read_stream(struct task *task, struct delivery *delivery)
{
    AUTO(body_reader) struct body_reader *reader = NULL;
    int result = body_reader_new(delivery->intake->loop, ipc_message_take_fd(delivery->message, 0), &reader);
    if (result != 0)
        return result;
    for (;;) {
        uint8_t *at = NULL;
        size_t len = 0;
        if (block_room(delivery, &at, &len) != 0)
            return DELIVER_LATER;
        result = body_read(task, reader, at, len, BODY_WAIT, &len);
        if (result == BODY_COMPLETE)
            return DELIVER_OK;
        if (result != BODY_DATA)
            return result == BODY_ABORTED ? -ECONNABORTED : result;
        result = block_add(delivery, len);
        if (result != DELIVER_OK)
            return result;
    }
}

/* As read_stream(). */
static int read_body(struct task *task, struct delivery *delivery)
{
    span_t content = delivery->message->deliver.content;
    size_t room_len = content.len > TRACE_ADDED_MAX ? content.len : TRACE_ADDED_MAX;
    uint8_t *room = NULL;
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    delivery->front = TRACE_ADDED_MAX +
                      (forward_is_asked(deliver) ? FORWARD_ROOM + deliver->remote.len : outgoing_envelope_len(deliver));
    buf_init(&delivery->block, delivery->front + delivery->intake->start->conf->smtp_message_max + 1);
    int result = buf_reserve(&delivery->block, delivery->front + room_len, &room);
    if (result != 0)
        return result;
    buf_commit(&delivery->block, delivery->front);
    if (content.len == 0)
        return read_stream(task, delivery);
    memcpy(room + delivery->front, content.at, content.len);
    return block_add(delivery, content.len);
}

static int check_sender(struct task *task, struct delivery *delivery, span_t header)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    if ((deliver->flags & DELIVER_SUBMISSION) == 0)
        return DELIVER_OK;
    static const struct {
        enum deliver_outcome outcome;
        const char *text;
    } rows[] = {
        [SENDER_OK] = {DELIVER_OK, ""},
        [SENDER_FOREIGN] = {DELIVER_REFUSED, "The From address is not one of your own"},
        [SENDER_UNKNOWN] = {DELIVER_LATER, ""},
        [SENDER_EXHAUSTED] = {DELIVER_WAIT, NULL},
        [SENDER_BEYOND] = {DELIVER_REFUSED, NULL},
    };
    int result = intake_check_sender(task, delivery->intake, header, deliver->account);
    if (result == SENDER_OK)
        result = intake_check_allowance(task, delivery->intake, deliver, delivery->limit_text);
    if (result < 0)
        return result;
    delivery->text = rows[result].text == NULL ? delivery->limit_text : rows[result].text;
    return (int)rows[result].outcome;
}

static struct trace_delivery trace_of(const struct delivery *delivery, const struct timespec *now)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    struct trace_delivery trace = {
        .submission = (deliver->flags & DELIVER_SUBMISSION) != 0,
        .report = (deliver->flags & DELIVER_REPORT) != 0,
        .hides = strcmp(delivery->intake->start->conf->smtp_hide_client, "yes") == 0,
        .tls = (deliver->flags & DELIVER_TLS) != 0,
        .utf8 = (deliver->flags & DELIVER_UTF8) != 0,
        .client = deliver->client,
        .helo = deliver->helo,
        .cipher = deliver->cipher,
        .sender = deliver->sender,
        .for_address = deliver->for_address,
        .hostname = span_of_text(delivery->intake->start->conf->server_hostname),
        .results = buf_span(&delivery->judged.lines),
        .findings = buf_span(&delivery->findings),
        .removed = delivery->opinion.removed,
        .removed_count = delivery->opinion.removed_count,
        .now_seconds = now->tv_sec,
    };
    random_bytes(&trace.id, sizeof(trace.id));
    return trace;
}

/* Takes out what must not stay, and puts the lines in front: *ret_message is what the recipients will see. */
static int stamp(struct delivery *delivery, const struct timespec *now, const struct trace_facts *facts,
                 span_t *ret_message)
{
    struct trace_delivery trace = trace_of(delivery, now);
    AUTO_BUF struct buf lines;
    buf_init(&lines, TRACE_ADDED_MAX);
    int result = trace_write(&trace, facts, &lines);
    if (result != 0)
        return result;
    span_t whole = buf_span(&delivery->block);
    uint8_t *start = delivery->block.bytes + delivery->block.start + delivery->front;
    start += trace_strip(start, whole.len - delivery->front, &trace);
    start -= buf_len(&lines);
    memcpy(start, buf_span(&lines).at, buf_len(&lines));
    *ret_message = span_of(start, (size_t)(whole.at + whole.len - start));
    return 0;
}

static int send_to(struct task *task, struct delivery *delivery, enum outgoing_which which,
                   const struct record_meta *meta, span_t message)
{
    AUTO_BUF struct buf rows;
    span_t recipients = delivery->message->deliver.recipients;
    buf_init(&rows, recipients.len);
    int result = outgoing_pick(recipients, which, &rows);
    if (result != 0 || buf_len(&rows) == 0)
        return result != 0 ? result : (int)DELIVER_OK;
    return intake_send(task, delivery->intake, meta, message, buf_span(&rows));
}

static struct forward_letter letter_of(const struct delivery *delivery, span_t header)
{
    return (struct forward_letter){.deliver = &delivery->message->deliver,
                                   .header = header,
                                   .judged = &delivery->judged,
                                   .is_junk = delivery->is_junk};
}

/* An enum deliver_outcome or a fault. */
static int plan_forwards(struct task *task, struct delivery *delivery, span_t header)
{
    const struct forward_letter letter = letter_of(delivery, header);
    if (!forward_is_asked(letter.deliver))
        return DELIVER_OK;
    int result = arena_new(FORWARDS_MEMORY, &delivery->forwards_arena);
    if (result == 0)
        result = forward_plan(task, delivery->intake, &letter, delivery->forwards_arena, &delivery->forwards,
                              &delivery->text);
    return result;
}

/* message: without Return-Path. */
static int send_on(struct task *task, struct delivery *delivery, span_t message, uint64_t arrived)
{
    const struct forward_letter letter = letter_of(delivery, SPAN_NONE);
    int result = DELIVER_OK;
    for (size_t i = 0; result == DELIVER_OK && i < delivery->forwards.count; i++)
        result = forward_send(task, delivery->intake, &letter, &delivery->forwards.copies[i], message, arrived);
    return result;
}

/*
 * People here first: what they get is done once and for all, while what is in the queue may be sent before the client
 * hears of a failure, and would come again with its next try. Afterwards the envelope takes the place of Return-Path,
 * which is for final delivery alone (RFC 5321 §4.4). What is junk says so with its flag: the session files it there.
 */
static int send_all(struct task *task, struct delivery *delivery, span_t message, uint64_t arrived)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    struct record_meta meta = {
        .kind = RECORD_DELIVERY,
        .arrived = arrived,
        .flags = delivery->is_junk ? SPAN(RECORD_FLAG_JUNK) : SPAN_NONE,
        .return_path = span_upto(deliver->sender, RECORD_PATH_MAX),
    };
    int result = send_to(task, delivery, OUTGOING_ACCOUNTS, &meta, message);
    size_t envelope_len = outgoing_envelope_len(deliver);
    if (result != DELIVER_OK || envelope_len == 0)
        return result;
    span_t whole = buf_span(&delivery->block);
    span_t rest = span_from(message, span_find_byte(message, '\n') + 1);
    if (forward_is_asked(deliver))
        return send_on(task, delivery, rest, arrived);
    uint8_t *start = delivery->block.bytes + delivery->block.start + (rest.at - whole.at) - envelope_len;
    struct ipc_deliver outgoing = *deliver;
    outgoing.flags = outgoing_flags(deliver->flags, rest);
    result = outgoing_envelope(&outgoing, start);
    meta.kind = RECORD_OUTGOING;
    meta.flags = SPAN_NONE;
    return result != 0 ? result
                       : send_to(task, delivery, OUTGOING_QUEUE, &meta, span_of(start, envelope_len + rest.len));
}

/* Signs mail of our own, and puts the signatures below Return-Path. What leaves us waits for keeper rather than go
 * unsigned. An enum deliver_outcome or a fault. */
static int sign(struct task *task, struct delivery *delivery, span_t *message)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    const char *which = delivery->intake->start->conf->trust_sign;
    AUTO_BUF struct buf lines;
    buf_init(&lines, SIGNATURES_MAX);
    bool leaves = deliver->remote.len > 0;
    bool is_own = (deliver->flags & ((uint32_t)DELIVER_SUBMISSION | (uint32_t)DELIVER_REPORT)) != 0;
    if (!is_own || strcmp(which, "off") == 0 || (strcmp(which, "leaving") == 0 && !leaves))
        return DELIVER_OK;
    int result = intake_sign(task, delivery->intake, *message, &lines);
    const size_t len = buf_len(&lines);
    const span_t path = span_upto(*message, span_find_byte(*message, '\n') + 1);
    if (result == -ECANCELED || (result != 0 && leaves))
        return result;
    if (len == 0 || (size_t)(message->at - buf_span(&delivery->block).at) < len)
        return DELIVER_OK;
    uint8_t *start =
        delivery->block.bytes + delivery->block.start + (message->at - buf_span(&delivery->block).at) - len;
    memmove(start, path.at, path.len);
    memcpy(start + path.len, buf_span(&lines).at, len);
    *message = span_of(start, message->len + len);
    return DELIVER_OK;
}

static int judge(struct task *task, struct delivery *delivery, span_t message)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    if ((deliver->flags & DELIVER_REPORT) != 0)
        return DELIVER_OK;
    int result = intake_judge(task, delivery->intake, deliver, message, &delivery->judged);
    if (result == DELIVER_REFUSED)
        delivery->text = delivery->judged.refusal;
    return result;
}

/* An enum deliver_outcome or a fault. */
static int filter(struct task *task, struct delivery *delivery, span_t message)
{
    static const enum deliver_outcome outcomes[] = {[FILTER_ACCEPT] = DELIVER_OK,
                                                    [FILTER_JUNK] = DELIVER_OK,
                                                    [FILTER_REFUSE] = DELIVER_REFUSED,
                                                    [FILTER_LATER] = DELIVER_WAIT};
    if (!filters_matter(delivery->intake))
        return DELIVER_OK;
    delivery->opinion.lines = &delivery->findings;
    int result = arena_new(FILTER_MEMORY, &delivery->arena);
    if (result != 0)
        return result;
    struct filter_letter letter = {message, &delivery->message->deliver, delivery->arena};
    result = filter_ask(task, delivery->intake, &letter, &delivery->opinion);
    if (result != 0)
        return result;
    if (buf_len(&delivery->findings) > FILTER_LINES_MAX ||
        buf_fault(&delivery->findings) != 0) /* no room for all of them: none, rather than half of one */
        buf_clear(&delivery->findings);
    const enum deliver_outcome outcome = outcomes[delivery->opinion.advice];
    if (outcome != DELIVER_OK &&
        delivery->opinion.reply.len > 0) /* who is let in is not told what was thought of him */
        delivery->text = arena_text(delivery->arena, delivery->opinion.reply);
    return delivery->text == NULL ? -ENOMEM : (int)outcome;
}

/*
 * What came for the address for reports is read; where it was for nobody else, that is all, and what cannot be read is
 * refused. A person who has the same address, or is another recipient, gets it in any case. An enum deliver_outcome or
 * a fault; *ret_is_over: nobody else is left.
 */
static int report(struct task *task, struct delivery *delivery, span_t message, bool *ret_is_over)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    const char *text = "";
    *ret_is_over = false;
    if (!intake_is_for_reports(deliver))
        return DELIVER_OK;
    int result = intake_report(task, delivery->intake, deliver, &delivery->judged, message, &text);
    if (result < 0 || deliver->recipients.len > RECIPIENT_ROW_SIZE)
        return result < 0 ? result : (int)DELIVER_OK;
    *ret_is_over = true;
    delivery->text = text;
    return result;
}

/* Every reason for which a message is junk stands in it; nobody else's does. What is of our own users is never junk. */
static void note_junk(struct delivery *delivery)
{
    const struct ipc_deliver *deliver = &delivery->message->deliver;
    const struct {
        bool is_so;
        const char *words;
    } reasons[] = {
        {delivery->judged.is_junk, delivery->judged.quarantine},
        {(deliver->flags & DELIVER_OUT_OF_TURN) != 0, "the sending server spoke before it was its turn"},
        {(deliver->flags & DELIVER_BAD_HELO) != 0, "what the sending server calls itself cannot be its name"},
        {delivery->opinion.advice == FILTER_JUNK, "rspamd takes it for spam; see X-Spam-Status"},
    };
    if ((deliver->flags & ((uint32_t)DELIVER_SUBMISSION | (uint32_t)DELIVER_REPORT)) != 0)
        return;
    delivery->opinion.removed[delivery->opinion.removed_count++] = SPAN("X-Junk-Reason");
    for (size_t at = 0; at < COUNT_OF(reasons); at++) {
        if (reasons[at].is_so)
            (void)buf_append_format(&delivery->findings, "X-Junk-Reason: %s\r\n", reasons[at].words);
        delivery->is_junk = delivery->is_junk || reasons[at].is_so;
    }
}

/* In place of what came: in seven bits, and without signatures, which hold no more. */
static int convert(struct delivery *delivery)
{
    const size_t most = 2 * delivery->intake->start->conf->smtp_message_max;
    AUTO_BUF struct buf block = {0};
    if ((delivery->message->deliver.flags & DELIVER_SEVENBIT) == 0)
        return DELIVER_OK;
    int result = intake_convert(span_from(buf_span(&delivery->block), delivery->front), delivery->front, most, &block);
    if (result != DELIVER_OK)
        return result;
    const struct buf before = delivery->block;
    delivery->block = block;
    block = before;
    delivery->opinion.removed[delivery->opinion.removed_count++] = SPAN("DKIM-Signature");
    return DELIVER_OK;
}

/* An enum deliver_outcome or a fault. */
static int deliver(struct task *task, struct delivery *delivery)
{
    int result = read_body(task, delivery);
    if (result == DELIVER_OK)
        result = convert(delivery);
    if (result != DELIVER_OK)
        return result;
    span_t message = span_from(buf_span(&delivery->block), delivery->front);
    struct trace_facts facts;
    trace_scan(message, &facts);
    if (facts.received > TRACE_RECEIVED_MAX)
        return DELIVER_LOOP;
    outgoing_read_header(&delivery->message->deliver, span_upto(message, facts.header_len));
    result = check_sender(task, delivery, span_upto(message, facts.header_len));
    if (result == DELIVER_OK)
        result = judge(task, delivery, message);
    if (result == DELIVER_OK)
        result = filter(task, delivery, message);
    bool is_over = false;
    if (result == DELIVER_OK)
        result = report(task, delivery, message, &is_over);
    if (result == DELIVER_OK)
        note_junk(delivery);
    if (result == DELIVER_OK && !is_over)
        result = plan_forwards(task, delivery, span_upto(message, facts.header_len));
    if (result != DELIVER_OK || is_over)
        return result;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    result = stamp(delivery, &now, &facts, &message);
    if (result == 0)
        result = sign(task, delivery, &message);
    if (result != DELIVER_OK)
        return result;
    uint64_t arrived = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return send_all(task, delivery, message, arrived);
}

static void answer(struct delivery *delivery, int outcome)
{
    struct ipc_message reply = {
        .type = IPC_delivered,
        .delivered = {.outcome = (uint32_t)outcome, .is_junk = delivery->is_junk, .text = span_of_text(delivery->text)},
    };
    int result = channel_reply(delivery->channel, delivery->message->call, &reply);
    if (result != 0)
        log_debug("intake.answer.unheard", F_FAULT(result));
}

static void deliver_task(struct task *task, void *arg)
{
    AUTO(delivery) struct delivery *delivery = arg;
    int result = deliver(task, delivery);
    if (result < 0 && result != -ECONNABORTED && result != -ECANCELED)
        log_error("intake.delivery.failed", F_FAULT(result));
    int outcome = result < 0 ? (int)DELIVER_LATER : result;
    if (outcome == DELIVER_OK)
        delivery->intake->delivered++;
    else
        delivery->intake->refused++;
    log_debug("intake.delivery", F_INT("outcome", outcome), F_U64("bytes", delivery->held),
              F_U64("recipients", delivery->message->deliver.recipients.len / RECIPIENT_ROW_SIZE));
    answer(delivery, outcome);
}

static bool is_sound(const struct ipc_message *message)
{
    return (message->fd_count == 1) == (message->deliver.content.len == 0) && message->deliver.recipients.len > 0 &&
           message->deliver.recipients.len % RECIPIENT_ROW_SIZE == 0 && outgoing_is_sound(&message->deliver);
}

void intake_deliver(struct intake *intake, struct channel *channel, struct ipc_message *message)
{
    AUTO(ipc_message) struct ipc_message *owned = message;
    AUTO(delivery) struct delivery *delivery = is_sound(message) ? mem_new(sizeof(*delivery)) : NULL;
    int result = delivery != NULL ? 0 : -ENOMEM;
    if (result == 0) {
        *delivery =
            (struct delivery){.intake = intake, .channel = channel_ref(channel), .message = TAKE(owned), .text = ""};
        buf_init(&delivery->judged.lines, JUDGED_LINES_MAX);
        buf_init(&delivery->judged.results, JUDGED_LINES_MAX);
        buf_init(&delivery->findings, FILTER_LINES_MAX + JUNK_LINES_MAX);
        result = task_group_spawn(&intake->tasks, intake->loop, "intake.delivery", deliver_task, delivery);
    }
    if (result == 0) {
        (void)TAKE(delivery);
        return;
    }
    struct ipc_message reply = {.type = IPC_delivered, .delivered = {.outcome = DELIVER_LATER}};
    result = channel_reply(channel, message->call, &reply);
    if (result != 0)
        log_debug("intake.answer.unheard", F_FAULT(result));
}
