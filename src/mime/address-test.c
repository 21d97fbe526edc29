#include "base/test.h"

#include "base/buf.h"
#include "mime/address.h"

/* name|local|domain of each entry, entries separated by a slash; - is absent; a group is {name … }. */
static void describe(const struct mime_address *address, struct buf *text)
{
    for (; address != NULL; address = address->next) {
        if (address->kind == MIME_ADDRESS_GROUP_START)
            buf_append_format(text, "{%.*s", SPAN_PRINT(address->name));
        else if (address->kind == MIME_ADDRESS_GROUP_END)
            buf_append_text(text, "}");
        else
            buf_append_format(text, "%.*s|%.*s|%.*s", SPAN_PRINT(address->name.at == NULL ? SPAN("-") : address->name),
                              SPAN_PRINT(address->local.at == NULL ? SPAN("-") : address->local),
                              SPAN_PRINT(address->domain.at == NULL ? SPAN("-") : address->domain));
        if (address->next != NULL)
            buf_append_text(text, "/");
    }
    buf_append_byte(text, 0);
}

static void addresses_are_understood(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"a@b.c", "-|a|b.c"},
        {"<a@b.c>", "-|a|b.c"},
        {"A B <a@b.c>", "A B|a|b.c"},
        {"\"B, A\" <a@b.c>, c@d", "B, A|a|b.c/-|c|d"},
        {"\"q\\\"uote\" <a@b.c>", "q\"uote|a|b.c"},
        {"a@b.c (A Name)", "A Name|a|b.c"},
        {"<a@b.c> (A (nested) Name)", "A (nested) Name|a|b.c"},
        {"A (comment) B\r\n <a@b.c>", "A B|a|b.c"},
        {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|pete|silly.test"},
        {"A Group(Some people)\r\n :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org;",
         "{A Group/Chris Jones|c|public.example/-|joe|example.org/}"},
        {"undisclosed-recipients:;", "{undisclosed-recipients/}"},
        {"group: a@b", "{group/-|a|b/}"},
        {"<@one.test,@two.test:a@b.c>", "-|a|b.c"},
        {"\"quoted local\"@b.c", "-|quoted local|b.c"},
        {"john . doe @ b . c", "-|john.doe|b.c"},
        {"a@[127.0.0.1]", "-|a|[127.0.0.1]"},
        {"=?utf-8?q?=C3=A9?= <a@b>", "=?utf-8?q?=C3=A9?=|a|b"},
        {"John Doe a@b.c", "John Doe|a|b.c"},
        {"a@b.c <a@b.c>", "a@b.c|a|b.c"},
        {"<a@b> <c@d>", "-|a|b/-|c|d"},
        {"foo", "-|foo|-"},
        {"A B <>", "A B||-"},
        {"<a@b", "-|a|b"},
        {"A <a@b, c@d", "A|a|b/-|c|d"},
        {"\"never ends <a@b>", "-|never ends <a@b>|-"},
        {"(never ends", ""},
        {",, ,;,", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        AUTO_BUF struct buf text;
        struct mime_address *addresses = NULL;
        buf_init(&text, 10000);
        assert_int_equal(arena_new(10000, &arena), 0);
        assert_int_equal(mime_address_parse(span_of_text(rows[i][0]), arena, &addresses), 0);
        describe(addresses, &text);
        assert_string_equal((const char *)buf_span(&text).at, rows[i][1]);
    }
}

static void a_route_is_kept_apart(void **state)
{
    (void)state;
    AUTO(arena) struct arena *arena = NULL;
    struct mime_address *addresses = NULL;
    assert_int_equal(arena_new(10000, &arena), 0);
    assert_int_equal(mime_address_parse(SPAN("X <@a.b,@c.d:e@f>"), arena, &addresses), 0);
    assert_true(span_equal(addresses->route, SPAN("@a.b,@c.d")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_understood),
        cmocka_unit_test(a_route_is_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
