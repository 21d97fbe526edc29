#include "vault/origin.h"

#include "base/hash.h"
#include "vault/engine.h"

#define PLACES_MAX 64U /* of one email; in further mailboxes its flags stay */

static int64_t number_of(const struct vault *vault, span_t origin)
{
    return (int64_t)hash_keyed(vault->hash_key, origin);
}

int vault_origin_find(struct vault *vault, span_t origin)
{
    int64_t found = 0;
    return engine_ask(vault, STATEMENT_ORIGIN_FIND, NUMBERS(number_of(vault, origin)), &found);
}

int vault_origin_add(struct vault *vault, span_t origin, uint64_t email, uint64_t flags)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = engine_run(vault, STATEMENT_ORIGIN_ADD, NUMBERS(number_of(vault, origin), (int64_t)email, (int64_t)flags));
    return engine_step_end(vault, &step, result);
}

/* --- changes at the source --- */

struct place {
    uint64_t mailbox;
    uint32_t uid;
};

struct places {
    struct place places[PLACES_MAX];
    size_t count;
};

static int note_place(void *arg, uint64_t mailbox, uint32_t uid)
{
    struct places *places = arg;
    if (places->count < PLACES_MAX)
        places->places[places->count++] = (struct place){mailbox, uid};
    return 0;
}

static int store(struct vault *vault, const struct place *place, enum vault_flag_mode mode, uint64_t flags)
{
    struct vault_range range = {place->uid, place->uid};
    struct vault_flag_change change = {.mode = mode, .flags = flags, .unchanged_since = UINT64_MAX};
    return flags == 0 ? 0 : vault_member_store(vault, place->mailbox, &range, 1, &change);
}

static int get(struct vault *vault, span_t origin, uint64_t *ret_email, uint64_t *ret_flags)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_ORIGIN_GET, NUMBERS(number_of(vault, origin)), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    *ret_email = (uint64_t)sqlite3_column_int64(statement, 0);
    *ret_flags = (uint64_t)sqlite3_column_int64(statement, 1);
    return 0;
}

static int follow(struct vault *vault, uint64_t email, uint64_t added, uint64_t removed, bool *ret_is_here)
{
    struct places places = {.count = 0};
    int result = vault_email_mailboxes(vault, email, note_place, &places);
    for (size_t i = 0; result == 0 && i < places.count; i++) {
        result = store(vault, &places.places[i], VAULT_FLAGS_ADD, added);
        if (result == 0)
            result = store(vault, &places.places[i], VAULT_FLAGS_REMOVE, removed);
    }
    *ret_is_here = places.count > 0;
    return result;
}

int vault_origin_follow(struct vault *vault, span_t origin, uint64_t flags, bool *ret_changed)
{
    uint64_t email = 0;
    uint64_t before = 0;
    bool is_here = false;
    struct engine_step step;
    *ret_changed = false;
    int result = get(vault, origin, &email, &before);
    if (result != 0 || email == 0 || before == flags)
        return result;
    result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = follow(vault, email, flags & ~before, before & ~flags, &is_here);
    if (result == 0)
        result = engine_run(vault, STATEMENT_ORIGIN_FLAGS, NUMBERS(number_of(vault, origin), (int64_t)flags));
    result = engine_step_end(vault, &step, result);
    *ret_changed = result == 0 && is_here;
    return result;
}

int vault_origin_count(struct vault *vault, uint64_t *ret_count)
{
    int64_t count = 0;
    int result = engine_ask(vault, STATEMENT_ORIGIN_COUNT, NO_NUMBERS, &count);
    if (result == 0)
        *ret_count = (uint64_t)count;
    return result;
}
