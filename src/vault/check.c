#include "vault/check.h"

#include <errno.h>

#include "vault/engine.h"
#include "vault/index.h"
#include "vault/sorting.h"

/* Mailbox, UID and text are what a finding's columns mean. */
#define PAGES(table)                                                                                                   \
    "SELECT NULL, NULL, integrity_check FROM pragma_integrity_check('" table "') WHERE integrity_check <> 'ok'"
#define SELECTABLE "(SELECT id FROM mailbox WHERE selectable)"
#define KNOWN_FLAGS "(31 | (SELECT coalesce(sum(1 << bit), 0) FROM keyword))"
#define LAST_UID                                                                                                       \
    "max(coalesce((SELECT max(uid) FROM member WHERE member.mailbox = m.id), 0),"                                      \
    " coalesce((SELECT max(uid) FROM expunged WHERE expunged.mailbox = m.id), 0))"
#define LAST_MODSEQ                                                                                                    \
    "max(coalesce((SELECT max(modseq) FROM member WHERE member.mailbox = m.id), 0),"                                   \
    " coalesce((SELECT max(modseq) FROM expunged WHERE expunged.mailbox = m.id), 0))"
#define HIGHEST "max((SELECT coalesce(max(modseq), 0) FROM mailbox), (SELECT coalesce(max(modseq), 0) FROM gone))"
#define LAST_EMAIL "(SELECT coalesce(max(id), 0) FROM email)"
#define UNFILED                                                                                                        \
    "NOT EXISTS(SELECT 1 FROM member WHERE email = e.id)"                                                              \
    " AND NOT EXISTS(SELECT 1 FROM leaving WHERE e.id BETWEEN first AND last)"
#define TOUCH(which) "UPDATE mailbox SET modseq = ?1, flagged = ?1 WHERE id IN (" which ");"
#define NEXT_UIDS "UPDATE mailbox AS m SET uidnext = max(uidnext, 1 + " LAST_UID ");"
#define RECOUNT                                                                                                        \
    "UPDATE mailbox AS m SET (total, unseen, deleted, bytes) = (SELECT count(*), coalesce(sum(flags & 1 = 0), 0),"     \
    " coalesce(sum(flags & 8 <> 0), 0), coalesce(sum(size), 0) FROM member WHERE member.mailbox = m.id);"
/* UIDs in INBOX for rows of a query, in its order. */
#define INBOX_UID(order) "1, (SELECT uidnext - 1 FROM mailbox WHERE id = 1) + row_number() OVER (ORDER BY " order ")"

/*
 * select: mailbox, UID, text of each finding. repair: statements, in which ?1 is a new modification sequence; NULL
 * where there is none. What comes later may rely on what came before, so counts are right from the second group on
 * and every repair has to keep them so.
 */
