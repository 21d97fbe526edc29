#include "trust/fixture.h"

#include <string.h>

#include "trust/tlsrpt/tally.h"
#include "trust/unpack/pack.h"
#include "trust/unpack/unpack.h"

#define CONTEXT_MAX 8192U

static const char *const lines[] = {"version: STSv1", "mode: enforce", "mx: mx.x.test", "max_age: 86400"};
static const char *const hosts[] = {"mx.x.test"};
static const struct tlsrpt_policy sts = {
    .type = TLSRPT_STS, .string_count = 4, .strings = lines, .mx_count = 1, .mx_hosts = hosts};
static const struct tlsrpt_policy none = {.type = TLSRPT_NO_POLICY_FOUND};
static const struct tlsrpt_failure expired = {.type = TLSRPT_CERTIFICATE_EXPIRED,
                                              .sending_ip = "192.0.2.1",
                                              .mx_host = "mx.x.test",
                                              .receiving_ip = "2001:db8::1",
                                              .reason_code = "it ran out"};

/* What is counted lives in the arena. */
static struct tally_item counted(struct arena *arena, const struct tlsrpt_policy *policy,
                                 const struct tlsrpt_failure *failure, uint64_t count)
{
    AUTO_BUF struct buf context;
    AUTO_BUF struct buf what;
    struct tally_item item = {.count = count};
    buf_init(&context, CONTEXT_MAX);
    buf_init(&what, CONTEXT_MAX);
    tlsrpt_tally_context(policy, &context);
    tlsrpt_tally_what(failure, &what);
    assert_int_equal(buf_fault(&context), 0);
    assert_int_equal(buf_fault(&what), 0);
    assert_int_equal(arena_copy(arena, buf_span(&context), &item.context), 0);
    assert_int_equal(arena_copy(arena, buf_span(&what), &item.what), 0);
    return item;
}

static void what_was_counted_becomes_the_policies_of_a_report(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct tlsrpt_report report = {0};
    (void)state;
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct tally_item items[] = {counted(arena, &sts, NULL, 7), counted(arena, &sts, &expired, 2),
                                       counted(arena, &none, NULL, 1)};
    assert_int_equal(tlsrpt_tally_read("x.test", items, COUNT_OF(items), arena, &report), 0);
    assert_int_equal(report.policy_count, 2);
    const struct tlsrpt_policy *first = &report.policies[0];
    assert_int_equal(first->type, TLSRPT_STS);
    assert_string_equal(first->domain, "x.test");
    assert_int_equal(first->successful, 7);
    assert_int_equal(first->failed, 2);
    assert_int_equal(first->string_count, 4);
    assert_string_equal(first->strings[3], "max_age: 86400");
    assert_string_equal(first->mx_hosts[0], "mx.x.test");
    assert_int_equal(first->failure_count, 1);
    assert_int_equal(first->failures[0].type, TLSRPT_CERTIFICATE_EXPIRED);
    assert_int_equal(first->failures[0].sessions, 2);
    assert_string_equal(first->failures[0].receiving_ip, "2001:db8::1");
    assert_null(first->failures[0].mx_helo);
    assert_int_equal(report.policies[1].type, TLSRPT_NO_POLICY_FOUND);
    assert_int_equal(report.policies[1].successful, 1);
    assert_int_equal(report.policies[1].string_count, 0);
}

/* The whole way: written, packed, unpacked and read again as that of another. */
static void the_report_reads_as_one(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    AUTO_BUF struct buf json;
    AUTO_BUF struct buf packed;
    AUTO_BUF struct buf plain;
    struct tlsrpt_report read = {0};
    struct tlsrpt_report report = {.organization = "us.test", .contact = "p@us.test", .id = "1@us.test", .end = 86399};
    (void)state;
    buf_init(&json, TLSRPT_REPORT_MAX);
    buf_init(&packed, TLSRPT_REPORT_MAX);
    buf_init(&plain, TLSRPT_REPORT_MAX + 1);
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct tally_item items[] = {counted(arena, &sts, &expired, 2)};
    assert_int_equal(tlsrpt_tally_read("x.test", items, 1, arena, &report), 0);
    assert_int_equal(tlsrpt_report_write(&report, &json), 0);
    assert_int_equal(pack_gzip(buf_span(&json), &packed), 0);
    assert_int_equal(unpack(buf_span(&packed), TLSRPT_REPORT_MAX, &plain), UNPACK_OK);
    assert_int_equal(tlsrpt_report_read(buf_span(&plain), arena, &read), TLSRPT_OK);
    assert_string_equal(read.organization, "us.test");
    assert_int_equal(read.policies[0].failures[0].sessions, 2);
    assert_string_equal(read.policies[0].failures[0].reason_code, "it ran out");
}

/* Strangers write policies, host names and certificates: controls and broken UTF-8 do not get through, nor much of it.
 */
static void what_strangers_choose_is_made_harmless(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct tlsrpt_report report = {0};
    char large[4096];
    const char *const many[] = {large, large, large, large, large, large, large, large, large, "last"};
    const struct tlsrpt_policy vast = {.type = TLSRPT_STS, .string_count = COUNT_OF(many), .strings = many};
    struct tlsrpt_failure odd = expired;
    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    odd.reason_code = "a\001b\xff"
                      "c\xef\xbf\xbf";
    odd.mx_host = large;
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    const struct tally_item items[] = {counted(arena, &vast, &odd, 1)};
    assert_int_equal(tlsrpt_tally_read("x.test", items, 1, arena, &report), 0);
    assert_true(report.policies[0].string_count < COUNT_OF(many));
    assert_int_equal(strlen(report.policies[0].strings[0]), TLSRPT_STRING_MAX);
    assert_string_equal(report.policies[0].failures[0].reason_code, "a\xef\xbf\xbd"
                                                                    "b\xef\xbf\xbd"
                                                                    "c\xef\xbf\xbd");
    assert_true(strlen(report.policies[0].failures[0].mx_host) < 300);
}

static void what_cannot_be_read_is_left_out(void **state)
{
    AUTO(arena) struct arena *arena = NULL;
    struct tlsrpt_report report = {0};
    const struct tally_item items[] = {{SPAN("nonsense\0"), SPAN("\0"), 1}, {SPAN(""), SPAN(""), 1}};
    (void)state;
    assert_int_equal(arena_new(1U << 20, &arena), 0);
    assert_int_equal(tlsrpt_tally_read("x.test", items, COUNT_OF(items), arena, &report), 0);
    assert_int_equal(report.policy_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_becomes_the_policies_of_a_report),
        cmocka_unit_test(the_report_reads_as_one),
        cmocka_unit_test(what_strangers_choose_is_made_harmless),
        cmocka_unit_test(what_cannot_be_read_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
