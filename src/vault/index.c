#include "vault/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/secret.h"
#include "vault/engine.h"
#include "vault/outbox.h"

/*
 * words: FTS5 without the texts, without positions: which email has which term. vocabulary: every word once, in blocks
 * that are looked through from end to end, so that a part of a word finds it; known: the hashes of those words. The
 * size of FTS5's pages leaves them whole within one of SQLite's.
 */
#define INDEX_VERSION "index-2" /* another one whenever the terms of a message change: the index is made anew */
#define INDEX_TABLES                                                                                                   \
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0, detail=none, tokenize='ascii');"            \
    "INSERT INTO words(words, rank) VALUES('pgsz', 3900);"                                                             \
    "CREATE TABLE vocabulary(block INTEGER PRIMARY KEY, words BLOB NOT NULL);"                                         \
    "CREATE TABLE known(hash INTEGER PRIMARY KEY);"                                                                    \
    "CREATE TABLE partial(email INTEGER PRIMARY KEY);"
#define INDEX_DROP                                                                                                     \
    "DROP TABLE IF EXISTS words; DROP TABLE IF EXISTS vocabulary; DROP TABLE IF EXISTS known;"                         \
    "DROP TABLE IF EXISTS partial;"
#define BLOCK_MAX 3900U
#define KNOWN_SLOTS 32768U /* of words that are surely known: the last one with that remainder */

static int put_mark(struct vault *vault, uint64_t mark)
{
    uint8_t value[8];
    bytes_put_u64(value, mark);
    int result = vault_setting_put(vault, INDEX_VERSION, span_of(value, sizeof(value)));
    if (result == 0)
        vault->index_mark = mark;
    return result;
}

int vault_index_reset(struct vault *vault)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    vault_index_rest(vault);
    result = engine_execute(vault, INDEX_DROP INDEX_TABLES
                            "INSERT OR IGNORE INTO outbox(record) SELECT record FROM departed; DELETE FROM departed;"
                            "DELETE FROM setting WHERE name GLOB 'index-*'");
    if (result == 0)
        result = put_mark(vault, 0);
    return engine_step_end(vault, &step, result);
}

/* An index of another version, or none, is begun anew. */
int engine_index_load(struct vault *vault)
{
    AUTO_FREE uint8_t *value = NULL;
    size_t len = 0;
    int result = vault_setting_get(vault, INDEX_VERSION, &value, &len);
    if (result < 0)
        return result;
    if (result != 0 || len != 8)
        return vault_index_reset(vault);
    vault->index_mark = bytes_get_u64(value);
    return 0;
}

uint64_t vault_index_mark(const struct vault *vault)
{
    return vault->index_mark;
}

int vault_index_pending(struct vault *vault, uint64_t *ret_ids, size_t room, size_t *ret_count)
{
    return engine_list(vault, STATEMENT_INDEX_PENDING, NUMBERS((int64_t)vault->index_mark, (int64_t)room), ret_ids,
                       room, ret_count);
}

int vault_index_size(struct vault *vault, struct vault_index_size *ret_size)
{
    int64_t total = 0;
    int64_t left = 0;
    int result = engine_ask(vault, STATEMENT_INDEX_LEFT, NUMBERS(0), &total);
    if (result == 0)
        result = engine_ask(vault, STATEMENT_INDEX_LEFT, NUMBERS((int64_t)vault->index_mark), &left);
    if (result == 0)
        *ret_size = (struct vault_index_size){(uint64_t)total, (uint64_t)left};
    return result;
}

/* --- the vocabulary */

static int append_block(struct vault *vault, span_t words)
{
    int64_t block = 0;
    int64_t len = 0;
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_VOCABULARY_LAST, NO_NUMBERS, &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result == ENGINE_ROW) {
        block = sqlite3_column_int64(statement, 0);
        len = sqlite3_column_int64(statement, 1);
    }
    engine_reset(&statement);
    if (result < 0)
        return result;
    bool fits = block > 0 && (size_t)len + words.len <= BLOCK_MAX;
    statement = NULL;
    result = engine_prepare(vault, fits ? STATEMENT_VOCABULARY_EXTEND : STATEMENT_VOCABULARY_ADD,
                            NUMBERS(fits ? block : block + 1), &statement);
    if (result == 0)
        result = engine_bind_blob(vault, statement, 2, words);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int flush_new_words(struct vault *vault)
{
    span_t words = buf_span(&vault->new_words);
    int result = 0;
    while (result == 0 && words.len > 0) {
        size_t take = words.len < BLOCK_MAX ? words.len : BLOCK_MAX;
        while (words.at[take - 1] != '\n')
            take--;
        result = append_block(vault, span_upto(words, take));
        words = span_from(words, take);
    }
    buf_clear(&vault->new_words);
    return result;
}

