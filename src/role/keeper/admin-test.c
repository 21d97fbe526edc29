#include "base/test.h"

#include "role/keeper/admin.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "crypto/kdf.h"
#include "crypto/token.h"
#include "ipc/envelope.h"
#include "proto/sasl/scram.h"
#include "proto/smtp/xtext.h"
#include "rt/task.h"

/*
 * The administrator's commands and the logins that follow from them, on a real directory, with real children that hash.
 */
struct house {
    char folder[64];
    char path[96];
    struct loop *loop;
    struct hasher *hasher;
    struct throttle *throttle;
    struct directory *directory;
    struct auth auth;
    struct admin admin;
    uint64_t gone;
    enum admin_gone how;
    uint64_t quota;
    void (*script)(struct task *task, struct house *house);
};

static const uint8_t directory_key[32] = {5};

static void on_gone(void *arg, uint64_t account, enum admin_gone how)
{
    struct house *house = arg;
    house->gone = account;
    house->how = how;
}

static void house_task(struct task *task, void *arg)
{
    struct house *house = arg;
    house->script(task, house);
    loop_stop(house->loop);
}

/* Runs the script as a task in a house with the domain demo.test. */
static void in_house(void (*script)(struct task *task, struct house *house))
{
    struct house house = {.folder = "/tmp/keeper-test-XXXXXX", .script = script};
    assert_non_null(mkdtemp(house.folder));
    (void)snprintf(house.path, sizeof(house.path), "%s/directory.db", house.folder);
    assert_int_equal(hasher_new(2, NULL, &house.hasher), 0);
    assert_int_equal(loop_new(&house.loop), 0);
    assert_int_equal(hasher_start(house.hasher, house.loop), 0);
    assert_int_equal(throttle_new(1000, 10, directory_key, &house.throttle), 0);
    assert_int_equal(directory_open(house.path, directory_key, &house.directory), 0);
    auth_init(&house.auth, house.directory, house.hasher, house.throttle);
    house.auth.defaults.memory_kib = 64;
    house.auth.defaults.passes = 1;
    house.admin = (struct admin){.auth = &house.auth, .gone = on_gone, .arg = &house};
    assert_int_equal(directory_domain_add(house.directory, "demo.test"), DIRECTORY_OK);
    assert_int_equal(task_spawn(house.loop, "test", house_task, &house, NULL), 0);
    assert_int_equal(loop_run(house.loop), 0);
    assert_int_equal(loop_finish(house.loop, 1000), 0);
    auth_deinit(&house.auth);
    directory_free(house.directory);
    throttle_free(house.throttle);
    hasher_free(house.hasher);
    loop_free(house.loop);
    (void)unlink(house.path);
    char wal[128];
    (void)snprintf(wal, sizeof(wal), "%s-wal", house.path);
    (void)unlink(wal);
    assert_int_equal(rmdir(house.folder), 0);
}

/* words: with | for NUL. The last word of the output's first line is copied to ret_last (64 bytes, or NULL). */
static int run(struct task *task, struct house *house, const char *words, const char *input, char *ret_last)
{
    char text[512];
    struct admin_reply reply;
    size_t len = strlen(words);
    assert_true(len < sizeof(text));
    for (size_t at = 0; at <= len; at++)
        text[at] = words[at] == '|' ? '\0' : words[at];
    admin_reply_init(&reply);
    admin_run(task, &house->admin, span_of(text, len), span_of_text(input), &reply);
    int status = (int)reply.status;
    if (status != 0)
        assert_true(buf_len(&reply.error) > 0);
    if (status != 0 && getenv("KEEPER_TEST_SHOW") != NULL)
        print_message("%s: %.*s\n", words, SPAN_PRINT(buf_span(&reply.error)));
    assert_int_equal(span_find_byte(buf_span(&reply.error), '\n'), buf_len(&reply.error));
    if (ret_last != NULL && status == 0) {
        span_t line = span_upto(buf_span(&reply.output), span_find_byte(buf_span(&reply.output), '\n'));
        line = span_from(line, span_find_last_byte(line, ' ') + 1);
        assert_true(line.len < 64);
        memcpy(ret_last, line.at, line.len);
        ret_last[line.len] = '\0';
    }
    admin_reply_deinit(&reply);
    return status;
}

static int login(struct task *task, struct house *house, const char *user, const char *password,
                 enum ipc_service service, uint8_t ret_root[32])
{
    struct auth_attempt attempt = {service, SPAN("192.0.2.1"), span_of_text(user), span_of_text(password)};
    struct auth_opened opened = {0};
    int result = auth_password(task, &house->auth, &attempt, &opened);
    if (result == LOGIN_OK && ret_root != NULL)
        memcpy(ret_root, secret_bytes(opened.root), 32);
    secret_free(opened.root);
    return result;
}

