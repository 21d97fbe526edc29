#include "base/test.h"

#include <errno.h>

#include "base/buf.h"
#include "proto/dns/message.h"

#define WIRE(literal) literal, sizeof(literal) - 1

/* A response to a question about "a.test", piece by piece; SOA is that of "test". */
#define HEAD(rcode, answers, denials) "\1\2\x81" rcode "\0\1\0" answers "\0" denials "\0\0"
#define ASKED(type) "\1a\4test\0\0" type "\0\1"
#define SELF "\xc0\x0c"
#define RECORD(type, ttl, len) "\0" type "\0\1\0\0\0" ttl "\0" len
#define SOA "\xc0\x0e" RECORD("\6", "\x3c", "\x1c") "\xc0\x0e\3hm.\xc0\x0e\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x1e"

static const struct row {
    const char *wire;
    size_t len;
    enum dns_type type;
    enum dns_outcome outcome;
    uint32_t ttl;
    const char *canonical;
    const char *records; /* each and a "|" */
    size_t records_len;
} rows[] = {
    {WIRE(HEAD("\0", "\2", "\0") ASKED("\1")
              SELF RECORD("\1", "\x0a", "\4") "\1\2\3\4" SELF RECORD("\1", "\7", "\4") "\5\6\7\10"),
     DNS_A, DNS_FOUND, 7, "a.test", WIRE("\1\2\3\4|\5\6\7\10|")},
    /* an alias, whose target is compressed */
    {WIRE(HEAD("\0", "\2", "\0") ASKED("\1")
              SELF RECORD("\5", "\5", "\4") "\1b\xc0\x0e\xc0\x24" RECORD("\1", "\x0a", "\4") "\1\2\3\4"),
     DNS_A, DNS_FOUND, 5, "b.test", WIRE("\1\2\3\4|")},
    /* RDATA is uncompressed */
    {WIRE(HEAD("\0", "\1", "\0") ASKED("\x0f") SELF RECORD("\x0f", "\5", "\6") "\0\x0a\1m\xc0\x0e"), DNS_MX, DNS_FOUND,
     5, "a.test", WIRE("\0\x0a\1m\4test\0|")},
    /* what was not asked for does not count */
    {WIRE(HEAD("\0", "\2", "\0")
              ASKED("\1") "\xc0\x0e" RECORD("\1", "\x0a", "\4") "\1\2\3\4" SELF RECORD("\1", "\7", "\4") "\5\6\7\10"),
     DNS_A, DNS_FOUND, 7, "a.test", WIRE("\5\6\7\10|")},
    {WIRE(HEAD("\3", "\0", "\0") ASKED("\1")), DNS_A, DNS_NO_NAME, 0, "a.test", WIRE("")},
    {WIRE(HEAD("\0", "\0", "\0") ASKED("\1")), DNS_A, DNS_NO_DATA, 0, "a.test", WIRE("")},
    {WIRE(HEAD("\0", "\1", "\0") ASKED("\5") SELF RECORD("\5", "\5", "\4") "\1b\xc0\x0e"), DNS_CNAME, DNS_FOUND, 5,
     "a.test", WIRE("\1b\4test\0|")},
    {WIRE(HEAD("\2", "\0", "\0") ASKED("\1")), DNS_A, DNS_FAILED, 0, "", WIRE("")},
};

static void answers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(arena) struct arena *arena = NULL;
        AUTO_BUF struct buf records;
        struct dns_answer answer;
        buf_init(&records, 1000);
        assert_int_equal(arena_new(100000, &arena), 0);
        assert_int_equal(dns_message_read(span_of(rows[i].wire, rows[i].len), rows[i].type, arena, &answer), 0);
        assert_int_equal(answer.outcome, rows[i].outcome);
        assert_int_equal(answer.ttl, rows[i].ttl);
        assert_string_equal(answer.canonical, rows[i].canonical);
        assert_false(answer.is_secure);
        for (size_t k = 0; k < answer.count; k++) {
            buf_append(&records, answer.records[k]);
            buf_append_byte(&records, '|');
        }
        assert_true(span_equal(buf_span(&records), span_of(rows[i].records, rows[i].records_len)));
    }
}

/* RFC 2308 §5 */
static void a_denial_holds_as_long_as_its_soa_says(void **state)
{
    static const char message[] = HEAD("\3", "\0", "\1") ASKED("\1") SOA;
    AUTO(arena) struct arena *arena = NULL;
    struct dns_answer answer;
    (void)state;
    assert_int_equal(arena_new(100000, &arena), 0);
    assert_int_equal(dns_message_read(span_of(message, sizeof(message) - 1), DNS_A, arena, &answer), 0);
    assert_int_equal(answer.outcome, DNS_NO_NAME);
    assert_int_equal(answer.ttl, 30);
}

/* A response with so many addresses. */
static void append_many(struct buf *out, unsigned count)
{
    buf_append(out, span_of("\1\2\x81\0\0\1", 6));
    buf_append_byte(out, (uint8_t)(count >> 8));
    buf_append_byte(out, (uint8_t)(count & 0xffU));
    buf_append(out, SPAN("\0\0\0\0" ASKED("\1")));
    for (unsigned i = 0; i < count; i++)
        buf_append(out, SPAN(SELF RECORD("\1", "\x0a", "\4") "\1\2\3\4"));
}

static void too_many_records_are_no_answer(void **state)
{
    AUTO_BUF struct buf message;
    (void)state;
    buf_init(&message, 100000);
    for (unsigned more = 0; more < 2; more++) {
        AUTO(arena) struct arena *arena = NULL;
        struct dns_answer answer;
        assert_int_equal(arena_new(100000, &arena), 0);
        buf_clear(&message);
        append_many(&message, DNS_RECORDS_MAX + more);
        assert_int_equal(dns_message_read(buf_span(&message), DNS_A, arena, &answer), 0);
        assert_int_equal(answer.outcome, more == 0 ? DNS_FOUND : DNS_FAILED);
        assert_int_equal(answer.count, more == 0 ? DNS_RECORDS_MAX : 0);
    }
}

static void what_is_cut_off_is_no_answer(void **state)
{
    (void)state;
    for (size_t len = 0; len < rows[1].len; len++) {
        AUTO(arena) struct arena *arena = NULL;
        struct dns_answer answer;
        assert_int_equal(arena_new(100000, &arena), 0);
        assert_int_equal(dns_message_read(span_of(rows[1].wire, len), DNS_A, arena, &answer), -EBADMSG);
    }
    static const char other[] = HEAD("\0", "\0", "\0") ASKED("\1");
    AUTO(arena) struct arena *arena = NULL;
    struct dns_answer answer;
    assert_int_equal(arena_new(100000, &arena), 0);
    assert_int_equal(dns_message_read(span_of(other, sizeof(other) - 1), DNS_MX, arena, &answer), -EBADMSG);
    assert_int_equal(dns_message_read(SPAN("\1\2\1\0\0\1\0\0\0\0\0\0" ASKED("\1")), DNS_A, arena, &answer), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(a_denial_holds_as_long_as_its_soa_says),
        cmocka_unit_test(too_many_records_are_no_answer),
        cmocka_unit_test(what_is_cut_off_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