static const struct {
    const char *name;
    const char *select;
    const char *repair;
    int (*mend)(struct vault *vault); /* instead of statements */
} rules[] = {
    {"pages", PAGES("sqlite_schema"), "REINDEX", NULL},
    {"pages", PAGES("mailbox"), "REINDEX mailbox", NULL},
    {"pages", PAGES("gone"), NULL, NULL},
    {"pages", PAGES("subscription"), NULL, NULL},
    {"pages", PAGES("email"), "REINDEX email", NULL},
    {"pages", PAGES("cache"), NULL, NULL},
    {"pages", PAGES("reference"), NULL, NULL},
    {"pages", PAGES("recent_reference"), NULL, NULL},
    {"pages", PAGES("member"), "REINDEX member", NULL},
    {"pages", PAGES("expunged"), NULL, NULL},
    {"pages", PAGES("keyword"), "REINDEX keyword", NULL},
    {"pages", PAGES("outbox"), NULL, NULL},
    {"pages", PAGES("departed"), NULL, NULL},
    {"pages", PAGES("leaving"), NULL, NULL},
    {"pages", PAGES("setting"), "REINDEX setting", NULL},
    {"pages", PAGES("sorting"), NULL, vault_sorting_reset},
    {"pages",
     "SELECT NULL, NULL, i.integrity_check FROM sqlite_schema s JOIN pragma_integrity_check(s.name) i"
     " WHERE s.type = 'table' AND s.rootpage > 0 AND i.integrity_check <> 'ok' AND s.name NOT IN ('mailbox', 'gone',"
     " 'subscription', 'email', 'cache', 'reference', 'recent_reference', 'member', 'expunged', 'keyword', 'outbox',"
     " 'departed', 'leaving', 'setting', 'sorting', 'words_data', 'words_idx', 'words_config', 'vocabulary', 'known', "
     "'partial')",
     "REINDEX", NULL}, /* whatever has no rule of its own */
    {"search", PAGES("words_data"), NULL, vault_index_reset},
    {"search", PAGES("words_idx"), NULL, vault_index_reset},
    {"search", PAGES("words_config"), NULL, vault_index_reset},
    {"search", PAGES("vocabulary"), NULL, vault_index_reset},
    {"search", PAGES("known"), NULL, vault_index_reset},
    {"search", PAGES("partial"), NULL, vault_index_reset},

    {"counts",
     "SELECT m.name, NULL, format('counts %d messages, %d unseen, %d deleted, %d bytes, but holds %d, %d, %d and %d',"
     " m.total, m.unseen, m.deleted, m.bytes, coalesce(c.total, 0), coalesce(c.unseen, 0), coalesce(c.deleted, 0),"
     " coalesce(c.bytes, 0)) FROM mailbox m LEFT JOIN (SELECT mailbox, count(*) AS total,"
     " sum(flags & 1 = 0) AS unseen, sum(flags & 8 <> 0) AS deleted, sum(size) AS bytes FROM member GROUP BY mailbox)"
     " c ON c.mailbox = m.id WHERE m.total <> coalesce(c.total, 0) OR m.unseen <> coalesce(c.unseen, 0)"
     " OR m.deleted <> coalesce(c.deleted, 0) OR m.bytes <> coalesce(c.bytes, 0)",
     RECOUNT, NULL},
    {"uidnext",
     "SELECT m.name, NULL, format('would give out UID %d next, but %d is in use or was', m.uidnext, " LAST_UID ")"
     " FROM mailbox m WHERE m.uidnext <= " LAST_UID,
     NEXT_UIDS, NULL},
    {"recent",
     "SELECT m.name, NULL, format('recent from UID %d on, above its next %d', m.recent_from, m.uidnext)"
     " FROM mailbox m WHERE m.recent_from NOT BETWEEN 1 AND m.uidnext",
     "UPDATE mailbox SET recent_from = uidnext WHERE recent_from NOT BETWEEN 1 AND uidnext", NULL},
    {"modseq",
     "SELECT m.name, NULL, format('has modification sequence %d, but holds %d', m.modseq, " LAST_MODSEQ ")"
     " FROM mailbox m WHERE m.modseq < " LAST_MODSEQ,
     "UPDATE mailbox AS m SET modseq = max(modseq, " LAST_MODSEQ "), flagged = max(modseq, " LAST_MODSEQ ")", NULL},
    {"modseq",
     "SELECT NULL, NULL, format('message %d is newer than the account, which is at %d', " LAST_EMAIL ", " HIGHEST ")"
     " WHERE " LAST_EMAIL " > " HIGHEST,
     "UPDATE mailbox SET modseq = " LAST_EMAIL " WHERE id = 1", NULL},

    {"member",
     "SELECT m.name, r.uid, format('stands for message %d, which is not there', r.email)"
     " FROM member r LEFT JOIN mailbox m ON m.id = r.mailbox WHERE r.email NOT IN (SELECT id FROM email)",
     "INSERT OR REPLACE INTO expunged(mailbox, uid, modseq)"
     " SELECT mailbox, uid, ?1 FROM member WHERE email NOT IN (SELECT id FROM email);" TOUCH(
         "SELECT mailbox FROM member WHERE email NOT IN (SELECT id FROM email)") "DELETE FROM member WHERE email NOT IN"
                                                                                 " (SELECT id FROM email);" RECOUNT,
     NULL},
    {"mailbox",
     "SELECT NULL, r.uid, format('message %d is filed in mailbox %d, which is not there', r.email, r.mailbox)"
     " FROM member r WHERE r.mailbox NOT IN " SELECTABLE,
     "INSERT INTO member(mailbox, uid, email, flags, modseq, size, received) SELECT " INBOX_UID(
         "mailbox, uid") ", email, flags, ?1, size, received FROM member WHERE mailbox NOT IN " SELECTABLE ";"
                         "DELETE FROM member WHERE mailbox NOT IN " SELECTABLE ";" NEXT_UIDS TOUCH("1") RECOUNT,
     NULL},
    {"unfiled",
     "SELECT NULL, NULL, format('message %d is in no mailbox', e.id) FROM email e"
     " WHERE " UNFILED,
     "INSERT INTO member(mailbox, uid, email, flags, modseq, size, received) SELECT " INBOX_UID(
         "id") ", id, 0, ?1, size, received FROM email e"
               " WHERE " UNFILED ";" NEXT_UIDS TOUCH("1") RECOUNT,
     NULL},
    {"size",
     "SELECT m.name, r.uid, format('says %d bytes of a message of %d', r.size, e.size) FROM member r"
     " JOIN email e ON e.id = r.email JOIN mailbox m ON m.id = r.mailbox"
     " WHERE r.size <> e.size OR r.received <> e.received",
     "UPDATE member SET (size, received) = (SELECT size, received FROM email WHERE id = member.email);" RECOUNT, NULL},
    {"keyword",
     "SELECT m.name, r.uid, format('has flags without a name: %x', r.flags & ~" KNOWN_FLAGS ") FROM member r"
     " JOIN mailbox m ON m.id = r.mailbox WHERE r.flags & ~" KNOWN_FLAGS " <> 0",
     TOUCH("SELECT mailbox FROM member WHERE flags & ~" KNOWN_FLAGS
           " <> 0") "UPDATE member SET flags = flags & " KNOWN_FLAGS ", modseq = ?1 WHERE flags & ~" KNOWN_FLAGS
                    " <> 0",
     NULL},
    {"expunged",
     "SELECT m.name, x.uid, 'is there and counts as expunged' FROM expunged x JOIN member r"
     " ON r.mailbox = x.mailbox AND r.uid = x.uid LEFT JOIN mailbox m ON m.id = x.mailbox",
     "DELETE FROM expunged WHERE EXISTS(SELECT 1 FROM member r WHERE r.mailbox = expunged.mailbox"
     " AND r.uid = expunged.uid)",
     NULL},
    {"expunged",
     "SELECT NULL, x.uid, format('was expunged from mailbox %d, which is not there', x.mailbox) FROM expunged x"
     " WHERE x.mailbox NOT IN (SELECT id FROM mailbox)",
     "DELETE FROM expunged WHERE mailbox NOT IN (SELECT id FROM mailbox)", NULL},
    {"thread",
     "SELECT NULL, NULL, format('message %d is in thread %d, which cannot be', id, thread) FROM email"
     " WHERE thread NOT BETWEEN 1 AND id",
     "UPDATE email SET thread = id WHERE thread NOT BETWEEN 1 AND id", NULL},
    {"thread",
     "SELECT NULL, NULL, format('%d references lead to no thread', count(*)) FROM (SELECT thread FROM reference"
     " UNION ALL SELECT thread FROM recent_reference) WHERE thread < 1 HAVING count(*) > 0",
     "DELETE FROM reference WHERE thread < 1; DELETE FROM recent_reference WHERE thread < 1", NULL},
    {"cache",
     "SELECT NULL, NULL, format('what is remembered of message %d, which is not there', email) FROM cache"
     " WHERE email NOT IN (SELECT id FROM email)",
     "DELETE FROM cache WHERE email NOT IN (SELECT id FROM email)", NULL},
    {"cache",
     "SELECT NULL, NULL, format('what messages from %d on are sorted by, which are not there', block << 5) FROM sorting"
     " WHERE NOT EXISTS(SELECT 1 FROM email WHERE id BETWEEN block << 5 AND block << 5 | 31)",
     "DELETE FROM sorting WHERE NOT EXISTS(SELECT 1 FROM email WHERE id BETWEEN block << 5 AND block << 5 | 31)", NULL},
    {"release",
     "SELECT NULL, NULL, format('message %d is about to be given up, but is filed', e.id) FROM outbox o"
     " JOIN email e ON e.record = o.record",
     "DELETE FROM outbox WHERE record IN (SELECT record FROM email)", NULL},
    {"release",
     "SELECT NULL, NULL, format('message %d is about to leave the index, but is filed', e.id) FROM departed d"
     " JOIN email e ON e.record = d.record",
     "DELETE FROM departed WHERE record IN (SELECT record FROM email)", NULL},
};

