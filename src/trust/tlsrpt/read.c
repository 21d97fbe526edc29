#include "trust/tlsrpt/report.h"

#include <errno.h>

#include "mime/date.h"
#include "trust/json.h"
#include "trust/tlsrpt/name.h"

/* A member's text, copied; NULL where it is missing or no text. */
static int get_text(const json_t *object, const char *key, struct arena *arena, const char **ret_text)
{
    const char *value = json_string_value(json_object_get(object, key));
    *ret_text = value == NULL ? NULL : arena_text(arena, span_of_text(value));
    return value != NULL && *ret_text == NULL ? -ENOMEM : 0;
}

static uint64_t get_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 ? 0 : (uint64_t)value;
}

/* A list of texts, or one text by itself, as some write it. What is no text in it is left out. */
static int get_list(const json_t *object, const char *key, struct arena *arena, size_t *ret_count,
                    const char *const **ret_texts)
{
    const json_t *value = json_object_get(object, key);
    size_t total = json_is_array(value) ? json_array_size(value) : json_is_string(value) ? 1 : 0;
    if (total > TLSRPT_STRINGS_MAX)
        return TLSRPT_MALFORMED;
    *ret_count = 0;
    if (total == 0)
        return 0;
    const char **texts = arena_alloc_array(arena, total, sizeof(*texts));
    if (texts == NULL)
        return -ENOMEM;
    for (size_t at = 0; at < total; at++) {
        const char *text = json_string_value(json_is_array(value) ? json_array_get(value, at) : value);
        if (text == NULL)
            continue;
        texts[*ret_count] = arena_text(arena, span_of_text(text));
        if (texts[*ret_count] == NULL)
            return -ENOMEM;
        (*ret_count)++;
    }
    *ret_texts = texts;
    return 0;
}

static bool get_digits(span_t text, size_t at, size_t len, int64_t *ret_value)
{
    uint64_t value;
    if (text.len < at + len || span_to_u64(span_slice(text, at, len), 9999, &value) != 0)
        return false;
    *ret_value = (int64_t)value;
    return true;
}

