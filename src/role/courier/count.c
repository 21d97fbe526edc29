#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "role/courier/courier-state.h"
#include "trust/tlsrpt/record.h"
#include "trust/tlsrpt/tally.h"

#define REASON_UNNAMED "the policy does not name this server"
#define LINES_OF_ITS_OWN 3U /* of an MTA-STS policy: version, mode, max_age */

/* --- the policy ------------------------------------------------------------------------------------------------- */

/* RFC 8460 §4.4: as the policy has it, a line each. */
static int describe_sts(struct arena *arena, const struct mtasts_policy *sts, struct tlsrpt_policy *policy)
{
    const char **lines = arena_alloc_array(arena, sts->pattern_count + LINES_OF_ITS_OWN, sizeof(*lines));
    const char **hosts = arena_alloc_array(arena, sts->pattern_count + 1, sizeof(*hosts));
    AUTO_BUF struct buf line;
    buf_init(&line, TLSRPT_STRING_MAX);
    if (lines == NULL || hosts == NULL)
        return -ENOMEM;
    lines[policy->string_count++] = "version: STSv1";
    (void)buf_append_format(&line, "mode: %s", mtasts_mode_name(sts->mode));
    lines[policy->string_count++] = arena_text(arena, buf_span(&line));
    for (size_t i = 0; i < sts->pattern_count; i++) {
        buf_clear(&line);
        (void)buf_append_format(&line, "mx: %.*s", SPAN_PRINT(sts->patterns[i]));
        lines[policy->string_count++] = arena_text(arena, buf_span(&line));
        hosts[policy->mx_count++] = arena_text(arena, sts->patterns[i]);
        if (hosts[i] == NULL)
            return -ENOMEM;
    }
    buf_clear(&line);
    (void)buf_append_format(&line, "max_age: %u", (unsigned)sts->max_age);
    lines[policy->string_count++] = arena_text(arena, buf_span(&line));
    for (size_t i = 0; i < policy->string_count; i++)
        if (lines[i] == NULL)
            return -ENOMEM;
    policy->strings = lines;
    policy->mx_hosts = hosts;
    return 0;
}

static int describe_records(struct arena *arena, const struct tls_demand *tls, struct tlsrpt_policy *policy)
{
    const char **lines = arena_alloc_array(arena, tls->record_count + 1, sizeof(*lines));
    AUTO_BUF struct buf line;
    buf_init(&line, TLSRPT_STRING_MAX);
    if (lines == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < tls->record_count; i++) {
        const struct tls_record *record = &tls->records[i];
        buf_clear(&line);
        (void)buf_append_format(&line, "%u %u %u ", record->usage, record->selector, record->matching);
        for (size_t byte = 0; byte < record->data.len && buf_fault(&line) == 0; byte++)
            (void)buf_append_format(&line, "%02X", record->data.at[byte]);
        lines[i] = arena_text(arena, buf_span(&line));
        if (lines[i] == NULL)
            return -ENOMEM;
    }
    policy->strings = lines;
    policy->string_count = tls->record_count;
    return 0;
}

static int describe(const struct connection *connection, struct tlsrpt_policy *policy)
{
    *policy = (struct tlsrpt_policy){.type = connection->demand.policy};
    if (policy->type == TLSRPT_STS && connection->policy != NULL)
        return describe_sts(connection->arena, connection->policy, policy);
    return policy->type == TLSRPT_TLSA ? describe_records(connection->arena, &connection->demand.tls, policy) : 0;
}

/* --- what happened ---------------------------------------------------------------------------------------------- */

static void note(struct connection *connection, const struct tlsrpt_policy *policy,
                 const struct tlsrpt_failure *failure)
{
    AUTO_BUF struct buf context;
    AUTO_BUF struct buf what;
    buf_init(&context, TALLY_CONTEXT_MAX);
    buf_init(&what, TALLY_WHAT_MAX);
    tlsrpt_tally_context(policy, &context);
    tlsrpt_tally_what(failure, &what);
    const struct tally_row row = {.kind = TALLY_TLS,
                                  .day = (uint32_t)(courier_seconds() / TALLY_DAY_SECONDS),
                                  .count = 1,
                                  .domain = span_of_text(connection->destination->name),
                                  .context = buf_span(&context),
                                  .what = buf_span(&what)};
    int result = buf_fault(&context) != 0 ? buf_fault(&context) : buf_fault(&what);
    if (result == 0)
        result = tally_row_write(&row, &connection->counted);
    if (result < 0)
        log_debug("courier.session.uncounted", F_FAULT(result));
}

