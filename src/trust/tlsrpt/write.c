#include "trust/tlsrpt/report.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

/*
 * Jansson remembers nothing of what could not be added, so whoever adds says so. A member that is NULL is left out.
 */
static bool put_text(json_t *object, const char *key, const char *value)
{
    return value == NULL || json_object_set_new(object, key, json_string(value)) == 0;
}

static bool put_count(json_t *object, const char *key, uint64_t value)
{
    return json_object_set_new(object, key, json_integer((json_int_t)value)) == 0;
}

static bool put_list(json_t *object, const char *key, const char *const *texts, size_t count)
{
    json_t *list = json_array();
    bool is_done = list != NULL;
    for (size_t at = 0; is_done && at < count; at++)
        is_done = json_array_append_new(list, json_string(texts[at])) == 0;
    return json_object_set_new(object, key, list) == 0 && is_done;
}

/* Adds a new object at key and returns it; the parent owns it. NULL without memory. */
static json_t *put_object(json_t *parent, const char *key)
{
    json_t *object = json_object();
    return json_object_set_new(parent, key, object) == 0 ? object : NULL;
}

static json_t *append_object(json_t *list)
{
    json_t *object = json_object();
    return json_array_append_new(list, object) == 0 ? object : NULL;
}

/* RFC 3339 in UTC, as RFC 8460 §4.4 wants it. */
static bool put_time(json_t *object, const char *key, int64_t seconds)
{
    char text[40];
    struct tm parts;
    time_t when = (time_t)seconds;
    if (gmtime_r(&when, &parts) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return false;
    return put_text(object, key, text);
}

static bool put_policy(json_t *parent, const struct tlsrpt_policy *policy)
{
    json_t *object = put_object(parent, "policy");
    if (object == NULL || !put_text(object, "policy-type", tlsrpt_policy_type_name(policy->type)))
        return false;
    if (policy->string_count > 0 && !put_list(object, "policy-string", policy->strings, policy->string_count))
        return false;
    if (policy->mx_count > 0 && !put_list(object, "mx-host", policy->mx_hosts, policy->mx_count))
        return false;
    return put_text(object, "policy-domain", policy->domain);
}

static bool put_summary(json_t *parent, const struct tlsrpt_policy *policy)
{
    json_t *object = put_object(parent, "summary");
    return object != NULL && put_count(object, "total-successful-session-count", policy->successful) &&
           put_count(object, "total-failure-session-count", policy->failed);
}

static bool put_failure(json_t *list, const struct tlsrpt_failure *failure)
{
    json_t *object = append_object(list);
    return object != NULL && put_text(object, "result-type", tlsrpt_result_type_name(failure->type)) &&
           put_text(object, "sending-mta-ip", failure->sending_ip) &&
           put_text(object, "receiving-mx-hostname", failure->mx_host) &&
           put_text(object, "receiving-mx-helo", failure->mx_helo) &&
           put_text(object, "receiving-ip", failure->receiving_ip) &&
           put_count(object, "failed-session-count", failure->sessions) &&
           put_text(object, "failure-reason-code", failure->reason_code);
}

static bool put_failures(json_t *parent, const struct tlsrpt_policy *policy)
{
    if (policy->failure_count == 0)
        return true;
    json_t *list = json_array();
    if (json_object_set_new(parent, "failure-details", list) != 0)
        return false;
    for (size_t at = 0; at < policy->failure_count; at++) {
        if (!put_failure(list, &policy->failures[at]))
            return false;
    }
    return true;
}

static bool put_report(json_t *root, const struct tlsrpt_report *report)
{
    if (!put_text(root, "organization-name", report->organization))
        return false;
    json_t *range = put_object(root, "date-range");
    if (range == NULL || !put_time(range, "start-datetime", report->start) ||
        !put_time(range, "end-datetime", report->end))
        return false;
    if (!put_text(root, "contact-info", report->contact) || !put_text(root, "report-id", report->id))
        return false;
    json_t *policies = json_array();
    if (json_object_set_new(root, "policies", policies) != 0)
        return false;
    for (size_t at = 0; at < report->policy_count; at++) {
        json_t *object = append_object(policies);
        const struct tlsrpt_policy *policy = &report->policies[at];
        if (object == NULL || !put_policy(object, policy) || !put_summary(object, policy) ||
            !put_failures(object, policy))
            return false;
    }
    return true;
}

static int append_json(const char *bytes, size_t size, void *context)
{
    return buf_append(context, span_of(bytes, size)) == 0 ? 0 : -1;
}

int tlsrpt_report_write(const struct tlsrpt_report *report, struct buf *json)
{
    json_t *root = json_object();
    int result = root != NULL && put_report(root, report) ? 0 : -ENOMEM;
    if (result == 0 && json_dump_callback(root, append_json, json, JSON_INDENT(1)) != 0)
        result = buf_fault(json) != 0 ? buf_fault(json) : -ENOMEM;
    json_decref(root);
    return result;
}
