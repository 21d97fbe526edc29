#include "vault/fixture.h"

#include "base/buf.h"
#include "vault/annotation.h"

static int see_entry(void *arg, span_t entry, span_t value)
{
    struct buf *seen = arg;
    buf_append(seen, entry);
    buf_append_byte(seen, '=');
    buf_append(seen, value);
    return buf_append_byte(seen, ' ');
}

static void expect(struct place *place, uint64_t mailbox, const char *entry, const char *wanted)
{
    struct buf seen AUTO_BUF;
    buf_init(&seen, 4096);
    assert_int_equal(vault_annotation_list(place->vault, mailbox, span_of_text(entry), see_entry, &seen), 0);
    assert_true(span_equal(buf_span(&seen), span_of_text(wanted)));
}

static void put(struct place *place, uint64_t mailbox, const char *entry, span_t value)
{
    assert_int_equal(vault_annotation_put(place->vault, mailbox, span_of_text(entry), value), 0);
}

static void values_are_kept_replaced_and_removed(void **state)
{
    struct place *place = *state;
    put(place, VAULT_INBOX, "/private/comment", SPAN("one"));
    put(place, VAULT_INBOX, "/private/comment",
        SPAN("a\0"
             "b"));
    put(place, VAULT_ACCOUNT_ITSELF, "/private/comment", SPAN(""));
    reopen(place);
    AUTO_FREE uint8_t *value = NULL;
    size_t len = 0;
    assert_int_equal(vault_annotation_get(place->vault, VAULT_INBOX, SPAN("/private/comment"), &value, &len), 0);
    assert_true(span_equal(span_of(value, len), SPAN("a\0"
                                                     "b")));
    AUTO_FREE uint8_t *empty = NULL;
    assert_int_equal(vault_annotation_get(place->vault, VAULT_ACCOUNT_ITSELF, SPAN("/private/comment"), &empty, &len),
                     0);
    assert_int_equal(len, 0);
    put(place, VAULT_INBOX, "/private/comment", SPAN_NONE);
    put(place, VAULT_INBOX, "/private/comment", SPAN_NONE);
    AUTO_FREE uint8_t *gone = NULL;
    assert_int_equal(vault_annotation_get(place->vault, VAULT_INBOX, SPAN("/private/comment"), &gone, &len),
                     VAULT_NOT_FOUND);
}

static void a_list_has_what_is_below_and_nothing_beside(void **state)
{
    struct place *place = *state;
    put(place, VAULT_INBOX, "/private/a", SPAN("1"));
    put(place, VAULT_INBOX, "/private/a/b", SPAN("2"));
    put(place, VAULT_INBOX, "/private/a-c", SPAN("3"));
    put(place, VAULT_INBOX, "/private/ab", SPAN("4"));
    expect(place, VAULT_INBOX, "/private/a", "/private/a=1 /private/a/b=2 ");
    expect(place, VAULT_INBOX, "/shared", "");
}

static void they_leave_with_their_mailbox(void **state)
{
    struct place *place = *state;
    uint64_t id = make(place, "box");
    put(place, id, "/shared/comment", SPAN("x"));
    assert_int_equal(vault_mailbox_rename(place->vault, SPAN("box"), SPAN("other"), NOW), 0);
    expect(place, id, "/shared", "/shared/comment=x ");
    assert_int_equal(vault_mailbox_delete(place->vault, id), 0);
    expect(place, id, "/shared", "");
}

static void there_is_a_limit_to_their_number(void **state)
{
    struct place *place = *state;
    char name[32];
    assert_int_equal(vault_begin(place->vault, VAULT_RELAXED), 0);
    for (int i = 0; i < VAULT_ANNOTATIONS_EACH; i++) {
        (void)snprintf(name, sizeof(name), "/private/%d", i);
        put(place, VAULT_INBOX, name, SPAN("x"));
    }
    put(place, VAULT_INBOX, "/private/0", SPAN("y"));
    assert_int_equal(vault_annotation_put(place->vault, VAULT_INBOX, SPAN("/private/more"), SPAN("x")), VAULT_LIMIT);
    assert_int_equal(vault_commit(place->vault), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(values_are_kept_replaced_and_removed),
        IN_PLACE(a_list_has_what_is_below_and_nothing_beside),
        IN_PLACE(they_leave_with_their_mailbox),
        IN_PLACE(there_is_a_limit_to_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
