#include <errno.h>
#include <string.h>

#include "ipc/envelope.h"
#include "proto/smtp/xtext.h"
#include "role/keeper/directory-state.h"

int directory_address_look_up(struct directory *directory, const struct name *name, struct directory_place *ret_place)
{
    uint64_t domain = 0;
    sqlite3_stmt *statement = NULL;
    int result = directory_domain_id(directory, name->domain, &domain);
    if (result != DIRECTORY_OK)
        return result < 0 ? result : (int)DIRECTORY_NO_DOMAIN;
    result =
        directory_query(directory, STATEMENT_ADDRESS_OWN, VALUES(AS_NUMBER(domain), AS_TEXT(name->local)), &statement);
    if (result == 0)
        result = database_step(statement);
    if (result < 0)
        return result;
    *ret_place =
        (struct directory_place){.domain = domain, .own = result == 1 && database_read_number(statement, 0) == 1};
    sqlite3_reset(statement);
    return result == 1 ? DIRECTORY_OK : DIRECTORY_NONE;
}

int directory_address_exists(struct directory *directory, const struct name *name)
{
    struct directory_place place;
    return directory_address_look_up(directory, name, &place);
}

int directory_address_remove(struct directory *directory, const struct name *name)
{
    struct directory_place place;
    int result = directory_address_look_up(directory, name, &place);
    if (result != DIRECTORY_OK)
        return result;
    result =
        directory_change(directory, STATEMENT_ADDRESS_REMOVE, VALUES(AS_NUMBER(place.domain), AS_TEXT(name->local)));
    return result < 0 ? result : result > 0 ? (int)DIRECTORY_OK : (int)DIRECTORY_IN_USE;
}

