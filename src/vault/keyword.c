#include "vault/keyword.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "vault/engine.h"

static uint64_t mask_of(size_t slot)
{
    return UINT64_C(1) << (VAULT_KEYWORD_FIRST + slot);
}

/* RFC 3501 §9: flag-keyword = atom. */
static bool is_atom(span_t name)
{
    static const span_t specials = {(const uint8_t *)"(){%*\"\\]", 8};
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_print(name.at[i]) || span_find_byte(specials, name.at[i]) < specials.len)
            return false;
    return name.len > 0;
}

int vault_keyword_find(const struct vault *vault, span_t name, uint64_t *ret_mask)
{
    for (size_t slot = 0; slot < VAULT_KEYWORDS_MAX; slot++)
        if (vault->keywords[slot] != NULL && span_equal_nocase(span_of_text(vault->keywords[slot]), name)) {
            *ret_mask = mask_of(slot);
            return 0;
        }
    return VAULT_NOT_FOUND;
}

static int add(struct vault *vault, span_t name, size_t slot)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_KEYWORD_ADD, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, name);
    if (result == 0)
        result = engine_fault(vault, sqlite3_bind_int64(statement, 2, (int64_t)(slot + VAULT_KEYWORD_FIRST)));
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int use_slot(struct vault *vault, span_t name, size_t slot)
{
    AUTO_FREE char *kept = mem_new(name.len + 1);
    if (kept == NULL)
        return -ENOMEM;
    memcpy(kept, name.at, name.len);
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = engine_step_end(vault, &step, add(vault, name, slot));
    if (result == 0)
        vault->keywords[slot] = TAKE(kept);
    return result;
}

int vault_keyword_use(struct vault *vault, span_t name, uint64_t *ret_mask)
{
    int result = vault_keyword_find(vault, name, ret_mask);
    if (result != VAULT_NOT_FOUND)
        return result;
    if (!is_atom(name))
        return VAULT_NAME_BAD;
    if (name.len > VAULT_KEYWORD_NAME_MAX)
        return VAULT_LIMIT;
    size_t slot = 0;
    while (slot < VAULT_KEYWORDS_MAX && vault->keywords[slot] != NULL)
        slot++;
    if (slot == VAULT_KEYWORDS_MAX)
        return VAULT_LIMIT;
    result = use_slot(vault, name, slot);
    if (result == 0)
        *ret_mask = mask_of(slot);
    return result;
}

const char *vault_keyword_name(const struct vault *vault, unsigned bit)
{
    if (bit < VAULT_KEYWORD_FIRST || bit >= VAULT_KEYWORD_FIRST + VAULT_KEYWORDS_MAX)
        return NULL;
    return vault->keywords[bit - VAULT_KEYWORD_FIRST];
}

static int load_row(struct vault *vault, sqlite3_stmt *statement, uint64_t *loaded)
{
    int64_t slot = sqlite3_column_int64(statement, 0) - VAULT_KEYWORD_FIRST;
    const char *name = (const char *)sqlite3_column_text(statement, 1);
    if (slot < 0 || slot >= VAULT_KEYWORDS_MAX || name == NULL)
        return -EBADMSG;
    *loaded |= mask_of((size_t)slot);
    if (vault->keywords[slot] == NULL)
        vault->keywords[slot] = mem_copy_text(name);
    return vault->keywords[slot] == NULL ? -ENOMEM : 0;
}

/* Names that stay keep their memory, as they are lent out. */
int engine_keywords_load(struct vault *vault)
{
    sqlite3_stmt *statement = NULL;
    int prepared = sqlite3_prepare_v2(vault->database, "SELECT bit, name FROM keyword", -1, &statement, NULL);
    if (prepared != SQLITE_OK) /* before the first schema there are none */
        return (prepared & 0xff) == SQLITE_ERROR ? 0 : engine_fault(vault, prepared);
    uint64_t loaded = 0;
    int result = engine_next(vault, statement);
    while (result == ENGINE_ROW) {
        result = load_row(vault, statement, &loaded);
        if (result == 0)
            result = engine_next(vault, statement);
    }
    (void)sqlite3_finalize(statement);
    for (size_t slot = 0; result == 0 && slot < VAULT_KEYWORDS_MAX; slot++)
        if ((loaded & mask_of(slot)) == 0)
            scope_free(&vault->keywords[slot]);
    return result;
}

void engine_keywords_free(struct vault *vault)
{
    for (size_t slot = 0; slot < VAULT_KEYWORDS_MAX; slot++)
        scope_free(&vault->keywords[slot]);
}
