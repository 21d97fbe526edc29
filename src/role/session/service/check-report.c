#include "role/session/service/check.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define LINE_MAX 65536U

static int write_text(struct check *check, const struct finding *finding)
{
    AUTO_BUF struct buf line;
    buf_init(&line, LINE_MAX);
    buf_append_format(&line, "%s: ", finding->kind);
    if (finding->mailbox != NULL)
        buf_append_text(&line, finding->mailbox);
    if (finding->uid != 0)
        buf_append_format(&line, "%sUID %lu", finding->mailbox != NULL ? " " : "", (unsigned long)finding->uid);
    if (finding->mailbox != NULL || finding->uid != 0)
        buf_append_text(&line, ": ");
    buf_append_format(&line, "%s%s\n", finding->text, finding->is_repaired ? " (repaired)" : "");
    int result = buf_fault(&line);
    return result < 0 ? result : service_output(check->task, check->service, buf_span(&line));
}

/* Takes the value. A name that is not UTF-8 becomes null. */
static int write_json(struct check *check, const char *before, json_t *value)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);
    json_decref(value);
    if (text == NULL)
        return -ENOMEM;
    int result = service_output(check->task, check->service, span_of_text(before));
    if (result == 0)
        result = service_output(check->task, check->service, span_of_text(text));
    free(text);
    return result;
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text == NULL ? NULL : json_string(text);
    return value == NULL ? json_null() : value;
}

int check_report_begin(struct check *check)
{
    return check->json ? service_output(check->task, check->service, SPAN("{\"findings\":[")) : 0;
}

int check_report(struct check *check, const struct finding *finding)
{
    const char *before = check->found > 0 ? "," : "";
    check->found++;
    check->repaired += finding->is_repaired ? 1 : 0;
    if (!check->json)
        return write_text(check, finding);
    return write_json(check, before,
                      json_pack("{s:s,s:o,s:o,s:o,s:b}", "kind", finding->kind, "mailbox",
                                text_or_null(finding->mailbox), "uid",
                                finding->uid == 0 ? json_null() : json_integer(finding->uid), "text",
                                text_or_null(finding->text), "repaired", finding->is_repaired ? 1 : 0));
}

int check_report_end(struct check *check)
{
    AUTO_BUF struct buf line;
    unsigned long long messages = check->messages;
    unsigned long long found = check->found;
    unsigned long long repaired = check->repaired;
    buf_init(&line, LINE_MAX);
    if (check->json)
        buf_append_format(&line, "],\"mode\":\"%s\",\"messages\":%llu,\"found\":%llu,\"repaired\":%llu}\n",
                          check->quick ? "quick" : "full", messages, found, repaired);
    else if (found == 0)
        buf_append_format(&line, "%llu messages %s: all is well\n", messages, check->quick ? "looked for" : "read");
    else
        buf_append_format(&line, "%llu messages %s: %llu found, %llu repaired\n", messages,
                          check->quick ? "looked for" : "read", found, repaired);
    int result = buf_fault(&line);
    return result < 0 ? result : service_output(check->task, check->service, buf_span(&line));
}
