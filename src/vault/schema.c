#include <errno.h>

#include "crypto/secret.h"
#include "vault/engine.h"

/*
 * One text for each version, from the one before. What is written here has been shipped and is never changed: a new
 * version is a new row. Ids, counters and times are integers; times are microseconds.
 */
static const char *const versions[] = {
    /*
     * email is narrow, for the envelopes and structures in cache are read by other commands. member is narrower, and
     * repeats size and received, so that listing a mailbox reads nothing else. Both are written in rising order,
     * and so is recent_reference, which is emptied into reference now and then (thread.c).
     */
    "CREATE TABLE mailbox(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, uidvalidity INT NOT NULL,"
    " uidnext INT NOT NULL DEFAULT 1, recent_from INT NOT NULL DEFAULT 1, role INT NOT NULL DEFAULT 0,"
    " selectable INT NOT NULL DEFAULT 1, modseq INT NOT NULL, total INT NOT NULL DEFAULT 0,"
    " unseen INT NOT NULL DEFAULT 0, deleted INT NOT NULL DEFAULT 0, bytes INT NOT NULL DEFAULT 0);"
    "CREATE TABLE gone(mailbox INTEGER PRIMARY KEY, uidvalidity INT NOT NULL, modseq INT NOT NULL);"
    "CREATE TABLE subscription(name TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE email(id INTEGER PRIMARY KEY, record INT NOT NULL UNIQUE, segment INT NOT NULL,"
    " offset INT NOT NULL, length INT NOT NULL, size INT NOT NULL, received INT NOT NULL, sent INT NOT NULL,"
    " thread INT NOT NULL, header_size INT NOT NULL, content_key BLOB NOT NULL);"
    "CREATE TABLE cache(email INTEGER PRIMARY KEY, envelope BLOB NOT NULL, structure BLOB NOT NULL);"
    "CREATE TABLE reference(hash INTEGER PRIMARY KEY, thread INT NOT NULL);"
    "CREATE TABLE recent_reference(id INTEGER PRIMARY KEY, hash INT NOT NULL, thread INT NOT NULL);"
    "CREATE TABLE member(mailbox INT NOT NULL, uid INT NOT NULL, email INT NOT NULL, flags INT NOT NULL,"
    " modseq INT NOT NULL, size INT NOT NULL, received INT NOT NULL, PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;"
    "CREATE INDEX member_of_email ON member(email);"
    "CREATE TABLE expunged(mailbox INT NOT NULL, uid INT NOT NULL, modseq INT NOT NULL,"
    " PRIMARY KEY(mailbox, uid)) WITHOUT ROWID;"
    "CREATE TABLE keyword(bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);"
    "CREATE TABLE outbox(record INTEGER PRIMARY KEY);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL);",
    /* What is in no mailbox any more, but still in the index, whose own tables index.c makes. */
    ("CREATE TABLE departed(email INTEGER PRIMARY KEY, record INT NOT NULL, segment INT NOT NULL, offset INT NOT NULL,"
     " length INT NOT NULL, content_key BLOB NOT NULL);"),
    "CREATE INDEX departed_record ON departed(record);",
    /* How many expunges are remembered, and up to which modification sequence they may have been forgotten. */
    ("ALTER TABLE mailbox ADD COLUMN expunges INT NOT NULL DEFAULT 0;"
     "ALTER TABLE mailbox ADD COLUMN horizon INT NOT NULL DEFAULT 0;"
     "UPDATE mailbox SET expunges = (SELECT count(*) FROM expunged WHERE mailbox = id);"),
    "CREATE TABLE origin(hash INTEGER PRIMARY KEY);",
    ("CREATE TABLE annotation(mailbox INT NOT NULL, entry TEXT NOT NULL, value BLOB NOT NULL,"
     " PRIMARY KEY(mailbox, entry)) WITHOUT ROWID;"),
    /* When it came into the mailbox; 0, as for all that were there before: when it was received. */
    "ALTER TABLE member ADD COLUMN saved INT NOT NULL DEFAULT 0;",
    /* What emails are sorted by (sorting.c). Those there are, up to the newest of them, get it from the session. */
    ("CREATE TABLE sorting(block INTEGER PRIMARY KEY, keys BLOB NOT NULL);"
     "CREATE TABLE unsorted(up_to INT NOT NULL);"
     "INSERT INTO unsorted SELECT coalesce(max(id), 0) FROM email;"),
    /* Which email it became (0: not known), and the flags it had there. */
    ("ALTER TABLE origin ADD COLUMN email INT NOT NULL DEFAULT 0;"
     "ALTER TABLE origin ADD COLUMN flags INT NOT NULL DEFAULT 0;"),
    /* What may be in no mailbox any more, in runs of ids, both included (leaving.c). */
    "CREATE TABLE leaving(first INTEGER PRIMARY KEY, last INT NOT NULL);",
    /* The modification sequence of the last change of flags, by which those are passed over who know of all of them. */
    ("ALTER TABLE mailbox ADD COLUMN flagged INT NOT NULL DEFAULT 0;"
     "UPDATE mailbox SET flagged = modseq;"),
};

