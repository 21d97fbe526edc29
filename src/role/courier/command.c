#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "mime/date.h"
#include "role/courier/courier-state.h"
#include "role/courier/reporting.h"

#define LOADED_MS 20000 /* for the queue to be read after a start */
#define PAGE_BYTES 65536U
#define PAGE_ENTRIES 512U
#define USAGE                                                                                                          \
    "usage: waxwing queue list [--json] | show ID [--json] | retry ID|--all | hold ID | release ID | remove ID |"      \
    " accounts [--json]; instead of ID: --account ADDRESS to hold, release, remove\n"

struct command {
    struct courier *courier;
    struct channel *channel;
    struct ipc_message *message;
    span_t words; /* behind `queue VERB` */
    bool as_json;
    uint32_t status;
    struct buf output;
    struct buf error;
    struct buf next;
};

static void command_free(struct command *command)
{
    channel_unref(command->channel);
    ipc_message_free(command->message);
    buf_deinit(&command->output);
    buf_deinit(&command->error);
    buf_deinit(&command->next);
    free(command);
}

static void fail(struct command *command, uint32_t status, const char *text)
{
    command->status = status;
    buf_append_text(&command->error, text);
}

static span_t take_word(span_t *words)
{
    span_t word = SPAN_NONE;
    (void)span_cut(words, 0, &word);
    return word;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static const char *state_of(const struct courier *courier, const struct entry *entry)
{
    for (size_t i = 0; i < entry->leg_count; i++) /* it may be held meanwhile */
        if (entry->legs[i].is_busy)
            return "sending";
    if (holds_why(courier, entry) != NULL)
        return "held";
    if (entry->hold_until > courier_seconds())
        return "scheduled";
    for (size_t i = 0; i < entry->leg_count; i++)
        if (entry->legs[i].attempts > 0 || entry->legs[i].destination->failures > 0)
            return "deferred";
    return "waiting";
}

static int64_t next_of(const struct entry *entry)
{
    int64_t next = entry->hold_until > courier_seconds() ? entry->hold_until : 0;
    for (size_t i = 0; i < entry->leg_count; i++) {
        const struct leg *leg = &entry->legs[i];
        int64_t at = leg->due.place != 0                ? leg->due.at
                     : leg->destination->due.place != 0 ? leg->destination->due.at
                                                        : 0;
        if (at != 0 && (next == 0 || at < next))
            next = at;
    }
    return next;
}

static uint32_t attempts_of(const struct entry *entry)
{
    uint32_t attempts = 0;
    for (size_t i = 0; i < entry->leg_count; i++) {
        uint32_t one = entry->legs[i].attempts + entry->legs[i].destination->failures;
        attempts = one > attempts ? one : attempts;
    }
    return attempts;
}

static void add_json_text(struct buf *output, span_t text)
{
    buf_append_byte(output, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == '"' || byte == '\\')
            buf_append_byte(output, '\\');
        if (byte < 0x20)
            buf_append_format(output, "\\u%04x", byte);
        else
            buf_append_byte(output, byte);
    }
    buf_append_byte(output, '"');
}

static void list_entry(struct command *command, const struct entry *entry)
{
    struct buf *output = &command->output;
    int64_t now = courier_seconds();
    int64_t next = next_of(entry);
    const char *destination = entry->leg_count > 0 ? entry->legs[0].destination->name : "";
    const char *state = state_of(command->courier, entry);
    const char *why = holds_why(command->courier, entry);
    if (command->as_json) {
        buf_append_format(output,
                          "{\"id\":\"%016" PRIx64 "\",\"state\":\"%s\",\"size\":%" PRIu64 ",\"arrived\":%" PRId64
                          ",\"next\":%" PRId64 ",\"attempts\":%u,\"destinations\":[",
                          entry->message.record, state, entry->message.length, entry->arrived, next,
                          attempts_of(entry));
        for (size_t i = 0; i < entry->leg_count; i++) {
            buf_append_text(output, i > 0 ? "," : "");
            add_json_text(output, span_of_text(entry->legs[i].destination->name));
        }
        buf_append_format(output, "],\"why\":%s%s%s}", why != NULL ? "\"" : "", why != NULL ? why : "null",
                          why != NULL ? "\"" : "");
        return;
    }
    buf_append_format(
        output, "%016" PRIx64 "  %-9s %8" PRIu64 " B  age %6" PRId64 " s  next %6" PRId64 " s  %s%s%s%s\n",
        entry->message.record, state, entry->message.length, now - entry->arrived, next > now ? next - now : 0,
        destination, entry->leg_count > 1 ? " and others" : "", why != NULL ? "  held: " : "", why != NULL ? why : "");
}

