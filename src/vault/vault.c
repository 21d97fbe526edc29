#include "vault/vault.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/secret.h"
#include "vault/engine.h"
#include "vault/index.h"
#include "vault/memory.h"
#include "vault/vfs.h"

#define FILE_NAME "/vault.db"
#define WAL_FRAMES_KEPT 64 /* as the vault is closed for a while: read again in less than a millisecond */
#define CACHE_KIB "8192"   /* at most; given back at each rest. The rows of a hundred thousand members fit */

int vault_prepare(void)
{
    static const uint8_t key[AEAD_KEY_SIZE];
    static const uint8_t nonce[AEAD_NONCE_SIZE];
    uint8_t tag[AEAD_TAG_SIZE];
    AUTO(aead) struct aead *aead = NULL;
    int result = vfs_prepare();
    if (result == 0)
        result = aead_new(key, &aead);
    memory_mark();
    return result < 0 ? result : aead_seal(aead, nonce, SPAN_NONE, SPAN_NONE, NULL, tag);
}

static int make_folder(const char *folder)
{
    return mkdir(folder, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int open_database(const char *folder, const uint8_t *key, sqlite3 **ret_database)
{
    size_t len = strlen(folder);
    AUTO_FREE char *path = mem_new(len + sizeof(FILE_NAME));
    if (path == NULL)
        return -ENOMEM;
    memcpy(path, folder, len);
    memcpy(path + len, FILE_NAME, sizeof(FILE_NAME));
    return vfs_open(path, key, ret_database);
}

int vault_open(const char *folder, const uint8_t key[32], uint32_t now_seconds, struct vault **ret_vault)
{
    int result = make_folder(folder);
    if (result != 0)
        return result;
    AUTO(vault) struct vault *vault = mem_new(sizeof(*vault));
    if (vault == NULL)
        return -ENOMEM;
    vault->durability = VAULT_DURABLE;
    engine_sorting_init(vault);
    buf_init(&vault->cache, 2 * (size_t)VAULT_CACHE_MAX);
    result = open_database(folder, key, &vault->database);
    if (result == 0)
        result = engine_execute(vault, "PRAGMA cache_size=-" CACHE_KIB);
    if (result == 0)
        result = engine_schema(vault, now_seconds);
    if (result != 0)
        return result;
    *ret_vault = TAKE(vault);
    return 0;
}

void vault_free(struct vault *vault)
{
    if (vault == NULL)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(vault->statements[i]);
    int closed = sqlite3_close(vault->database);
    assert(closed == SQLITE_OK); /* a statement somebody forgot */
    engine_keywords_free(vault);
    engine_references_forget(vault);
    engine_sorting_forget(vault);
    buf_deinit(&vault->cache);
    vault_index_rest(vault);
    secret_wipe(vault->hash_key, sizeof(vault->hash_key));
    scope_free(&vault);
}

static int set_durability(struct vault *vault, enum vault_durability durability)
{
    if (vault->durability == durability)
        return 0;
    int result =
        engine_execute(vault, durability == VAULT_DURABLE ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (result == 0)
        vault->durability = durability;
    return result;
}

int vault_begin(struct vault *vault, enum vault_durability durability)
{
    assert(!vault->open);
    int result = set_durability(vault, durability);
    if (result == 0)
        result = engine_execute(vault, "BEGIN IMMEDIATE");
    if (result != 0)
        return result;
    vault->open = true;
    vault->fault = 0;
    vault->modseq_before = vault->modseq;
    return 0;
}

int vault_commit(struct vault *vault)
{
    assert(vault->open);
    int result = vault->fault != 0 ? vault->fault : engine_sorting_flush(vault);
    if (result == 0)
        result = engine_execute(vault, "COMMIT");
    if (result != 0)
        vault_rollback(vault);
    else
        vault->open = false;
    return result;
}

/* A keyword whose name was not committed loses its bit; where even that cannot be read, the next use says so. */
void vault_rollback(struct vault *vault)
{
    if (!vault->open)
        return;
    if (sqlite3_get_autocommit(vault->database) == 0)
        (void)sqlite3_exec(vault->database, "ROLLBACK", NULL, NULL, NULL);
    vault->open = false;
    vault->fault = 0;
    vault->modseq = vault->modseq_before;
    engine_references_forget(vault);
    engine_sorting_forget(vault);
    if (engine_keywords_load(vault) != 0)
        engine_keywords_free(vault);
}

bool vault_in_transaction(const struct vault *vault)
{
    return vault->open;
}

const uint8_t *vault_hash_key(const struct vault *vault)
{
    return vault->hash_key;
}

uint64_t vault_modseq(const struct vault *vault)
{
    return vault->modseq;
}

int vault_setting_get(struct vault *vault, const char *name, uint8_t **ret_value, size_t *ret_len)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_SETTING_GET, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, span_of_text(name));
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    size_t len = (size_t)sqlite3_column_bytes(statement, 0);
    const void *bytes = sqlite3_column_blob(statement, 0);
    uint8_t *value = mem_new(len + 1);
    if (value == NULL || (bytes == NULL && len > 0)) {
        scope_free(&value);
        return -ENOMEM;
    }
    if (len > 0)
        memcpy(value, bytes, len);
    *ret_value = value;
    *ret_len = len;
    return 0;
}

int vault_setting_put(struct vault *vault, const char *name, span_t value)
{
    if (value.len > VAULT_SETTING_MAX)
        return VAULT_LIMIT;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    result = engine_prepare(vault, STATEMENT_SETTING_PUT, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 1, span_of_text(name));
    if (result == 0)
        result = engine_bind_blob(vault, statement, 2, value);
    if (result == 0)
        result = engine_finish(vault, statement);
    engine_reset(&statement);
    return engine_step_end(vault, &step, result);
}

int vault_rest(struct vault *vault)
{
    assert(!vault->open);
    int result = vfs_checkpoint(vault->database);
    engine_references_forget(vault);
    engine_sorting_forget(vault);
    buf_clear(&vault->cache);
    buf_release(&vault->cache);
    (void)sqlite3_db_release_memory(vault->database);
    return result;
}

int vault_close(struct vault *vault)
{
    bool is_long = vfs_wal_frames(vault->database) > WAL_FRAMES_KEPT;
    int result = is_long ? vault_rest(vault) : 0;
    if (!is_long || result < 0) /* else SQLite removes the WAL now */
        (void)sqlite3_db_config(vault->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    vault_free(vault);
    memory_trim();
    return result;
}