static void passwords_script(struct task *task, struct house *house)
{
    char recovery[64];
    char next[64];
    char words[256];
    uint8_t root[32];
    uint8_t again[32];
    assert_int_equal(run(task, house, "account|add|alice@other.test", "correct horse\n", NULL), 1);
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "", NULL), 2);
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "short\n", NULL), 1);
    assert_int_equal(
        run(task, house, "account|add|alice@demo.test|--password-stdin|--quota|10G", "correct horse\n", recovery), 0);
    assert_int_equal(run(task, house, "account|add|ALICE@demo.test", "correct horse\n", NULL), 1);
    assert_int_equal(login(task, house, "Alice@DEMO.test", "correct horse", SERVICE_IMAP, root), LOGIN_OK);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horsf", SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(login(task, house, "nobody@demo.test", "correct horse", SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(login(task, house, "alice", "correct horse", SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(login(task, house, "alice@demo.test", recovery, SERVICE_IMAP, NULL), LOGIN_DENIED);

    assert_int_equal(run(task, house, "account|passwd|alice@demo.test", "wrong horse\nnew password\n", NULL), 1);
    assert_int_equal(run(task, house, "account|passwd|alice@demo.test", "correct horse\n", NULL), 2);
    assert_int_equal(run(task, house, "account|passwd|alice@demo.test", "", NULL), 2);
    assert_int_equal(run(task, house, "account|passwd|alice@demo.test", "correct horse\nnew password\n", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(login(task, house, "alice@demo.test", "new password", SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);

    (void)snprintf(words, sizeof(words), "account|passwd|alice@demo.test|--recovery|%s", recovery);
    assert_int_equal(run(task, house, words, "third password\n", next), 0);
    assert_string_not_equal(recovery, next);
    assert_int_equal(run(task, house, words, "fourth password\n", NULL), 1);
    assert_int_equal(login(task, house, "alice@demo.test", "new password", SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(login(task, house, "alice@demo.test", "third password", SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    (void)snprintf(words, sizeof(words), "%s\nfifth password\n", next);
    assert_int_equal(run(task, house, "account|passwd|alice@demo.test|--recovery", words, NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", "fifth password", SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
}

static void old_credentials_are_dead_and_the_root_secret_stays(void **state)
{
    (void)state;
    in_house(passwords_script);
}

static void app_script(struct task *task, struct house *house)
{
    char all[64];
    char smtp[64];
    uint8_t root[32];
    uint8_t again[32];
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, root), LOGIN_OK);
    assert_int_equal(run(task, house, "app-password|add|alice@demo.test|--label|Phone", "correct horse\n", all), 0);
    assert_int_equal(
        run(task, house, "app-password|add|alice@demo.test|--label|Bot|--scope|smtp", "correct horse\n", smtp), 0);
    assert_int_equal(
        run(task, house, "app-password|add|alice@demo.test|--label|Bot|--scope|fax", "correct horse\n", NULL), 2);
    assert_int_equal(run(task, house, "app-password|add|alice@demo.test", "correct horse\n", NULL), 2);
    assert_int_equal(run(task, house, "app-password|add|alice@demo.test|--label|x", "wrong horse\n", NULL), 1);
    assert_int_equal(login(task, house, "alice@demo.test", all, SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    assert_int_equal(login(task, house, "alice@demo.test", smtp, SERVICE_IMAP, NULL), LOGIN_SCOPE);
    assert_int_equal(login(task, house, "alice@demo.test", smtp, SERVICE_SUBMISSION, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    assert_int_equal(run(task, house, "account|passwd|alice@demo.test", "correct horse\nnew password\n", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", all, SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    assert_int_equal(run(task, house, "app-password|list|alice@demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "app-password|remove|alice@demo.test|77", "", NULL), 1);
    assert_int_equal(run(task, house, "app-password|remove|alice@demo.test|3", "", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", all, SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(login(task, house, "alice@demo.test", smtp, SERVICE_SUBMISSION, NULL), LOGIN_OK);
}

static void app_passwords_open_what_their_scope_says(void **state)
{
    (void)state;
    in_house(app_script);
}

/* --- SCRAM, the client's side (RFC 5802 §3) --- */

static void hmac_with(const uint8_t *key, span_t message, uint8_t out[32])
{
    /* HMAC is what scram_server_signature computes. */
    assert_int_equal(scram_server_signature(key, message, out), 0);
}

static int scram(struct task *task, struct house *house, const char *user, const char *password, span_t binding,
                 uint8_t ret_root[32])
{
    char first[256];
    AUTO_BUF struct buf final = {0};
    AUTO_BUF struct buf auth_message = {0};
    AUTO_BUF struct buf text = {0};
    AUTO_BUF struct buf answer = {0};
    struct scram_keys keys;
    uint8_t proof[32];
    buf_init(&text, 2048);
    buf_init(&answer, 1024);
    buf_init(&final, 1024);
    buf_init(&auth_message, 2048);
    (void)snprintf(first, sizeof(first), "%s,,n=%s,r=clientnonce", binding.len > 0 ? "p=tls-exporter" : "n", user);
    struct auth_scram start = {.service = SERVICE_IMAP,
                               .plus = binding.len > 0,
                               .client = SPAN("192.0.2.1"),
                               .first = span_of_text(first),
                               .binding_type = SPAN("tls-exporter"),
                               .binding = SPAN("0123456789abcdef")};
    const struct auth_exchange *exchange = NULL;
    int result = auth_scram_start(&house->auth, 0, &start, &exchange);
    if (result != LOGIN_OK)
        return result;
    uint64_t handle = exchange->handle;
    span_t server_first = buf_span(&exchange->server_first);
    span_t salt = span_from(server_first, span_find(server_first, SPAN(",s=")) + 3);
    salt = span_upto(salt, span_find_byte(salt, ','));
    assert_int_equal(base64_decode(salt, &text), 0);
    assert_int_equal(scram_keys_derive(span_of_text(password), buf_span(&text), 4096, &keys), 0);
    buf_clear(&text);
    buf_append(&answer, binding.len > 0 ? SPAN("p=tls-exporter,,") : SPAN("n,,"));
    buf_append(&answer, binding);
    assert_int_equal(base64_encode(buf_span(&answer), &text), 0);
    span_t nonce = span_upto(span_from(server_first, 2), span_find_byte(server_first, ',') - 2);
    buf_append_format(&final, "c=%.*s,r=%.*s", SPAN_PRINT(buf_span(&text)), SPAN_PRINT(nonce));
    buf_append_format(&auth_message, "n=%s,r=clientnonce,%.*s,", user, SPAN_PRINT(server_first));
    buf_append(&auth_message, buf_span(&final));
    hmac_with(keys.stored, buf_span(&auth_message), proof);
    for (size_t at = 0; at < sizeof(proof); at++)
        proof[at] ^= keys.client[at];
    buf_clear(&text);
    assert_int_equal(base64_encode(span_of(proof, sizeof(proof)), &text), 0);
    buf_append_format(&final, ",p=%.*s", SPAN_PRINT(buf_span(&text)));
    AUTO(auth_exchange) struct auth_exchange *taken = auth_scram_take(&house->auth, 0, handle);
    assert_non_null(taken);
    assert_null(auth_scram_take(&house->auth, 0, handle));
    struct auth_opened opened = {0};
    buf_clear(&answer);
    result = auth_scram_finish(task, &house->auth, taken, buf_span(&final), &answer, &opened);
    assert_true(span_starts(buf_span(&answer), result == LOGIN_OK ? SPAN("v=") : SPAN("e=")));
    if (result == LOGIN_OK)
        memcpy(ret_root, secret_bytes(opened.root), 32);
    secret_free(opened.root);
    return result;
}

static void scram_script(struct task *task, struct house *house)
{
    char app[64];
    uint8_t root[32];
    uint8_t again[32];
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, root), LOGIN_OK);
    assert_int_equal(run(task, house, "app-password|add|alice@demo.test|--label|Other", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "app-password|add|alice@demo.test|--label|Phone", "correct horse\n", app), 0);
    assert_int_equal(scram(task, house, "alice@demo.test", app, SPAN_NONE, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    memset(again, 0, sizeof(again));
    assert_int_equal(scram(task, house, "alice@demo.test", app, SPAN("0123456789abcdef"), again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    assert_int_equal(scram(task, house, "alice@demo.test", app, SPAN("0123456789abcdeF"), again), LOGIN_DENIED);
    assert_int_equal(scram(task, house, "alice@demo.test", "correct horse", SPAN_NONE, again), LOGIN_DENIED);
    assert_int_equal(scram(task, house, "nobody@demo.test", app, SPAN_NONE, again), LOGIN_DENIED);
}

static void scram_opens_the_account_without_the_password(void **state)
{
    (void)state;
    in_house(scram_script);
}

static void downgrade_script(struct task *task, struct house *house)
{
    (void)task;
    static const struct {
        const char *first;
        bool plus;
        span_t type;
        int result;
    } rows[] = {
        {"n,,n=a,r=b", false, SPAN("tls-exporter"), LOGIN_OK},
        {"y,,n=a,r=b", false, SPAN("tls-exporter"), LOGIN_DENIED},
        {"y,,n=a,r=b", false, SPAN_NONE, LOGIN_OK},
        {"n,,n=a,r=b", true, SPAN("tls-exporter"), LOGIN_DENIED},
        {"p=tls-unique,,n=a,r=b", true, SPAN("tls-exporter"), LOGIN_DENIED},
        {"p=tls-exporter,,n=a,r=b", false, SPAN("tls-exporter"), LOGIN_DENIED},
        {"p=tls-exporter,,n=a,r=b", true, SPAN_NONE, LOGIN_DENIED},
        {"p=tls-exporter,,n=a,r=b", true, SPAN("tls-exporter"), LOGIN_OK},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct auth_scram start = {
            .plus = rows[row].plus, .first = span_of_text(rows[row].first), .binding_type = rows[row].type};
        const struct auth_exchange *exchange = NULL;
        assert_int_equal(auth_scram_start(&house->auth, 0, &start, &exchange), rows[row].result);
    }
    for (unsigned at = 0; at < AUTH_EXCHANGES_MAX + 5; at++) {
        struct auth_scram start = {.first = SPAN("n,,n=a,r=b")};
        const struct auth_exchange *exchange = NULL;
        assert_int_equal(auth_scram_start(&house->auth, 0, &start, &exchange), LOGIN_OK);
    }
    assert_true(house->auth.exchange_count <= AUTH_EXCHANGES_MAX);
    assert_null(auth_scram_take(&house->auth, AUTH_EXCHANGE_TIMEOUT + 1, 1));
    assert_int_equal(house->auth.exchange_count, 0);
}

static void channel_binding_cannot_be_talked_away(void **state)
{
    (void)state;
    in_house(downgrade_script);
}

static void accounts_script(struct task *task, struct house *house)
{
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "domain|remove|demo.test", "", NULL), 1);
    assert_int_equal(run(task, house, "account|lock|alice@demo.test", "", NULL), 0);
    assert_int_equal(house->gone, 1);
    assert_int_equal(house->how, ADMIN_ENDED);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, NULL), LOGIN_LOCKED);
    assert_int_equal(login(task, house, "alice@demo.test", "wrong horse", SERVICE_IMAP, NULL), LOGIN_DENIED);
    assert_int_equal(run(task, house, "account|unlock|alice@demo.test", "", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, NULL), LOGIN_OK);
    assert_int_equal(run(task, house, "account|list|--json", "", NULL), 0);
    assert_int_equal(run(task, house, "account|remove|alice@demo.test", "", NULL), 0);
    assert_int_equal(house->how, ADMIN_DESTROYED);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, NULL), LOGIN_DENIED);
    house->gone = 0;
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "account|lock|alice@demo.test", "", NULL), 0);
    assert_int_equal(house->gone, 2); /* its number is a new one */
    assert_int_equal(run(task, house, "account|remove|alice@demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "domain|remove|demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "domain|add|not a domain", "", NULL), 1);
    assert_int_equal(run(task, house,
                         "domain|add|b\xc3\xbc"
                         "cher.example",
                         "", NULL),
                     0);
    assert_int_equal(run(task, house, "domain|add|xn--bcher-kva.example", "", NULL), 1);
    assert_int_equal(run(task, house, "domain|list", "", NULL), 0);
    assert_int_equal(run(task, house, "domain|add", "", NULL), 2);
    assert_int_equal(run(task, house, "fax|send", "", NULL), 2);
    assert_int_equal(run(task, house, "account|list|--loud", "", NULL), 2);
    assert_int_equal(run(task, house, "", "", NULL), 2);
}

static void accounts_come_and_go(void **state)
{
    (void)state;
    in_house(accounts_script);
}

static int resolve(struct house *house, const char *address, unsigned *ret_count)
{
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf forwards;
    buf_init(&rows, 65536);
    buf_init(&forwards, 65536);
    int result = directory_resolve(house->directory, span_of_text(address), &rows, &forwards);
    *ret_count = (unsigned)(buf_len(&rows) / RECIPIENT_ROW_SIZE);
    return result;
}

static void resolving_script(struct task *task, struct house *house)
{
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "account|add|bob@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "address|add|team@demo.test|alice@demo.test|bob@demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "address|add|team@demo.test|carol@demo.test", "", NULL), 1);
    assert_int_equal(run(task, house, "address|add|bob@demo.test|alice@demo.test", "", NULL), 1);
    assert_int_equal(run(task, house, "address|add|x@other.test|alice@demo.test", "", NULL), 1);
    assert_int_equal(run(task, house, "address|remove|bob@demo.test", "", NULL), 1);
    static const struct {
        const char *address;
        int outcome;
        unsigned count;
    } rows[] = {
        {"ALICE@demo.test", RESOLVE_LOCAL, 1},      {"alice+lists@demo.test", RESOLVE_LOCAL, 1},
        {"team@demo.test", RESOLVE_LOCAL, 2},       {"team+x@demo.test", RESOLVE_LOCAL, 2},
        {"carol@demo.test", RESOLVE_UNKNOWN, 0},    {"carol@other.test", RESOLVE_REMOTE, 0},
        {"postmaster@demo.test", RESOLVE_LOCAL, 1}, {"Postmaster", RESOLVE_LOCAL, 1},
        {"nonsense", RESOLVE_UNKNOWN, 0},
    };
    unsigned count = 0;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        assert_int_equal(resolve(house, rows[row].address, &count), rows[row].outcome);
        assert_int_equal(count, rows[row].count);
    }
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("Team@demo.test")), DIRECTORY_OK);
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("alice+x@demo.test")), DIRECTORY_OK);
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("bob@demo.test")), DIRECTORY_NONE);
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("carol@demo.test")), DIRECTORY_NONE);
    assert_int_equal(run(task, house, "address|add|@demo.test|alice@demo.test", "", NULL), 0);
    assert_int_equal(resolve(house, "carol@demo.test", &count), RESOLVE_LOCAL);
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("carol@demo.test")), DIRECTORY_OK);
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("bob@demo.test")), DIRECTORY_NONE);
    assert_int_equal(run(task, house, "account|lock|alice@demo.test", "", NULL), 0);
    assert_int_equal(resolve(house, "alice@demo.test", &count), RESOLVE_LOCKED);
    assert_int_equal(resolve(house, "team@demo.test", &count), RESOLVE_LOCAL);
    assert_int_equal(count, 1);
    assert_int_equal(run(task, house, "address|list|--json", "", NULL), 0);
    assert_int_equal(run(task, house, "address|remove|@demo.test", "", NULL), 0);
    assert_int_equal(resolve(house, "carol@demo.test", &count), RESOLVE_UNKNOWN);
}