static int learn(struct vault *vault, uint64_t hash, span_t word)
{
    uint64_t *slot = &vault->known_words[hash / 2 % KNOWN_SLOTS];
    if (*slot == hash)
        return 0;
    int result = engine_run(vault, STATEMENT_KNOWN_ADD, NUMBERS((int64_t)hash));
    if (result != 0)
        return result;
    *slot = hash;
    if (sqlite3_changes(vault->database) == 0)
        return 0;
    (void)buf_append(&vault->new_words, word);
    return buf_append_byte(&vault->new_words, '\n');
}

static int learn_all(struct vault *vault, span_t plain)
{
    if (vault->known_words == NULL) {
        vault->known_words = mem_new_array(KNOWN_SLOTS, sizeof(*vault->known_words));
        buf_init(&vault->new_words, 2 * VAULT_WORDS_BYTES);
    }
    if (vault->known_words == NULL)
        return -ENOMEM;
    int result = 0;
    while (result == 0 && plain.len > 0) {
        size_t len = plain.at[8];
        result = learn(vault, bytes_get_u64(plain.at), span_slice(plain, 9, len));
        plain = span_from(plain, 9 + len);
    }
    return result == 0 ? flush_new_words(vault) : result;
}

void vault_index_rest(struct vault *vault)
{
    free(vault->known_words);
    vault->known_words = NULL;
    buf_deinit(&vault->new_words);
}

/* --- adding and removing */

static int put_terms(struct vault *vault, enum vault_statement which, uint64_t id, span_t text)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, which, NUMBERS((int64_t)id), &statement);
    if (result == 0)
        result = engine_bind_text(vault, statement, 2, text);
    return result == 0 ? engine_finish(vault, statement) : result;
}

static int add(struct vault *vault, uint64_t id, const struct vault_terms *terms)
{
    int result = 0;
    if (terms != NULL)
        result = put_terms(vault, STATEMENT_WORDS_ADD, id, terms->text);
    if (result == 0 && terms != NULL)
        result = learn_all(vault, terms->plain);
    if (result == 0 && (terms == NULL || terms->is_partial))
        result = engine_run(vault, STATEMENT_PARTIAL_ADD, NUMBERS((int64_t)id));
    return result == 0 ? put_mark(vault, id) : result;
}

int vault_index_add(struct vault *vault, uint64_t id, const struct vault_terms *terms)
{
    uint64_t mark = vault->index_mark;
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    result = engine_step_end(vault, &step, add(vault, id, terms));
    if (result != 0) {
        vault->index_mark = mark;
        vault_index_rest(vault); /* what it knows was undone */
    }
    return result;
}

int vault_index_departed(struct vault *vault, uint64_t first, struct vault_email *ret_email)
{
    AUTO_RESET sqlite3_stmt *statement = NULL;
    int result = engine_prepare(vault, STATEMENT_DEPARTED_NEXT, NUMBERS((int64_t)first), &statement);
    if (result == 0)
        result = engine_next(vault, statement);
    if (result != ENGINE_ROW)
        return result == 0 ? VAULT_NOT_FOUND : result;
    const void *key = sqlite3_column_blob(statement, 5);
    if (key == NULL || sqlite3_column_bytes(statement, 5) != VAULT_CONTENT_KEY_SIZE)
        return -EBADMSG;
    struct vault_email email = {
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .place.record = (uint64_t)sqlite3_column_int64(statement, 1),
        .place.segment = (uint64_t)sqlite3_column_int64(statement, 2),
        .place.offset = (uint64_t)sqlite3_column_int64(statement, 3),
        .place.length = (uint64_t)sqlite3_column_int64(statement, 4),
    };
    memcpy(email.place.key, key, VAULT_CONTENT_KEY_SIZE);
    *ret_email = email;
    secret_wipe(email.place.key, sizeof(email.place.key));
    return 0;
}

int vault_index_remove(struct vault *vault, const struct vault_email *email, const struct vault_terms *terms)
{
    struct engine_step step;
    int result = engine_step_begin(vault, &step);
    if (result != 0)
        return result;
    if (terms != NULL)
        result = put_terms(vault, STATEMENT_WORDS_REMOVE, email->id, terms->text);
    if (result == 0)
        result = engine_run(vault, STATEMENT_PARTIAL_DELETE, NUMBERS((int64_t)email->id));
    if (result == 0)
        result = engine_run(vault, STATEMENT_DEPARTED_DELETE, NUMBERS((int64_t)email->id));
    if (result == 0)
        result = vault_outbox_add(vault, email->place.record);
    return engine_step_end(vault, &step, result);
}

int vault_index_check(struct vault *vault)
{
    return engine_execute(vault, "INSERT INTO words(words) VALUES('integrity-check')");
}