size_t vault_rule_count(void)
{
    return COUNT_OF(rules);
}

const char *vault_rule_name(size_t rule)
{
    return rules[rule].name;
}

static struct vault_finding finding_of(sqlite3_stmt *statement)
{
    const char *text = (const char *)sqlite3_column_text(statement, 2);
    return (struct vault_finding){
        .mailbox = (const char *)sqlite3_column_text(statement, 0),
        .uid = (uint32_t)sqlite3_column_int64(statement, 1),
        .text = text == NULL ? "" : text,
    };
}

int vault_rule_check(struct vault *vault, size_t rule, vault_finding_fn fn, void *arg)
{
    sqlite3_stmt *statement = NULL;
    int result = engine_fault(vault, sqlite3_prepare_v2(vault->database, rules[rule].select, -1, &statement, NULL));
    if (result == 0)
        result = engine_next(vault, statement);
    for (int count = 0; result == ENGINE_ROW && count < VAULT_FINDINGS_MAX; count++) {
        struct vault_finding finding = finding_of(statement);
        result = fn(arg, &finding);
        if (result == 0)
            result = engine_next(vault, statement);
        else
            count = VAULT_FINDINGS_MAX;
    }
    (void)sqlite3_finalize(statement);
    return result == ENGINE_ROW ? 0 : result;
}