/* RFC 3339 §5.6; fractions of a second are passed over, and a zone is undone. */
static bool get_time(const json_t *object, const char *key, int64_t *ret_seconds)
{
    span_t text = span_of_text(json_string_value(json_object_get(object, key)));
    int64_t year, month, day, hour, minute, second;
    if (!get_digits(text, 0, 4, &year) || !get_digits(text, 5, 2, &month) || !get_digits(text, 8, 2, &day) ||
        !get_digits(text, 11, 2, &hour) || !get_digits(text, 14, 2, &minute) || !get_digits(text, 17, 2, &second))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds = ((mime_date_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    span_t zone = span_from(text, 19);
    while (zone.len > 0 && (zone.at[0] == '.' || ascii_is_digit(zone.at[0])))
        zone = span_from(zone, 1);
    int64_t zone_hours = 0;
    int64_t zone_minutes = 0;
    if (zone.len > 0 && (zone.at[0] == '+' || zone.at[0] == '-')) {
        if (!get_digits(zone, 1, 2, &zone_hours) || !get_digits(zone, 4, 2, &zone_minutes))
            return false;
        seconds -= (zone.at[0] == '+' ? 60 : -60) * (zone_hours * 60 + zone_minutes);
    }
    *ret_seconds = seconds;
    return true;
}

static int get_failure(const json_t *object, struct arena *arena, struct tlsrpt_failure *failure)
{
    const struct {
        const char *key;
        const char **ret_text;
    } texts[] = {
        {"sending-mta-ip", &failure->sending_ip},       {"receiving-mx-hostname", &failure->mx_host},
        {"receiving-mx-helo", &failure->mx_helo},       {"receiving-ip", &failure->receiving_ip},
        {"failure-reason-code", &failure->reason_code},
    };
    for (size_t at = 0; at < COUNT_OF(texts); at++) {
        int result = get_text(object, texts[at].key, arena, texts[at].ret_text);
        if (result != 0)
            return result;
    }
    failure->sessions = get_count(object, "failed-session-count");
    return 0;
}

static int get_failures(const json_t *list, struct arena *arena, struct tlsrpt_policy *policy)
{
    size_t total = json_array_size(list);
    if (total > TLSRPT_FAILURES_MAX)
        return TLSRPT_MALFORMED;
    if (total == 0)
        return 0;
    struct tlsrpt_failure *failures = arena_alloc_array(arena, total, sizeof(*failures));
    if (failures == NULL)
        return -ENOMEM;
    for (size_t at = 0; at < total; at++) {
        const json_t *object = json_array_get(list, at);
        struct tlsrpt_failure *failure = &failures[policy->failure_count];
        const char *type = json_string_value(json_object_get(object, "result-type"));
        if (type == NULL || !tlsrpt_result_type_find(type, &failure->type))
            continue;
        int result = get_failure(object, arena, failure);
        if (result != 0)
            return result;
        policy->failure_count++;
    }
    policy->failures = failures;
    return 0;
}

/* TLSRPT_OK with a domain in *policy, or without one where the policy is none that we know. */
static int get_policy(const json_t *object, struct arena *arena, struct tlsrpt_policy *policy)
{
    const json_t *what = json_object_get(object, "policy");
    const json_t *summary = json_object_get(object, "summary");
    const char *type = json_string_value(json_object_get(what, "policy-type"));
    if (type == NULL || !tlsrpt_policy_type_find(type, &policy->type))
        return TLSRPT_OK;
    int result = get_text(what, "policy-domain", arena, &policy->domain);
    if (result == 0)
        result = get_list(what, "policy-string", arena, &policy->string_count, &policy->strings);
    if (result == 0)
        result = get_list(what, "mx-host", arena, &policy->mx_count, &policy->mx_hosts);
    if (result == 0)
        result = get_failures(json_object_get(object, "failure-details"), arena, policy);
    policy->successful = get_count(summary, "total-successful-session-count");
    policy->failed = get_count(summary, "total-failure-session-count");
    return result;
}

static int get_policies(const json_t *list, struct arena *arena, struct tlsrpt_report *report)
{
    size_t total = json_array_size(list);
    if (!json_is_array(list) || total > TLSRPT_POLICIES_MAX)
        return TLSRPT_MALFORMED;
    struct tlsrpt_policy *policies = arena_alloc_array(arena, total + 1, sizeof(*policies));
    if (policies == NULL)
        return -ENOMEM;
    for (size_t at = 0; at < total; at++) {
        struct tlsrpt_policy policy = {0};
        int result = get_policy(json_array_get(list, at), arena, &policy);
        if (result != 0)
            return result;
        if (policy.domain != NULL)
            policies[report->policy_count++] = policy;
    }
    report->policies = policies;
    return TLSRPT_OK;
}

static int get_report(const json_t *root, struct arena *arena, struct tlsrpt_report *report)
{
    const json_t *range = json_object_get(root, "date-range");
    if (!get_time(range, "start-datetime", &report->start) || !get_time(range, "end-datetime", &report->end))
        return TLSRPT_MALFORMED;
    int result = get_text(root, "organization-name", arena, &report->organization);
    if (result == 0)
        result = get_text(root, "contact-info", arena, &report->contact);
    if (result == 0)
        result = get_text(root, "report-id", arena, &report->id);
    return result == 0 ? get_policies(json_object_get(root, "policies"), arena, report) : result;
}

int tlsrpt_report_read(span_t json, struct arena *arena, struct tlsrpt_report *ret_report)
{
    json_t *root = json_read(json, TLSRPT_REPORT_MAX, TLSRPT_DEPTH_MAX);
    if (root == NULL)
        return TLSRPT_MALFORMED;
    struct tlsrpt_report report = {0};
    int result = get_report(root, arena, &report);
    json_decref(root);
    if (result == TLSRPT_OK)
        *ret_report = report;
    return result;
}
