#include "tool/dns/keys.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#include "tool/control.h"
#include "tool/tool.h"

#define PROBLEM_MAX 512U
#define KEYS_PATIENCE 5 /* seconds: the rest of half a minute is the DNS's */

static void json_release(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON __attribute__((cleanup(json_release)))

static int add_key(struct facts *facts, const json_t *row, struct arena *arena)
{
    const char *selector = json_string_value(json_object_get(row, "selector"));
    const char *record = json_string_value(json_object_get(row, "record"));
    if (selector == NULL || record == NULL || facts->key_count == FACTS_KEYS_MAX)
        return 0;
    struct facts_key *key = &facts->keys[facts->key_count++];
    key->selector = arena_text(arena, span_of_text(selector));
    return key->selector == NULL ? -ENOMEM : arena_copy(arena, span_of_text(record), &key->record);
}

static int read_answer(struct facts *facts, span_t text, struct arena *arena)
{
    AUTO_JSON json_t *list = json_loadb((const char *)text.at, text.len, 0, NULL);
    int result = 0;
    for (size_t i = 0; result == 0 && i < json_array_size(list); i++)
        result = add_key(facts, json_array_get(list, i), arena);
    return result;
}

static int note_problem(struct facts *facts, span_t why, struct arena *arena)
{
    char problem[PROBLEM_MAX];
    const int len = why.len < PROBLEM_MAX / 2 ? (int)why.len : (int)PROBLEM_MAX / 2;
    (void)snprintf(problem, sizeof(problem), "the DKIM keys are missing here: %.*s", len, (const char *)why.at);
    if (facts->problem[0] != '\0')
        return 0;
    facts->problem = arena_text(arena, span_of_text(problem));
    return facts->problem == NULL ? -ENOMEM : 0;
}

int facts_ask_keys(struct facts *facts, struct arena *arena)
{
    char path[PATH_MAX];
    AUTO_BUF struct buf words;
    AUTO_BUF struct buf packet;
    struct control_answer answer = {.status = 1, .session_fd = -1};
    buf_init(&words, PROBLEM_MAX);
    buf_init(&packet, TOOL_PACKET_MAX);
    buf_init(&answer.output, TOOL_ANSWER_MAX);
    buf_init(&answer.error, TOOL_PACKET_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", facts->conf->server_data, TOOL_SOCKET_NAME);
    (void)buf_append(&words, SPAN("dkim\0list\0"));
    (void)buf_append(&words, span_of_text(facts->domain));
    (void)buf_append(&words, SPAN("\0--json\0"));
    int result = buf_fault(&words) != 0 ? buf_fault(&words) : control_write(buf_span(&words), SPAN_NONE, &packet);
    if (result == 0)
        result = control_ask(path, buf_span(&packet), KEYS_PATIENCE, &answer);
    if (result == -EAGAIN)
        result = note_problem(facts, SPAN("the server did not answer in time; see: waxwing status"), arena);
    else if (result < 0)
        result = note_problem(facts, SPAN("no server answers; start it with: waxwing serve"), arena);
    else if (answer.status != 0)
        result = note_problem(facts, span_trim(buf_span(&answer.error)), arena);
    else
        result = read_answer(facts, buf_span(&answer.output), arena);
    scope_close(&answer.session_fd);
    buf_deinit(&answer.output);
    buf_deinit(&answer.error);
    return result;
}