/* What our own settings say of where mail goes, nobody else wants to hear of. */
static bool is_counted(const struct connection *connection)
{
    const struct destination *destination = connection->destination;
    return strcmp(connection->courier->conf->reports_tls, "on") == 0 && !destination->is_optional &&
           (connection->host == NULL || !demand_is_set(connection->host));
}

static void note_session(struct connection *connection, const struct tlsrpt_failure *failure)
{
    struct tlsrpt_policy policy;
    if (is_counted(connection) && describe(connection, &policy) == 0)
        note(connection, &policy, failure);
}

void count_failure(struct connection *connection, enum tlsrpt_result_type type, const char *reason)
{
    const struct tlsrpt_failure failure = {.type = type,
                                           .sending_ip = connection->source,
                                           .mx_host = connection->host->name,
                                           .receiving_ip = connection->address,
                                           .reason_code = reason};
    note_session(connection, &failure);
}

void count_unfetched(struct connection *connection, const struct sts_found *found)
{
    static const struct tlsrpt_policy policy = {.type = TLSRPT_STS};
    const struct tlsrpt_failure failure = {.type = found->failure, .reason_code = found->reason};
    if (is_counted(connection))
        note(connection, &policy, &failure);
}

void count_unopened(struct connection *connection)
{
    connection->source[0] = '\0';
    connection->address[0] = '\0';
    if (connection->demand.policy == TLSRPT_STS)
        count_failure(connection, TLSRPT_VALIDATION_FAILURE, REASON_UNNAMED);
    else
        count_failure(connection, TLSRPT_DNSSEC_INVALID, "");
}

/* RFC 8460 §4.3 */
static enum tlsrpt_result_type type_of(enum stream_tls_problem problem)
{
    static const enum tlsrpt_result_type types[] = {
        [STREAM_TLS_FINE] = TLSRPT_VALIDATION_FAILURE,        [STREAM_TLS_EXPIRED] = TLSRPT_CERTIFICATE_EXPIRED,
        [STREAM_TLS_NAME] = TLSRPT_CERTIFICATE_HOST_MISMATCH, [STREAM_TLS_UNTRUSTED] = TLSRPT_CERTIFICATE_NOT_TRUSTED,
        [STREAM_TLS_RECORDS] = TLSRPT_TLSA_INVALID,           [STREAM_TLS_OTHER] = TLSRPT_VALIDATION_FAILURE,
    };
    return types[problem];
}

static void count_encrypted(struct connection *connection)
{
    const struct demand *demand = &connection->demand;
    const enum stream_tls_problem problem = stream_tls_problem(connection->stream);
    if (demand->policy == TLSRPT_STS && problem != STREAM_TLS_FINE) /* of a policy that is being tested */
        count_failure(connection, type_of(problem), stream_tls_trouble(connection->stream));
    else if (demand->policy == TLSRPT_STS && demand->is_unnamed)
        count_failure(connection, TLSRPT_VALIDATION_FAILURE, REASON_UNNAMED);
    else
        note_session(connection, NULL);
}

/* The server has no STARTTLS that would work; where it let us come no further than its greeting, nobody can tell. */
static bool has_no_tls(const struct smtp_client *client, int result)
{
    if (result == 0)
        return client->settings.tls != SMTP_CLIENT_TLS_NEVER; /* that one has failed already */
    return result > 0 && client->settings.tls == SMTP_CLIENT_TLS_MUST &&
           ((client->extensions & SMTP_EXT_STARTTLS) != 0 ||
            (client->failure.code == 454 && client->failure.subject == 7 && client->failure.detail == 10));
}

void count_session(struct connection *connection, int result)
{
    const struct smtp_client *client = &connection->client;
    if (connection->stream == NULL)
        return; /* nobody was there */
    const char *trouble = stream_tls_trouble(connection->stream);
    if (client->is_tls)
        count_encrypted(connection);
    else if (client->state == SMTP_CLIENT_AT_HANDSHAKE)
        count_failure(connection, type_of(stream_tls_problem(connection->stream)),
                      trouble[0] != '\0' ? trouble : strerror(-result));
    else if (has_no_tls(client, result))
        count_failure(connection, TLSRPT_STARTTLS_NOT_SUPPORTED, "");
}

/* --- telling ---------------------------------------------------------------------------------------------------- */

/* Who wants no reports is not written down. Where that cannot be told now, it is found out when the report is due. */
void count_tell(struct connection *connection, const struct routing *routing)
{
    struct tlsrpt_addresses addresses;
    struct tally_row row;
    span_t rows = buf_span(&connection->counted);
    if (rows.len == 0 || tlsrpt_record_find(routing->lookup, connection->destination->name, routing->arena,
                                            &addresses) == TLSRPT_RECORD_NONE)
        return;
    while (tally_row_next(&rows, &row))
        tallier_add(connection->courier->tallier, &row);
}