static bool takes_reports(struct house *house, const char *address)
{
    AUTO_BUF struct buf rows = {0};
    AUTO_BUF struct buf forwards = {0};
    struct recipient_row row = {0};
    buf_init(&rows, 65536);
    buf_init(&forwards, 65536);
    int result = directory_resolve(house->directory, span_of_text(address), &rows, &forwards);
    assert_int_equal(result, RESOLVE_LOCAL);
    span_t last = span_from(buf_span(&rows), buf_len(&rows) - RECIPIENT_ROW_SIZE);
    recipient_row_get(last.at, &row);
    return row.account == REPORTS_ACCOUNT;
}

static void reports_script(struct task *task, struct house *house)
{
    unsigned count = 0;
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "address|add|@demo.test|alice@demo.test", "", NULL), 0);
    assert_false(takes_reports(house, "mail-reports@demo.test"));
    directory_set_reports(house->directory, "mail-reports");
    assert_true(takes_reports(house, "Mail-Reports@demo.test"));
    assert_true(takes_reports(house, "mail-reports+tls@demo.test"));
    assert_int_equal(resolve(house, "mail-reports@demo.test", &count), RESOLVE_LOCAL);
    assert_int_equal(count, 1); /* not the catch-all's */
    assert_int_equal(resolve(house, "mail-reports@other.test", &count), RESOLVE_REMOTE);
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("mail-reports@demo.test")), DIRECTORY_NONE);
    assert_int_equal(run(task, house, "address|add|mail-reports@demo.test|alice@demo.test", "", NULL), 0);
    assert_int_equal(resolve(house, "mail-reports@demo.test", &count), RESOLVE_LOCAL);
    assert_int_equal(count, 2);
    assert_true(takes_reports(house, "mail-reports@demo.test"));
    assert_int_equal(directory_account_set_full(house->directory, 1, 1), DIRECTORY_OK);
    assert_int_equal(resolve(house, "mail-reports@demo.test", &count), RESOLVE_FULL);
    assert_int_equal(run(task, house, "account|lock|alice@demo.test", "", NULL), 0);
    assert_int_equal(resolve(house, "mail-reports@demo.test", &count), RESOLVE_LOCAL);
    assert_int_equal(count, 1);
    directory_set_reports(house->directory, "");
    assert_int_equal(resolve(house, "mail-reports@demo.test", &count), RESOLVE_LOCKED);
}

