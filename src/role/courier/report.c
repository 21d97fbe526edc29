#include "role/courier/report.h"

#include "mime/date.h"
#include "proto/smtp/xtext.h"

struct action {
    const char *name; /* RFC 3464 §2.3.3 */
    const char *subject;
    const char *words;
};

static const struct action actions[NOTE_STATUS_COUNT] = {
    [NOTE_OPEN] =
        {"delayed", "Delayed: your message is still on its way",
         "Your message has not reached these recipients yet. It will be tried\r\nfurther; there is nothing that "
         "you have to do."},
    [NOTE_DONE] = {"delivered", "Delivered: your message has arrived", "Your message has arrived at these recipients."},
    [NOTE_DELIVERED] = {"delivered", "Delivered: your message has arrived",
                        "Your message has arrived at these recipients."},
    [NOTE_RELAYED] = {"relayed", "Passed on: your message is at the recipient's server",
                      "Your message was passed on to a server that does not tell of the\r\ndelivery to these "
                      "recipients."},
    [NOTE_FAILED] = {"failed", "Not delivered: your message could not be delivered",
                     "Your message could not be delivered to these recipients, and will not\r\nbe tried again."},
};

/* Which of several kinds the subject speaks of: the worst. */
static enum note_status worst_of(const struct report *report)
{
    static const enum note_status order[] = {NOTE_FAILED, NOTE_OPEN, NOTE_RELAYED, NOTE_DELIVERED};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        for (size_t at = 0; at < report->count; at++)
            if (report->recipients[at].status == order[i])
                return order[i];
    return NOTE_DELIVERED;
}

static void add_date(int64_t at, struct buf *text)
{
    const struct mime_date date = {.unix_time = at};
    (void)!mime_date_format(&date, text); /* the buffer remembers the fault */
}

static void add_header(const struct report *report, struct buf *text)
{
    buf_append_format(text, "From: Mail Delivery <postmaster@%.*s>\r\nTo: <%.*s>\r\nSubject: %s\r\nDate: ",
                      SPAN_PRINT(report->hostname), SPAN_PRINT(report->to), actions[worst_of(report)].subject);
    add_date(report->now, text);
    buf_append_format(text,
                      "\r\nMessage-ID: <%016llx.report@%.*s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                      "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"=_%016llx\"\r\n\r\n",
                      (unsigned long long)report->id, SPAN_PRINT(report->hostname),
                      report->is_utf8 ? "global-delivery-status" : "delivery-status", (unsigned long long)report->id);
}

static void add_boundary(const struct report *report, const char *end, struct buf *text)
{
    buf_append_format(text, "--=_%016llx%s\r\n", (unsigned long long)report->id, end);
}

static void add_reason(const struct report_recipient *recipient, struct buf *text)
{
    if (recipient->response == NULL || recipient->response->text_len == 0 || recipient->response->code < 400)
        return;
    buf_append_text(text, "\r\n    ");
    if (recipient->host.len > 0)
        buf_append_format(text, "%.*s says: ", SPAN_PRINT(recipient->host));
    buf_append_format(text, "%u %.*s", recipient->response->code, SPAN_PRINT(smtp_response_text(recipient->response)));
}

static void add_group(const struct report *report, enum note_status status, struct buf *text)
{
    bool is_first = true;
    for (size_t i = 0; i < report->count; i++) {
        const struct report_recipient *recipient = &report->recipients[i];
        if (recipient->status != status)
            continue;
        if (is_first)
            buf_append_text(text, actions[status].words);
        buf_append_text(text, is_first ? "\r\n\r\n" : "\r\n");
        is_first = false;
        buf_append_format(text, "  %.*s", SPAN_PRINT(recipient->address));
        add_reason(recipient, text);
    }
    if (!is_first)
        buf_append_text(text, "\r\n\r\n");
}

/* For people (RFC 6522 §3). */
static void add_words(const struct report *report, struct buf *text)
{
    add_boundary(report, "", text);
    buf_append_format(text,
                      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n"
                      "This is the mail server %.*s.\r\n\r\n",
                      report->is_utf8 ? "8bit" : "7bit", SPAN_PRINT(report->hostname));
    for (enum note_status status = NOTE_OPEN; status < NOTE_STATUS_COUNT; status++)
        add_group(report, status, text);
}