int directory_address_each(struct directory *directory, const struct directory_address *after,
                           directory_address_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result =
        directory_query(directory, STATEMENT_ADDRESS_EACH,
                        VALUES(AS_TEXT(after->domain), AS_TEXT(after->local), AS_TEXT(after->account)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        struct directory_address address = {.local = (const char *)sqlite3_column_text(statement, 0),
                                            .domain = (const char *)sqlite3_column_text(statement, 1),
                                            .account = (const char *)sqlite3_column_text(statement, 2)};
        result = row(arg, &address);
    }
    sqlite3_reset(statement);
    return result;
}

/* --- resolving --- */

#define ORCPT_MAX 2048U /* an address, each byte of which may take three */

struct target {
    const char *elsewhere; /* an address that mail is sent on to; else NULL, and an account: */
    uint64_t account;
    uint8_t public_key[32];
    bool is_locked;
    bool is_full;
};

typedef int target_row(void *arg, const struct target *target);

/* Calls row for each target of an address; the number of targets, or a fault. */
static int targets_each(struct directory *directory, enum statement which, uint64_t domain, const char *local,
                        target_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int count = 0;
    struct database_values values = VALUES(AS_NUMBER(domain), AS_TEXT(local));
    if (local == NULL)
        values.count = 1;
    int result = directory_query(directory, which, values, &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        struct target target = {.account = database_read_number(statement, 0),
                                .is_locked = database_read_number(statement, 2) == ACCOUNT_LOCKED,
                                .is_full = database_read_number(statement, 3) != 0};
        result = database_read_blob(statement, 1, target.public_key, sizeof(target.public_key)) ? 0 : -EBADMSG;
        if (result == 0)
            result = row(arg, &target);
        count++;
    }
    sqlite3_reset(statement);
    return result < 0 ? result : count;
}

/* The same for what is sent on from it. */
static int forwards_each(struct directory *directory, uint64_t domain, const char *local, target_row *row, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int count = 0;
    int result =
        directory_query(directory, STATEMENT_FORWARD_TARGETS, VALUES(AS_NUMBER(domain), AS_TEXT(local)), &statement);
    while (result == 0 && (result = database_step(statement)) == 1) {
        const struct target target = {.elsewhere = (const char *)sqlite3_column_text(statement, 0)};
        result = target.elsewhere != NULL ? row(arg, &target) : -EBADMSG;
        count++;
    }
    sqlite3_reset(statement);
    return result < 0 ? result : count;
}

/* Accounts first, so that who comes afterwards knows of them. */
static int step_each(struct directory *directory, uint64_t domain, const char *local, target_row *row, void *arg)
{
    int accounts = targets_each(directory, STATEMENT_ADDRESS_TARGETS, domain, local, row, arg);
    int forwards = accounts < 0 ? accounts : forwards_each(directory, domain, local, row, arg);
    return forwards < 0 ? forwards : accounts + forwards;
}

void directory_set_reports(struct directory *directory, const char *local)
{
    directory->reports_local = local;
}

static bool is_for_reports(const struct directory *directory, const struct name *asked)
{
    struct name name = *asked;
    const span_t local = span_of_text(directory->reports_local);
    (void)name_cut_detail(&name);
    return local.len > 0 && span_equal_nocase(span_of_text(name.local), local);
}

/* In the order of directory.h: the first step that has targets is taken. */
static int targets_walk(struct directory *directory, const struct name *asked, uint64_t domain, target_row *row,
                        void *arg)
{
    struct name name = *asked;
    int count = step_each(directory, domain, name.local, row, arg);
    if (count == 0 && name_cut_detail(&name))
        count = step_each(directory, domain, name.local, row, arg);
    if (count == 0 && is_for_reports(directory, asked))
        return 0;
    if (count == 0)
        count = step_each(directory, domain, "", row, arg);
    if (count == 0 && strcmp(name.local, "postmaster") == 0)
        count = targets_each(directory, STATEMENT_ADDRESS_OLDEST, domain, NULL, row, arg);
    return count;
}

int directory_domain_first(struct directory *directory, char ret_domain[NAME_DOMAIN_MAX + 1])
{
    sqlite3_stmt *statement = NULL;
    int result = directory_query(directory, STATEMENT_DOMAIN_FIRST, NO_VALUES, &statement);
    if (result == 0)
        result = database_step(statement);
    ret_domain[0] = '\0';
    if (result != 1)
        return result;
    bool fits = database_read_text(statement, 0, ret_domain, NAME_DOMAIN_MAX + 1);
    sqlite3_reset(statement);
    return fits ? 0 : -EBADMSG;
}

/* "postmaster" alone (RFC 5321 §4.5.1) is that of the domain that came first. */
static int parse_recipient(struct directory *directory, span_t address, struct name *name)
{
    if (!span_equal_nocase(address, SPAN("postmaster")))
        return name_parse(address, name);
    memcpy(name->local, "postmaster", sizeof("postmaster"));
    int result = directory_domain_first(directory, name->domain);
    return result < 0 ? result : name->domain[0] != '\0' ? (int)NAME_OK : (int)NAME_BAD;
}

struct resolving {
    struct buf *rows;
    struct buf *forwards;
    struct buf orcpt; /* of those */
    unsigned found;
    unsigned full;
    unsigned locked;
};

/* One nobody else is told of: whoever writes to the address hears of failures at the address. */
static int resolve_forward(struct resolving *resolving, const char *target)
{
    const struct envelope_recipient row = {
        .notify = (uint8_t)(ENVELOPE_FORWARD | (resolving->found > 0 ? ENVELOPE_KEPT : 0U)),
        .address = span_of_text(target),
        .orcpt = buf_span(&resolving->orcpt),
    };
    return envelope_recipient_write(&row, resolving->forwards);
}

static int resolve_row(void *arg, const struct target *target)
{
    struct resolving *resolving = arg;
    if (target->elsewhere != NULL)
        return resolve_forward(resolving, target->elsewhere);
    resolving->locked += target->is_locked;
    if (target->is_locked)
        return 0;
    struct recipient_row row = {.account = target->account, .public_key = target->public_key};
    uint8_t bytes[RECIPIENT_ROW_SIZE];
    recipient_row_put(bytes, &row);
    resolving->found++;
    resolving->full += target->is_full;
    return buf_append(resolving->rows, span_of(bytes, sizeof(bytes)));
}

static int write_orcpt(span_t address, const struct name *name, struct buf *orcpt)
{
    AUTO_BUF struct buf whole;
    buf_init(&whole, ACCOUNT_ADDRESS_MAX + 1);
    if (span_find_byte(address, '@') == address.len) {
        int result = name_write(name, &whole);
        if (result != 0)
            return result;
        address = buf_span(&whole);
    }
    return smtp_orcpt_write(address, orcpt);
}

static int add_reports(struct resolving *resolving)
{
    const struct target target = {.account = REPORTS_ACCOUNT};
    return resolve_row(resolving, &target);
}

/* user@[192.0.2.1] (RFC 5321 §4.1.3): in no domain, so in none of ours. */
static bool has_literal(span_t address)
{
    size_t at = span_find_last_byte(address, '@');
    return at + 1 < address.len && address.at[at + 1] == '[' && span_ends(address, SPAN("]"));
}

int directory_resolve(struct directory *directory, span_t address, struct buf *rows, struct buf *forwards)
{
    struct name name;
    uint64_t domain = 0;
    int result = parse_recipient(directory, address, &name);
    if (result != NAME_OK)
        return result < 0 ? result : has_literal(address) ? (int)RESOLVE_REMOTE : (int)RESOLVE_UNKNOWN;
    result = directory_domain_id(directory, name.domain, &domain);
    if (result != DIRECTORY_OK)
        return result < 0 ? result : (int)RESOLVE_REMOTE;
    struct resolving resolving = {.rows = rows, .forwards = forwards};
    buf_init(&resolving.orcpt, ORCPT_MAX);
    int count = write_orcpt(address, &name, &resolving.orcpt);
    if (count == 0)
        count = targets_walk(directory, &name, domain, resolve_row, &resolving);
    buf_deinit(&resolving.orcpt);
    if (count < 0)
        return count;
    bool is_full = resolving.found > 0 && resolving.full == resolving.found;
    if (!is_full && is_for_reports(directory, &name)) {
        result = add_reports(&resolving);
        return result < 0 ? result : (int)RESOLVE_LOCAL;
    }
    if (count == 0)
        return RESOLVE_UNKNOWN;
    if (resolving.found == 0 && resolving.locked > 0)
        return RESOLVE_LOCKED;
    return is_full ? RESOLVE_FULL : RESOLVE_LOCAL;
}

struct sending {
    uint64_t account;
    bool allowed;
};

static int sending_row(void *arg, const struct target *target)
{
    struct sending *sending = arg;
    if (target->elsewhere == NULL && target->account == sending->account && !target->is_locked)
        sending->allowed = true;
    return 0;
}

int directory_may_send(struct directory *directory, uint64_t account, span_t address)
{
    struct name name;
    uint64_t domain = 0;
    int result = name_parse(address, &name);
    if (result != NAME_OK)
        return result < 0 ? result : (int)DIRECTORY_NONE;
    result = directory_domain_id(directory, name.domain, &domain);
    if (result != DIRECTORY_OK)
        return result;
    struct sending sending = {.account = account};
    int count = targets_walk(directory, &name, domain, sending_row, &sending);
    if (count < 0)
        return count;
    return sending.allowed ? DIRECTORY_OK : DIRECTORY_NONE;
}