/* --- repair --- */

/* Statement by statement, as sqlite3_exec() binds nothing. */
static int execute(struct vault *vault, const char *sql, uint64_t modseq)
{
    int result = 0;
    while (result == 0 && *sql != '\0') {
        sqlite3_stmt *statement = NULL;
        result = engine_fault(vault, sqlite3_prepare_v2(vault->database, sql, -1, &statement, &sql));
        if (result == 0 && sqlite3_bind_parameter_count(statement) > 0)
            result = engine_fault(vault, sqlite3_bind_int64(statement, 1, (int64_t)modseq));
        if (result == 0 && statement != NULL)
            result = engine_finish(vault, statement);
        (void)sqlite3_finalize(statement);
    }
    return result;
}

/* What is kept in memory beside the database is read again, as any of it may have been among the wrong. */
int vault_rule_repair(struct vault *vault, size_t rule)
{
    int64_t modseq = 0;
    if (rules[rule].repair == NULL && rules[rule].mend == NULL)
        return VAULT_NOT_FOUND;
    int result = vault_begin(vault, VAULT_DURABLE);
    if (result != 0)
        return result;
    result = rules[rule].mend != NULL ? rules[rule].mend(vault) : execute(vault, rules[rule].repair, vault->modseq + 1);
    if (result == 0)
        result = engine_ask_once(vault, "SELECT " HIGHEST, &modseq);
    if (result == 0)
        result = vault_commit(vault);
    if (result != 0) {
        vault_rollback(vault);
        return result;
    }
    engine_references_forget(vault);
    engine_sorting_forget(vault);
    if ((uint64_t)modseq > vault->modseq)
        vault->modseq = (uint64_t)modseq;
    return 0;
}

static int first_found(void *arg, const struct vault_finding *finding)
{
    (void)arg;
    (void)finding;
    return -EBADMSG;
}

int vault_check(struct vault *vault)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < COUNT_OF(rules); i++)
        result = vault_rule_check(vault, i, first_found, NULL);
    return result;
}