static const struct {
    const char *name;
    enum vault_role role;
} first_mailboxes[] = {
    {"INBOX", VAULT_ROLE_INBOX}, {"Drafts", VAULT_ROLE_DRAFTS}, {"Sent", VAULT_ROLE_SENT},
    {"Junk", VAULT_ROLE_JUNK},   {"Trash", VAULT_ROLE_TRASH},   {"Archive", VAULT_ROLE_ARCHIVE},
};

/* INBOX comes first, as the modseq that becomes its id is then VAULT_INBOX. */
static int fill(struct vault *vault, uint32_t now_seconds)
{
    uint8_t hash_key[sizeof(vault->hash_key)];
    random_bytes(hash_key, sizeof(hash_key));
    int result = vault_setting_put(vault, "hash-key", span_of(hash_key, sizeof(hash_key)));
    for (size_t i = 0; result == 0 && i < COUNT_OF(first_mailboxes); i++) {
        uint64_t id = 0;
        span_t name = span_of_text(first_mailboxes[i].name);
        result = vault_mailbox_create(vault, name, now_seconds, &id);
        if (result == 0)
            result = engine_run(vault, STATEMENT_MAILBOX_SET_ROLE,
                                NUMBERS((int64_t)id, first_mailboxes[i].role, (int64_t)id));
        if (result == 0)
            result = vault_subscribe(vault, name);
    }
    return result;
}

static int set_version(struct vault *vault, size_t version)
{
    char *sql = sqlite3_mprintf("PRAGMA user_version=%d", (int)version);
    int result = sql == NULL ? -ENOMEM : engine_execute(vault, sql);
    sqlite3_free(sql);
    return result;
}

static int upgrade(struct vault *vault, size_t from, uint32_t now_seconds)
{
    int result = vault_begin(vault, VAULT_DURABLE);
    if (result != 0)
        return result;
    for (size_t version = from; result == 0 && version < COUNT_OF(versions); version++)
        result = engine_execute(vault, versions[version]);
    if (result == 0)
        result = set_version(vault, COUNT_OF(versions));
    if (result == 0 && from == 0)
        result = fill(vault, now_seconds);
    if (result != 0) {
        vault_rollback(vault);
        return result;
    }
    return vault_commit(vault);
}

static int load(struct vault *vault)
{
    int64_t modseq = 0;
    int result = engine_ask_once(vault,
                                 "SELECT max((SELECT coalesce(max(modseq), 0) FROM mailbox),"
                                 " (SELECT coalesce(max(modseq), 0) FROM gone))",
                                 &modseq);
    if (result != 0)
        return result;
    vault->modseq = (uint64_t)modseq;
    AUTO_FREE uint8_t *hash_key = NULL;
    size_t len = 0;
    result = vault_setting_get(vault, "hash-key", &hash_key, &len);
    if (result < 0)
        return result;
    if (result != 0 || len != sizeof(vault->hash_key))
        return -EBADMSG;
    for (size_t i = 0; i < len; i++)
        vault->hash_key[i] = hash_key[i];
    result = engine_keywords_load(vault);
    return result == 0 ? engine_index_load(vault) : result;
}

int engine_schema(struct vault *vault, uint32_t now_seconds)
{
    int64_t version = 0;
    int result = engine_ask_once(vault, "PRAGMA user_version", &version);
    if (result != 0)
        return result;
    if (version < 0 || (size_t)version > COUNT_OF(versions))
        return -ENOTSUP;
    if ((size_t)version < COUNT_OF(versions))
        result = upgrade(vault, (size_t)version, now_seconds);
    return result == 0 ? load(vault) : result;
}
