#include <inttypes.h>
#include <unistd.h>

#include "role/supervisor/state.h"

#define ANSWER_MS 1000

static const char *const service_names[SERVICE_COUNT] = {
    [SERVICE_SMTP] = "smtp",         [SERVICE_SUBMISSION] = "submission", [SERVICE_SUBMISSION_TLS] = "submission_tls",
    [SERVICE_IMAP] = "imap",         [SERVICE_IMAP_TLS] = "imap_tls",     [SERVICE_POP3] = "pop3",
    [SERVICE_POP3_TLS] = "pop3_tls", [SERVICE_HTTPS] = "https",
};

/* A number that courier has said in its answer; empty where it has not. */
static span_t number_of(span_t json, span_t name)
{
    size_t at = span_find(json, name);
    span_t number = span_from(json, at + name.len);
    size_t digits = 0;
    while (at < json.len && digits < number.len && ascii_is_digit(number.at[digits]))
        digits++;
    return span_upto(number, digits);
}

/* How many messages wait, and accounts whose mail is held. */
static void write_queued(span_t json, struct buf *text)
{
    span_t queued = number_of(json, SPAN("\"queued\":"));
    span_t held = number_of(json, SPAN("\"accounts_held\":"));
    if (queued.len > 0)
        (void)buf_append_format(text, ", %.*s in the queue", SPAN_PRINT(queued));
    if (held.len > 0 && !span_equal(held, SPAN("0")))
        (void)buf_append_format(text, ", the mail of %.*s accounts is held: waxwing queue accounts", SPAN_PRINT(held));
}

/* What roles have to say to the operator, a line each. */
static void write_notes(span_t lines, struct buf *notes)
{
    for (span_t line; span_cut(&lines, '\n', &line);)
        if (line.len > 0)
            (void)buf_append_format(notes, "look at %.*s\n", SPAN_PRINT(line));
}

static bool child_status(struct task *task, struct child *child, bool as_json, struct buf *text, struct buf *notes)
{
    struct ipc_message request = {.type = IPC_status};
    AUTO(ipc_message) struct ipc_message *reply = NULL;
    bool well = child->is_ready && child->channel != NULL &&
                channel_call_within(task, child->channel, &request, ANSWER_MS, &reply) == 0;
    if (well)
        write_notes(reply->status_done.notes, notes);
    span_t trouble = reply != NULL ? reply->status_done.trouble : SPAN_NONE;
    const char *state = trouble.len > 0                     ? "failing"
                        : child->stage == CHILD_DRAINS      ? "draining"
                        : well                              ? "ready"
                        : child->pid > 0 && child->is_ready ? "not answering"
                        : child->pid > 0                    ? "starting"
                                                            : "waiting to restart";
    if (as_json) {
        (void)buf_append_format(text, "{\"role\":\"%s\",\"index\":%u,\"pid\":%d,\"state\":\"%s\",\"restarts\":%" PRIu64,
                                ipc_role_name(child->role), child->index, (int)child->pid, state, child->restarts);
        (void)buf_append_text(text, ",\"detail\":");
        (void)buf_append(text, well ? reply->status_done.json : SPAN("null"));
        (void)buf_append_format(text, ",\"trouble\":%s%.*s%s}", trouble.len > 0 ? "\"" : "null", (int)trouble.len,
                                (const char *)trouble.at, trouble.len > 0 ? "\"" : "");
    } else {
        (void)buf_append_format(text, "%-7s %-2u  pid %-8d %s", ipc_role_name(child->role), child->index,
                                (int)child->pid, state);
        if (child->restarts > 0)
            (void)buf_append_format(text, ", restarted %" PRIu64 " times", child->restarts);
        if (well && child->role == ROLE_COURIER)
            write_queued(reply->status_done.json, text);
        if (trouble.len > 0)
            (void)buf_append_format(text, ": %.*s", (int)trouble.len, (const char *)trouble.at);
        (void)buf_append_byte(text, '\n');
    }
    return child->stage != CHILD_SERVES || (well && trouble.len == 0);
}

static void write_ports(const struct supervisor *supervisor, bool as_json, struct buf *text)
{
    for (enum ipc_service service = 0; service < SERVICE_COUNT; service++) {
        unsigned port = conf_port(supervisor->conf, service);
        if (as_json)
            (void)buf_append_format(text, "%s\"%s\":%u", service > 0 ? "," : "", service_names[service], port);
        else if (port != 0)
            (void)buf_append_format(text, " %s %u", service_names[service], port);
    }
}

void supervisor_status_write(struct task *task, struct supervisor *supervisor, bool as_json, struct buf *text,
                             bool *ret_healthy)
{
    AUTO_BUF struct buf roles;
    AUTO_BUF struct buf filters;
    AUTO_BUF struct buf notes;
    bool healthy = true;
    buf_init(&roles, 98304);
    buf_init(&filters, 8192);
    buf_init(&notes, 32768);
    for (size_t i = 0; i < supervisor->child_count; i++) {
        if (child_is_vacant(&supervisor->children[i]))
            continue;
        if (as_json && buf_len(&roles) > 0)
            (void)buf_append_byte(&roles, ',');
        healthy = child_status(task, &supervisor->children[i], as_json, &roles, &notes) && healthy;
    }
    filters_status_write(task, supervisor, as_json, &filters, &healthy);
    if (supervisor->aside != 0)
        write_notes(SPAN("reports: what was counted for reports was damaged, and is counted anew; what there was is in "
                         "DATA/reports.db.damaged, which may be removed\n"),
                    &notes);
    const char *state = healthy ? "healthy" : "degraded";
    int64_t uptime = (loop_now(supervisor->loop) - supervisor->started) / 1000;
    size_t sessions = map_count(supervisor->sessions);
    if (as_json) {
        (void)buf_append_format(text,
                                "{\"state\":\"%s\",\"pid\":%d,\"uptime\":%" PRId64 ",\"sessions\":%zu,\"ports\":{",
                                state, (int)getpid(), uptime, sessions);
        write_ports(supervisor, true, text);
        (void)buf_append_text(text, "},\"roles\":[");
        (void)buf_append(text, buf_span(&roles));
        (void)buf_append_byte(text, ']');
        (void)buf_append(text, buf_span(&filters));
        (void)buf_append_format(text, ",\"reports_moved_aside\":%s}\n", supervisor->aside != 0 ? "true" : "false");
    } else {
        (void)buf_append_format(text, "%s, up %" PRId64 " s, %zu sessions open\nports  ", state, uptime, sessions);
        write_ports(supervisor, false, text);
        (void)buf_append_byte(text, '\n');
        (void)buf_append(text, buf_span(&roles));
        (void)buf_append(text, buf_span(&filters));
        (void)buf_append(text, buf_span(&notes));
    }
    *ret_healthy = healthy;
}