static void reports_have_an_address_in_every_domain(void **state)
{
    (void)state;
    in_house(reports_script);
}

static void addresses_lead_to_their_accounts(void **state)
{
    (void)state;
    in_house(resolving_script);
}

static void on_quota(void *arg, uint64_t account, uint64_t quota)
{
    struct house *house = arg;
    house->gone = account;
    house->quota = quota;
}

static void limits_script(struct task *task, struct house *house)
{
    static const struct {
        const char *words;
        int status;
        uint64_t quota, recipients, messages;
    } rows[] = {
        {"--quota|10K", 0, 10240, SPENDING_DEFAULT, SPENDING_DEFAULT},
        {"--recipients-per-hour|20", 0, 10240, 20, SPENDING_DEFAULT},
        {"--messages-per-hour|0|--recipients-per-hour|1000000", 0, 10240, 1000000, 0},
        {"--recipients-per-hour|1000001", 2, 10240, 1000000, 0},
        {"--recipients-per-hour|-1", 2, 10240, 1000000, 0},
        {"--messages-per-hour|many", 2, 10240, 1000000, 0},
        {"--messages-per-hour|7|--quota|large", 2, 10240, 1000000, 0},
        {"--recipients-per-hour|default|--quota|0", 0, 0, SPENDING_DEFAULT, 0},
    };
    unsigned count = 0;
    house->admin.quota = on_quota;
    assert_int_equal(run(task, house, "account|add|alice@demo.test|--quota|5K", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "account|limit|bob@demo.test|--quota|5K", "", NULL), 1);
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        char words[128];
        struct account account;
        (void)snprintf(words, sizeof(words), "account|limit|alice@demo.test|%s", rows[row].words);
        assert_int_equal(run(task, house, words, "", NULL), rows[row].status);
        assert_int_equal(directory_account_get(house->directory, 1, &account), DIRECTORY_OK);
        assert_int_equal(account.quota, rows[row].quota);
        assert_int_equal(house->quota, rows[row].quota); /* its session was told, too */
        assert_int_equal(account.limits.per_hour[SPENDING_RECIPIENTS], rows[row].recipients);
        assert_int_equal(account.limits.per_hour[SPENDING_MESSAGES], rows[row].messages);
    }
    assert_int_equal(run(task, house, "account|limit|alice@demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "account|limit|alice@demo.test|--quota|5K", "", NULL), 0);
    assert_int_equal(directory_account_set_full(house->directory, 1, 1), DIRECTORY_OK);
    assert_int_equal(run(task, house, "account|limit|alice@demo.test|--quota|4K", "", NULL), 0);
    assert_int_equal(resolve(house, "alice@demo.test", &count), RESOLVE_FULL);
    assert_int_equal(run(task, house, "account|limit|alice@demo.test|--quota|6K", "", NULL), 0);
    assert_int_equal(resolve(house, "alice@demo.test", &count), RESOLVE_LOCAL);
}

static void limits_are_changed_one_by_one(void **state)
{
    (void)state;
    in_house(limits_script);
}

/* Whom mail is sent on to, as "target<flags" of each, and how many accounts have it. */
static int forwards_of(struct house *house, const char *address, struct buf *text, unsigned *ret_accounts)
{
    AUTO_BUF struct buf rows;
    AUTO_BUF struct buf forwards;
    AUTO_BUF struct buf asked;
    struct envelope_recipient row;
    buf_init(&asked, 512);
    buf_init(&rows, 65536);
    buf_init(&forwards, 65536);
    buf_clear(text);
    int outcome = directory_resolve(house->directory, span_of_text(address), &rows, &forwards);
    for (span_t rest = buf_span(&forwards); envelope_recipient_next(&rest, &row);) {
        buf_clear(&asked);
        assert_int_equal(smtp_orcpt_read(row.orcpt, &asked), 0);
        assert_true(span_equal(buf_span(&asked), span_of_text(address)));
        assert_int_equal(
            buf_append_format(text, "%.*s%s ", SPAN_PRINT(row.address), (row.notify & ENVELOPE_KEPT) != 0 ? "*" : ""),
            0);
    }
    *ret_accounts = (unsigned)(buf_len(&rows) / RECIPIENT_ROW_SIZE);
    return outcome;
}

static void forwarding_script(struct task *task, struct house *house)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 4096);
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(run(task, house, "forward|add|alice@demo.test|Alice@Elsewhere.test", "", NULL), 0);
    assert_int_equal(run(task, house, "forward|add|info@demo.test|a@x.test|b@x.test|a@X.test", "", NULL), 0);
    assert_int_equal(run(task, house, "forward|add|@demo.test|all@x.test", "", NULL), 0);
    static const char *const wrong[] = {
        "forward|add|info@demo.test|bob@demo.test", "forward|add|info@demo.test|c@x.test|nonsense",
        "forward|add|info@demo.test|a b@x.test",    "forward|add|info@other.test|a@x.test",
        "forward|remove|info@demo.test|c@x.test",   "account|add|info@demo.test",
    };
    for (size_t at = 0; at < COUNT_OF(wrong); at++)
        assert_int_equal(run(task, house, wrong[at], "correct horse\n", NULL), 1);
    static const struct {
        const char *address;
        int outcome;
        unsigned accounts;
        const char *forwards;
    } rows[] = {
        {"alice@demo.test", RESOLVE_LOCAL, 1, "Alice@elsewhere.test* "},
        {"INFO+tag@demo.test", RESOLVE_LOCAL, 0, "a@x.test b@x.test "},
        {"nobody@demo.test", RESOLVE_LOCAL, 0, "all@x.test "},
        {"a@x.test", RESOLVE_REMOTE, 0, ""},
    };
    unsigned accounts = 0;
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        assert_int_equal(forwards_of(house, rows[at].address, &text, &accounts), rows[at].outcome);
        assert_int_equal(accounts, rows[at].accounts);
        assert_true(span_equal(buf_span(&text), span_of_text(rows[at].forwards)));
    }
    assert_int_equal(directory_may_send(house->directory, 1, SPAN("info@demo.test")), DIRECTORY_NONE);
    assert_int_equal(run(task, house, "forward|list|--json", "", NULL), 0);
    assert_int_equal(run(task, house, "account|lock|alice@demo.test", "", NULL), 0);
    assert_int_equal(forwards_of(house, "alice@demo.test", &text, &accounts), RESOLVE_LOCKED);
    assert_int_equal(run(task, house, "forward|remove|@demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "forward|remove|info@demo.test|a@x.test", "", NULL), 0);
    assert_int_equal(forwards_of(house, "info@demo.test", &text, &accounts), RESOLVE_LOCAL);
    assert_true(span_equal(buf_span(&text), SPAN("b@x.test ")));
    assert_int_equal(run(task, house, "account|remove|alice@demo.test", "", NULL), 0);
    assert_int_equal(forwards_of(house, "alice@demo.test", &text, &accounts), RESOLVE_UNKNOWN); /* went with it */
    assert_int_equal(run(task, house, "domain|remove|demo.test", "", NULL), 1);
    assert_int_equal(run(task, house, "forward|remove|info@demo.test", "", NULL), 0);
    assert_int_equal(run(task, house, "domain|remove|demo.test", "", NULL), 0);
}

static void mail_is_sent_on_where_that_is_set(void **state)
{
    (void)state;
    in_house(forwarding_script);
}

/* --- lists, page by page --- */

/* All pages joined; how many there were. */
static unsigned list_all(struct task *task, struct house *house, span_t words, struct buf *whole)
{
    AUTO_BUF struct buf after = {0};
    unsigned pages = 0;
    buf_init(&after, ADMIN_NEXT_MAX);
    do {
        struct admin_reply reply;
        admin_reply_init(&reply);
        house->admin.after = buf_span(&after);
        admin_run(task, &house->admin, words, SPAN_NONE, &reply);
        assert_int_equal(reply.status, ADMIN_DONE);
        assert_true(buf_len(&reply.output) < ADMIN_OUTPUT_MAX);
        buf_append(whole, buf_span(&reply.output));
        buf_clear(&after);
        buf_append(&after, buf_span(&reply.next));
        admin_reply_deinit(&reply);
        pages++;
    } while (buf_len(&after) > 0);
    house->admin.after = SPAN_NONE;
    assert_int_equal(buf_fault(whole), 0);
    return pages;
}

static void names_add(struct house *house, unsigned count)
{
    assert_int_equal(directory_begin(house->directory), 0);
    for (unsigned at = 0; at < count; at++) {
        struct name name = {.domain = "demo.test"};
        struct account account = {0};
        (void)snprintf(name.local, sizeof(name.local), "user%05u", at);
        assert_int_equal(directory_account_add(house->directory, &name, &account), DIRECTORY_OK);
        (void)snprintf(name.local, sizeof(name.local), "%c%05u", at % 2 == 0 ? 'a' : 'z', at / 2);
        assert_int_equal(directory_address_add(house->directory, &name, account.id), DIRECTORY_OK);
        (void)snprintf(name.domain, sizeof(name.domain), "domain%05u.example", at);
        assert_int_equal(directory_domain_add(house->directory, name.domain), DIRECTORY_OK);
    }
    assert_int_equal(directory_commit(house->directory), 0);
}

static void app_passwords_add(struct house *house, unsigned count)
{
    struct credential credential = {.account = 1, .kind = CREDENTIAL_APP, .scope = SCOPE_ALL, .label = "a \"label\""};
    assert_int_equal(directory_begin(house->directory), 0);
    for (unsigned at = 0; at < count; at++)
        assert_int_equal(directory_credential_add(house->directory, &credential), 0);
    assert_int_equal(directory_commit(house->directory), 0);
}

static void check_lines(span_t list, unsigned count)
{
    span_t line;
    span_t before = SPAN_NONE;
    unsigned lines = 0;
    while (span_cut(&list, '\n', &line) && line.len > 0) {
        assert_false(span_equal(line, before));
        before = line;
        lines++;
    }
    assert_int_equal(lines, count);
}

static void check_json(span_t list, unsigned count)
{
    json_error_t error;
    json_t *array = json_loadb((const char *)list.at, list.len, 0, &error);
    assert_non_null(array);
    assert_int_equal(json_array_size(array), count);
    json_decref(array);
}

#define LISTED 10000U

static void lists_script(struct task *task, struct house *house)
{
    static const struct {
        span_t text;
        span_t json;
        unsigned more; /* of the kind, made before */
    } rows[] = {
        {SPAN("account\0list"), SPAN("account\0list\0--json"), 0},
        {SPAN("address\0list"), SPAN("address\0list\0--json"), 0},
        {SPAN("domain\0list"), SPAN("domain\0list\0--json"), 1},
        {SPAN("app-password\0list\0user00000@demo.test"), SPAN("app-password\0list\0user00000@demo.test\0--json"), 0},
    };
    AUTO_BUF struct buf whole = {0};
    buf_init(&whole, (size_t)8 * 1024 * 1024);
    for (size_t at = 0; at < 3; at++) {
        buf_clear(&whole);
        assert_int_equal(list_all(task, house, rows[at].json, &whole), 1);
        check_json(buf_span(&whole), rows[at].more);
    }
    names_add(house, LISTED);
    app_passwords_add(house, LISTED);
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        buf_clear(&whole);
        assert_true(list_all(task, house, rows[at].text, &whole) > 1);
        check_lines(buf_span(&whole), LISTED + rows[at].more);
        buf_clear(&whole);
        assert_true(list_all(task, house, rows[at].json, &whole) > 1);
        check_json(buf_span(&whole), LISTED + rows[at].more);
    }
}