static int by_record(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one;
    uint64_t b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

/* The lowest ids above `after`, in their order: one pass over all for each page. */
static size_t next_page(const struct courier *courier, uint64_t after, uint64_t page[PAGE_ENTRIES + 1])
{
    size_t count = 0;
    size_t cursor = 0;
    uint64_t record = 0;
    void *entry = NULL;
    while (map_next(courier->entries, &cursor, &record, &entry)) {
        if (record <= after || (count > PAGE_ENTRIES && record >= page[PAGE_ENTRIES]))
            continue;
        size_t at = count > PAGE_ENTRIES ? PAGE_ENTRIES : count++;
        while (at > 0 && page[at - 1] > record) {
            page[at] = page[at - 1];
            at--;
        }
        page[at] = record;
    }
    qsort(page, count, sizeof(page[0]), by_record);
    return count;
}

static void do_list(struct task *task, struct command *command)
{
    uint64_t page[PAGE_ENTRIES + 1];
    uint64_t after = 0;
    (void)task;
    span_t asked = command->message->admin.after;
    bool is_first = asked.len != 8;
    if (!is_first)
        after = bytes_get_u64(asked.at);
    size_t count = next_page(command->courier, after, page);
    if (command->as_json && is_first)
        buf_append_byte(&command->output, '[');
    size_t shown = 0;
    for (; shown < count && shown < PAGE_ENTRIES && buf_len(&command->output) < PAGE_BYTES; shown++) {
        if (command->as_json && !(is_first && shown == 0))
            buf_append_byte(&command->output, ',');
        list_entry(command, map_get(command->courier->entries, page[shown]));
    }
    if (shown < count) {
        uint8_t last[8];
        bytes_put_u64(last, page[shown - 1]);
        buf_append(&command->next, span_of(last, sizeof(last)));
    } else if (command->as_json) {
        buf_append_text(&command->output, "]\n");
    }
}

/* Accounts whose mail is held. */
static void list_account(struct command *command, const struct account_hold *hold)
{
    static const char *const words[HOLD_WHY_COUNT] = {[HOLD_BY_OPERATOR] = "by the operator",
                                                      [HOLD_STRANGERS] = "many new recipients",
                                                      [HOLD_BOUNCES] = "many bounces"};
    struct buf *output = &command->output;
    if (!command->as_json) {
        buf_append_format(output, "%s\theld for %" PRId64 " s\t%" PRIu64 " messages\t%s", hold->address,
                          courier_seconds() - hold->since, hold->messages, words[hold->why]);
        if (hold->why != HOLD_BY_OPERATOR)
            buf_append_format(output, ": %" PRIu64 " within a day, usual are %" PRIu64, hold->seen, hold->usual);
        buf_append_byte(output, '\n');
        return;
    }
    buf_append_text(output, "{\"address\":");
    add_json_text(output, span_of_text(hold->address));
    buf_append_format(output,
                      ",\"since\":%" PRId64 ",\"messages\":%" PRIu64 ",\"why\":\"%s\",\"seen\":%" PRIu64
                      ",\"usual\":%" PRIu64 "}",
                      hold->since, hold->messages, words[hold->why], hold->seen, hold->usual);
}

static void do_accounts(struct task *task, struct command *command)
{
    span_t asked = command->message->admin.after;
    uint64_t after = asked.len == 8 ? bytes_get_u64(asked.at) : 0;
    bool is_first = after == 0;
    uint8_t last[8];
    (void)task;
    holds_count(command->courier);
    const struct account_hold *hold = holds_next(command->courier, after);
    if (command->as_json && is_first)
        buf_append_byte(&command->output, '[');
    for (; hold != NULL && buf_len(&command->output) < PAGE_BYTES; hold = holds_next(command->courier, after)) {
        if (command->as_json && after != 0)
            buf_append_byte(&command->output, ',');
        list_account(command, hold);
        after = hold->account;
    }
    bytes_put_u64(last, after);
    if (hold != NULL)
        buf_append(&command->next, span_of(last, sizeof(last)));
    else if (command->as_json)
        buf_append_text(&command->output, "]\n");
}

/* --- one message -------------------------------------------------------------------------------------------------- */

static struct entry *find(struct command *command)
{
    span_t word = take_word(&command->words);
    uint64_t record = 0;
    bool is_id = word.len > 0 && word.len <= 16;
    for (size_t i = 0; is_id && i < word.len; i++) {
        uint8_t digit = ascii_lower(word.at[i]);
        is_id = ascii_is_digit(digit) || (digit >= 'a' && digit <= 'f');
        record = record * 16 + (uint64_t)(ascii_is_digit(digit) ? digit - '0' : digit - 'a' + 10);
    }
    if (!is_id) {
        fail(command, 2, USAGE);
        return NULL;
    }
    struct entry *entry = map_get(command->courier->entries, record);
    if (entry == NULL)
        fail(command, 1, "there is no such message in the queue; waxwing queue list shows them\n");
    return entry;
}

static const char *status_name(enum note_status status)
{
    static const char *const names[NOTE_STATUS_COUNT] = {[NOTE_OPEN] = "open",
                                                         [NOTE_DONE] = "done",
                                                         [NOTE_DELIVERED] = "delivered",
                                                         [NOTE_RELAYED] = "relayed",
                                                         [NOTE_FAILED] = "failed"};
    return names[status];
}

static void show_recipient(struct command *command, const struct work *work, size_t at)
{
    struct buf *output = &command->output;
    const struct note_recipient *row = &work->note.recipients[at];
    span_t text = smtp_response_text(&row->response);
    if (!command->as_json) {
        buf_append_format(output, "  %-9s %.*s", status_name(row->status), SPAN_PRINT(work->recipients[at].address));
        if (row->response.code != 0)
            buf_append_format(output, "  %u %.*s", row->response.code, SPAN_PRINT(text));
        buf_append_byte(output, '\n');
        return;
    }
    buf_append_text(output, at > 0 ? "," : "");
    buf_append_text(output, "{\"address\":");
    add_json_text(output, work->recipients[at].address);
    buf_append_format(output, ",\"status\":\"%s\",\"code\":%u,\"reply\":", status_name(row->status),
                      row->response.code);
    add_json_text(output, text);
    buf_append_byte(output, '}');
}

/* What its destinations said of late to all that goes there. */
static void show_destination(struct command *command, const struct destination *destination)
{
    struct buf *output = &command->output;
    span_t text = smtp_response_text(&destination->response);
    if (command->as_json) {
        buf_append_text(output, "{\"name\":");
        add_json_text(output, span_of_text(destination->name));
        buf_append_format(output, ",\"failures\":%u,\"code\":%u,\"reply\":", destination->failures,
                          destination->response.code);
        add_json_text(output, text);
        buf_append_byte(output, '}');
    } else if (destination->failures > 0) {
        buf_append_format(output, "  %s failed %u times: %u %.*s\n", destination->name, destination->failures,
                          destination->response.code, SPAN_PRINT(text));
    }
}

static void show_work(struct command *command, const struct work *work)
{
    struct buf *output = &command->output;
    if (command->as_json) {
        buf_append_text(output, "{\"entry\":");
        list_entry(command, work->entry);
        buf_append_text(output, ",\"sender\":");
        add_json_text(output, work->envelope.sender);
        buf_append_text(output, ",\"recipients\":[");
    } else {
        list_entry(command, work->entry);
        buf_append_format(output, "from <%.*s>\n", SPAN_PRINT(work->envelope.sender));
    }
    for (size_t i = 0; i < work->note.count && buf_len(output) < PAGE_BYTES; i++)
        show_recipient(command, work, i);
    buf_append_text(output, command->as_json ? "],\"destinations\":[" : "");
    for (size_t i = 0; i < work->entry->leg_count && buf_len(output) < PAGE_BYTES; i++) {
        buf_append_text(output, command->as_json && i > 0 ? "," : "");
        show_destination(command, work->entry->legs[i].destination);
    }
    buf_append_text(output, command->as_json ? "]}\n" : "");
}

static void do_show(struct task *task, struct command *command)
{
    struct entry *entry = find(command);
    struct work *work = NULL;
    if (entry == NULL)
        return;
    if (work_begin(task, command->courier, entry, &work) < 0) {
        fail(command, 1, "the message cannot be opened just now\n");
        return;
    }
    show_work(command, work);
    work_drop(command->courier, work);
    entry_let_go(command->courier, entry);
}

/* --- changing it ---------------------------------------------------------------------------------------------------
 */

/* Now, whatever was planned; where it waits for its destination, that is asked again. */
static void retry(struct courier *courier, struct entry *entry)
{
    if (holds_why(courier, entry) != NULL || entry->hold_until > courier_seconds())
        return;
    for (size_t i = 0; i < entry->leg_count; i++) {
        struct leg *leg = &entry->legs[i];
        schedule_remove(&courier->schedule, &leg->destination->due);
        if (leg->due.place != 0)
            courier_schedule(courier, &leg->due, courier_seconds());
        else
            destination_start(leg->destination);
    }
}

static void do_retry(struct task *task, struct command *command)
{
    struct courier *courier = command->courier;
    span_t words = command->words;
    (void)task;
    if (!span_equal(take_word(&words), SPAN("--all"))) {
        struct entry *entry = find(command);
        if (entry != NULL)
            retry(courier, entry);
        return;
    }
    size_t cursor = 0;
    uint64_t record = 0;
    void *entry = NULL;
    while (map_next(courier->entries, &cursor, &record, &entry))
        retry(courier, entry);
}

static void set_held(struct task *task, struct command *command, bool is_held)
{
    struct courier *courier = command->courier;
    struct entry *entry = find(command);
    struct work *work = NULL;
    if (entry == NULL)
        return;
    int result = work_begin(task, courier, entry, &work);
    if (result == 0) {
        work->note.flags = is_held ? work->note.flags | NOTE_HELD : work->note.flags & ~(unsigned)NOTE_HELD;
        work->is_changed = true;
        entry->is_held = is_held;
        result = work_end(task, courier, work);
    }
    if (result < 0)
        fail(command, 1, "the message cannot be changed just now\n");
    if (result == 0 && !entry->is_gone && !is_held)
        message_release(courier, entry);
    else if (!entry->is_gone)
        message_look(courier, entry);
    entry_let_go(courier, entry);
}

/* All of an account, where that is what the words say; keeper is told first, as he decides. */
static bool change_account(struct task *task, struct command *command, enum hold_change change, uint64_t *ret_account)
{
    span_t words = command->words;
    if (!span_equal(take_word(&words), SPAN("--account")))
        return false;
    span_t address = take_word(&words);
    int result = address.len == 0 ? EINVAL : holds_change(task, command->courier, change, address, ret_account);
    if (result == 0)
        return true;
    *ret_account = 0;
    if (result == ENOENT)
        fail(command, 1, "the mail of no such account is held; waxwing queue accounts shows those\n");
    else if (result == EINVAL)
        fail(command, 2, USAGE);
    else
        fail(command, 1, "the account cannot be changed just now\n");
    return true;
}

static void do_hold(struct task *task, struct command *command)
{
    uint64_t account = 0;
    if (!change_account(task, command, HOLD_BEGIN, &account))
        set_held(task, command, true);
}

static void do_release(struct task *task, struct command *command)
{
    uint64_t account = 0;
    if (!change_account(task, command, HOLD_END, &account))
        set_held(task, command, false);
    else if (account != 0)
        buf_append_format(&command->output, "%zu messages are sent now\n", holds_end(command->courier, account));
}

/* Without a report: whoever does this knows. */
static void do_remove(struct task *task, struct command *command)
{
    uint64_t account = 0;
    if (change_account(task, command, HOLD_REMOVED, &account)) {
        if (account != 0)
            buf_append_format(&command->output,
                              "%zu messages are removed; the account stays held until waxwing queue release "
                              "--account\n",
                              holds_remove(command->courier, account));
        return;
    }
    struct entry *entry = find(command);
    if (entry != NULL)
        entry_end(command->courier, entry);
}

/* --- reports to other domains ------------------------------------------------------------------------------------ */

/* 2026-01-31, or today. */
static bool read_day(span_t text, uint32_t *ret_day)
{
    uint64_t year = 0;
    uint64_t month = 0;
    uint64_t day = 0;
    if (span_equal(text, SPAN("today"))) {
        *ret_day = (uint32_t)(courier_seconds() / TALLY_DAY_SECONDS);
        return true;
    }
    if (text.len != 10 || text.at[4] != '-' || text.at[7] != '-' || span_to_u64(span_upto(text, 4), 9999, &year) < 0 ||
        span_to_u64(span_slice(text, 5, 2), 12, &month) < 0 || span_to_u64(span_from(text, 8), 31, &day) < 0 ||
        year < 1970 || month == 0 || day == 0)
        return false;
    *ret_day = (uint32_t)mime_date_days((int64_t)year, (int64_t)month, (int64_t)day);
    return true;
}

/* `reports send [--day DATE]` */
static void do_report(struct task *task, struct command *command)
{
    static const char *const kinds[] = {[TALLY_TLS] = "tls", [TALLY_DMARC] = "dmarc"};
    struct courier *courier = command->courier;
    struct reporting_days days = {0, (uint32_t)(courier_seconds() / TALLY_DAY_SECONDS) - 1};
    struct reporting_done done;
    span_t option = take_word(&command->words);
    if (option.len > 0) {
        if (!span_equal(option, SPAN("--day")) || !read_day(take_word(&command->words), &days.first)) {
            fail(command, 2, "usage: waxwing reports send [--day YYYY-MM-DD|today]\n");
            return;
        }
        days.last = days.first;
    }
    int result = reporting_run(task, courier, &days, &done);
    if (result < 0) {
        fail(command, 1,
             result == -EBUSY ? "reports are being sent already; try again later\n"
                              : "reports cannot be sent just now; try again in a moment\n");
        return;
    }
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++)
        buf_append_format(&command->output,
                          "%s: %" PRIu64 " sent, %" PRIu64 " unwanted, %" PRIu64 " to be tried again\n", kinds[kind],
                          done.of[kind].sent, done.of[kind].unwanted, done.of[kind].open);
}