static bool is_ascii(span_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] >= 0x80)
            return false;
    return true;
}

/* RFC 3464 §2.3: one block for each recipient. */
static void add_recipient(const struct report *report, const struct report_recipient *recipient, struct buf *text)
{
    char status[SMTP_STATUS_MAX] = "2.0.0";
    const struct smtp_response *response = recipient->response;
    bool has_response = response != NULL && response->code != 0;
    buf_append_text(text, "\r\n");
    if (recipient->orcpt.len > 0) {
        size_t semicolon = span_find_byte(recipient->orcpt, ';');
        buf_append_format(text, "Original-Recipient: %.*s;", SPAN_PRINT(span_upto(recipient->orcpt, semicolon)));
        smtp_xtext_read(span_from(recipient->orcpt, semicolon + 1), text); /* RFC 3464 §2.3.1 */
        buf_append_text(text, "\r\n");
    }
    if (has_response)
        smtp_response_status(response, status);
    if (recipient->status == NOTE_OPEN && status[0] != '4') /* RFC 3464 §2.3.4 */
        buf_append_format(text, "Final-Recipient: %s; %.*s\r\nAction: delayed\r\nStatus: 4.4.7\r\n",
                          is_ascii(recipient->address) ? "rfc822" : "utf-8", SPAN_PRINT(recipient->address));
    else
        buf_append_format(text, "Final-Recipient: %s; %.*s\r\nAction: %s\r\nStatus: %s%s\r\n",
                          is_ascii(recipient->address) ? "rfc822" : "utf-8", SPAN_PRINT(recipient->address),
                          actions[recipient->status].name,
                          recipient->status == NOTE_FAILED ? "5"
                          : recipient->status == NOTE_OPEN ? "4"
                                                           : "2",
                          status + 1);
    if (recipient->host.len > 0)
        buf_append_format(text, "Remote-MTA: dns; %.*s\r\n", SPAN_PRINT(recipient->host));
    if (has_response && recipient->host.len > 0)
        buf_append_format(text, "Diagnostic-Code: smtp; %u %.*s\r\n", response->code,
                          SPAN_PRINT(smtp_response_text(response)));
    if (recipient->status == NOTE_OPEN) {
        buf_append_text(text, "Will-Retry-Until: ");
        add_date(report->until, text);
        buf_append_text(text, "\r\n");
    }
}

static void add_status(const struct report *report, struct buf *text)
{
    add_boundary(report, "", text);
    buf_append_format(text, "Content-Type: message/%s\r\n%s\r\n",
                      report->is_utf8 ? "global-delivery-status" : "delivery-status",
                      report->is_utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    if (report->envid.len > 0) {
        buf_append_text(text, "Original-Envelope-Id: ");
        smtp_xtext_read(report->envid, text); /* RFC 3464 §2.2.1 */
        buf_append_text(text, "\r\n");
    }
    buf_append_format(text, "Reporting-MTA: dns; %.*s\r\nArrival-Date: ", SPAN_PRINT(report->hostname));
    add_date(report->arrived, text);
    buf_append_text(text, "\r\n");
    for (size_t i = 0; i < report->count; i++)
        add_recipient(report, &report->recipients[i], text);
    buf_append_text(text, "\r\n");
}

static void add_original(const struct report *report, struct buf *text)
{
    add_boundary(report, "", text);
    const char *type = report->is_whole ? (report->is_utf8 ? "message/global" : "message/rfc822")
                                        : (report->is_utf8 ? "message/global-headers" : "text/rfc822-headers");
    buf_append_format(text, "Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
                      is_ascii(report->original) ? "7bit" : "8bit");
    buf_append(text, report->original);
    if (!span_ends(report->original, SPAN("\r\n")))
        buf_append_text(text, "\r\n");
    add_boundary(report, "--", text);
}

int report_write(const struct report *report, struct buf *text)
{
    add_header(report, text);
    add_words(report, text);
    add_status(report, text);
    add_original(report, text);
    return buf_fault(text);
}