static void a_list_of_ten_thousand_comes_in_pages(void **state)
{
    (void)state;
    in_house(lists_script);
}

/* --- costlier hashing --- */

static void params_of(struct house *house, struct password_params *ret_params)
{
    struct credential credential;
    assert_int_equal(directory_credential_get(house->directory, 1, CREDENTIAL_PASSWORD, &credential), DIRECTORY_OK);
    *ret_params = credential.params;
}

static void cost_script(struct task *task, struct house *house)
{
    uint8_t root[32];
    uint8_t again[32];
    struct password_params params;
    assert_int_equal(run(task, house, "account|add|alice@demo.test", "correct horse\n", NULL), 0);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, root), LOGIN_OK);
    house->auth.defaults.memory_kib = 256;
    house->auth.defaults.passes = 2;
    assert_int_equal(login(task, house, "alice@demo.test", "wrong horse", SERVICE_IMAP, again), LOGIN_DENIED);
    params_of(house, &params);
    assert_int_equal(params.memory_kib, 64);
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    params_of(house, &params);
    assert_int_equal(params.memory_kib, 256);
    assert_int_equal(params.passes, 2);
    house->auth.defaults.memory_kib = 64;
    assert_int_equal(login(task, house, "alice@demo.test", "correct horse", SERVICE_IMAP, again), LOGIN_OK);
    assert_memory_equal(root, again, 32);
    params_of(house, &params);
    assert_int_equal(params.memory_kib, 256);
    assert_int_equal(login(task, house, "alice@demo.test", "wrong horse", SERVICE_IMAP, NULL), LOGIN_DENIED);
}

static void a_raised_cost_is_taken_over_at_the_next_login(void **state)
{
    (void)state;
    in_house(cost_script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_credentials_are_dead_and_the_root_secret_stays),
        cmocka_unit_test(app_passwords_open_what_their_scope_says),
        cmocka_unit_test(scram_opens_the_account_without_the_password),
        cmocka_unit_test(channel_binding_cannot_be_talked_away),
        cmocka_unit_test(accounts_come_and_go),
        cmocka_unit_test(addresses_lead_to_their_accounts),
        cmocka_unit_test(mail_is_sent_on_where_that_is_set),
        cmocka_unit_test(reports_have_an_address_in_every_domain),
        cmocka_unit_test(a_list_of_ten_thousand_comes_in_pages),
        cmocka_unit_test(limits_are_changed_one_by_one),
        cmocka_unit_test(a_raised_cost_is_taken_over_at_the_next_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