/* --- life -----------------------------------------------------------------------------------------------------------
 */

static void run(struct task *task, struct command *command)
{
    static const struct {
        const char *word;
        void (*run)(struct task *task, struct command *command);
    } rows[] = {{"list", do_list}, {"show", do_show},       {"retry", do_retry},  {"accounts", do_accounts},
                {"hold", do_hold}, {"release", do_release}, {"remove", do_remove}};
    command->words = command->message->admin.words;
    bool is_report = span_equal(take_word(&command->words), SPAN("reports"));
    span_t verb = take_word(&command->words);
    if (is_report) { /* `send`: the supervisor has looked */
        do_report(task, command);
        return;
    }
    command->as_json = span_find(command->words, SPAN("--json")) < command->words.len;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (span_equal(verb, span_of_text(rows[i].word))) {
            rows[i].run(task, command);
            return;
        }
    }
    fail(command, 2, USAGE);
}

static void command_task(struct task *task, void *arg)
{
    struct command *command = arg;
    struct courier *courier = command->courier;
    bool needs_none = span_starts(command->message->admin.words, SPAN("reports"));
    if (needs_none || courier->is_loaded || event_wait(task, &courier->loaded, LOADED_MS) == 0)
        run(task, command);
    else
        fail(command, 1, "the queue is still being read; try again in a moment\n");
    struct ipc_message reply = {.type = IPC_admin_done,
                                .admin_done = {.status = command->status,
                                               .output = buf_span(&command->output),
                                               .error = buf_span(&command->error),
                                               .next = buf_span(&command->next)}};
    int result = channel_reply(command->channel, command->message->call, &reply);
    if (result < 0)
        log_debug("courier.answer.unheard", F_FAULT(result));
    command_free(command);
}

void command_start(struct courier *courier, struct channel *channel, struct ipc_message *message)
{
    struct command *command = mem_new(sizeof(*command));
    if (command == NULL) {
        ipc_message_free(message);
        return;
    }
    command->courier = courier;
    command->channel = channel_ref(channel);
    command->message = message;
    buf_init(&command->output, 98304);
    buf_init(&command->error, 1024);
    buf_init(&command->next, 64);
    if (task_group_spawn(&courier->tasks, courier->loop, "courier.command", command_task, command) < 0)
        command_free(command);
}
