#include "trust/rspamd/verdict.h"

#include <errno.h>
#include <string.h>

#include "trust/json.h"

static const char *const action_names[RSPAMD_ACTION_COUNT] = {
    [RSPAMD_NO_ACTION] = "no action",     [RSPAMD_GREYLIST] = "greylist",
    [RSPAMD_ADD_HEADER] = "add header",   [RSPAMD_REWRITE_SUBJECT] = "rewrite subject",
    [RSPAMD_SOFT_REJECT] = "soft reject", [RSPAMD_REJECT] = "reject",
    [RSPAMD_DISCARD] = "discard",         [RSPAMD_QUARANTINE] = "quarantine",
};

const char *rspamd_action_name(enum rspamd_action action)
{
    return action_names[action];
}

static bool find_action(const char *name, enum rspamd_action *ret_action)
{
    for (size_t at = 0; name != NULL && at < RSPAMD_ACTION_COUNT; at++) {
        if (strcmp(name, action_names[at]) != 0)
            continue;
        *ret_action = (enum rspamd_action)at;
        return true;
    }
    return false;
}

static bool is_clean(span_t text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.at[at] < ' ' || text.at[at] == 0x7f)
            return false;
    }
    return true;
}

static bool is_ascii(span_t text)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.at[at] < ' ' || text.at[at] > '~')
            return false;
    }
    return true;
}

/* RFC 5322 §3.6.8 */
static bool is_field_name(span_t name)
{
    for (size_t at = 0; at < name.len; at++) {
        if (!ascii_is_print(name.at[at]) || name.at[at] == ':')
            return false;
    }
    return name.len > 0;
}

static int copy(const char *text, struct arena *arena, span_t *ret_copy)
{
    return arena_copy(arena, span_of_text(text), ret_copy);
}

static int read_symbols(json_t *symbols, struct arena *arena, struct rspamd_verdict *verdict)
{
    const char *name;
    json_t *value;
    json_object_foreach(symbols, name, value)
    {
        if (verdict->symbol_count == RSPAMD_SYMBOLS_MAX)
            return 0;
        if (!is_field_name(span_of_text(name)))
            continue;
        int result = copy(name, arena, &verdict->symbols[verdict->symbol_count]);
        if (result != 0)
            return result;
        verdict->symbol_count++;
    }
    return 0;
}

static int add_field(const char *name, const json_t *what, struct arena *arena, struct rspamd_verdict *verdict)
{
    const char *value = json_string_value(json_is_object(what) ? json_object_get(what, "value") : what);
    if (value == NULL || verdict->add_count == RSPAMD_FIELDS_MAX || !is_field_name(span_of_text(name)) ||
        !is_clean(span_of_text(value)))
        return 0;
    struct rspamd_field *field = &verdict->add[verdict->add_count];
    int result = copy(name, arena, &field->name);
    if (result == 0)
        result = copy(value, arena, &field->value);
    verdict->add_count += result == 0 ? 1 : 0;
    return result;
}

/* A field's value, an object that holds one, or a list of either. */
static int read_add(json_t *fields, struct arena *arena, struct rspamd_verdict *verdict)
{
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value)
    {
        size_t count = json_is_array(value) ? json_array_size(value) : 1;
        for (size_t at = 0; at < count; at++) {
            int result = add_field(name, json_is_array(value) ? json_array_get(value, at) : value, arena, verdict);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

static int read_remove(json_t *fields, struct arena *arena, struct rspamd_verdict *verdict)
{
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value)
    {
        if (verdict->remove_count == RSPAMD_FIELDS_MAX)
            return 0;
        if (!is_field_name(span_of_text(name)))
            continue;
        int result = copy(name, arena, &verdict->remove[verdict->remove_count]);
        if (result != 0)
            return result;
        verdict->remove_count++;
    }
    return 0;
}

static int read_texts(const json_t *root, struct arena *arena, struct rspamd_verdict *verdict)
{
    const char *subject = json_string_value(json_object_get(root, "subject"));
    const char *reply = json_string_value(json_object_get(json_object_get(root, "messages"), "smtp_message"));
    int result = 0;
    if (subject != NULL && is_clean(span_of_text(subject)))
        result = copy(subject, arena, &verdict->subject);
    if (result == 0 && reply != NULL && is_ascii(span_of_text(reply)))
        result = copy(reply, arena, &verdict->reply);
    return result;
}

static int read_verdict(const json_t *root, struct arena *arena, struct rspamd_verdict *verdict)
{
    const json_t *milter = json_object_get(root, "milter");
    if (!find_action(json_string_value(json_object_get(root, "action")), &verdict->action))
        return RSPAMD_MALFORMED;
    verdict->score = json_number_value(json_object_get(root, "score"));
    verdict->required = json_number_value(json_object_get(root, "required_score"));
    int result = read_texts(root, arena, verdict);
    if (result == 0)
        result = read_symbols(json_object_get(root, "symbols"), arena, verdict);
    if (result == 0)
        result = read_add(json_object_get(milter, "add_headers"), arena, verdict);
    if (result == 0)
        result = read_remove(json_object_get(milter, "remove_headers"), arena, verdict);
    return result;
}

int rspamd_verdict_read(span_t json, struct arena *arena, struct rspamd_verdict *ret_verdict)
{
    json_t *root = json_read(json, RSPAMD_ANSWER_MAX, RSPAMD_DEPTH_MAX);
    if (root == NULL)
        return RSPAMD_MALFORMED;
    *ret_verdict = (struct rspamd_verdict){.subject = SPAN(""), .reply = SPAN("")};
    int result = read_verdict(root, arena, ret_verdict);
    json_decref(root);
    return result;
}
