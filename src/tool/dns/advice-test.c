#include "base/test.h"

#include <stdio.h>
#include <string.h>

#include "proto/dns/rdata.h"
#include "tool/dns/report.h"
#include "trust/fixture.h"

#define SELECTOR "rsa2026"
#define RSA_SIZE 392 /* characters of a 2048-bit key */

struct bench {
    struct arena *arena;
    struct conf *conf;
    struct facts facts;
    struct advice_list list;
};

static void bench_init(struct bench *bench, span_t settings)
{
    struct conf_error error;
    static char key[RSA_SIZE + 40];
    assert_int_equal(arena_new(1U << 22, &bench->arena), 0);
    assert_int_equal(conf_parse(settings, "test", &bench->conf, &error), 0);
    bench->conf->server_port_offset = 0;
    const int len = snprintf(key, sizeof(key), "v=DKIM1; k=rsa; p=%0*d", RSA_SIZE, 0);
    bench->facts = (struct facts){.conf = bench->conf,
                                  .domain = "good.test",
                                  .host = "mx.good.test",
                                  .digest_count = 1,
                                  .authority = "ca.test",
                                  .key_count = 1,
                                  .keys = {{SELECTOR, span_of(key, (size_t)len)}},
                                  .problem = ""};
    assert_int_equal(advice_make(&bench->facts, bench->arena, &bench->list), 0);
}

static void bench_deinit(struct bench *bench)
{
    arena_free(bench->arena);
    conf_free(bench->conf);
}

static const struct advice *advice_of(const struct bench *bench, const char *title, const char *owner)
{
    for (size_t i = 0; i < bench->list.count; i++)
        if (strcmp(bench->list.rows[i].title, title) == 0 &&
            (owner == NULL || strcmp(bench->list.rows[i].owner, owner) == 0))
            return &bench->list.rows[i];
    return NULL;
}

/* What the fixture's rows make of one piece of advice. */
static struct finding find(struct bench *bench, const char *title, const struct fixture_row *rows, size_t count)
{
    struct fixture_zone zone = {.rows = rows, .count = count};
    const struct dns_lookup lookup = {.ask = fixture_ask, .context = &zone};
    struct finding finding;
    const struct advice *advice = advice_of(bench, title, NULL);
    assert_non_null(advice);
    assert_int_equal(advice_find(advice, &bench->facts, &lookup, bench->arena, &finding), 0);
    return finding;
}

static span_t txt(struct bench *bench, const char *text)
{
    AUTO_BUF struct buf wire;
    span_t copy = SPAN_NONE;
    buf_init(&wire, 5000);
    assert_int_equal(dns_put_txt(&wire, span_of_text(text)), 0);
    assert_int_equal(arena_copy(bench->arena, buf_span(&wire), &copy), 0);
    return copy;
}

static void a_long_key_is_cut_where_zone_files_want_it(void **state)
{
    struct bench bench;
    AUTO_BUF struct buf zone;
    (void)state;
    bench_init(&bench, SPAN(""));
    buf_init(&zone, 100000);
    assert_int_equal(report_zone(&bench.facts, &bench.list, &zone), 0);
    const span_t text = buf_span(&zone);
    const size_t at = span_find(text, SPAN(SELECTOR "._domainkey.good.test. 3600 IN TXT \"v=DKIM1; k=rsa; p=00"));
    assert_true(at < text.len);
    const span_t line = span_upto(span_from(text, at), span_find_byte(span_from(text, at), '\n'));
    size_t strings = 0;
    for (size_t i = 0; i < line.len; i++)
        strings += line.at[i] == '"';
    assert_int_equal(strings, 4); /* two strings of 255 and less */
    bench_deinit(&bench);
}

static void a_key_is_compared_as_one_text(void **state)
{
    struct bench bench;
    (void)state;
    bench_init(&bench, SPAN(""));
    const struct fixture_row same[] = {{SELECTOR "._domainkey.good.test", DNS_TXT,
                                        advice_of(&bench, "DKIM", NULL)->wanted[0], DNS_FOUND, false, NULL}};
    const struct fixture_row other[] = {
        {SELECTOR "._domainkey.good.test", DNS_TXT, txt(&bench, "v=DKIM1; k=rsa; p=11"), DNS_FOUND, false, NULL}};
    assert_int_equal(find(&bench, "DKIM", same, 1).state, FINDING_OK);
    assert_int_equal(find(&bench, "DKIM", other, 1).state, FINDING_DIFFERS);
    assert_int_equal(find(&bench, "DKIM", NULL, 0).state, FINDING_MISSING);
    bench_deinit(&bench);
}

/* RFC 6186 §3.4 */
static void a_service_that_is_off_says_so(void **state)
{
    struct bench bench;
    AUTO_BUF struct buf text;
    (void)state;
    bench_init(&bench, SPAN("[pop3]\nport = 0\n"));
    buf_init(&text, 1000);
    const struct advice *advice = advice_of(&bench, "SRV", "_pop3._tcp.good.test");
    assert_int_equal(dns_print_rdata(&text, DNS_SRV, advice->wanted[0]), 0);
    assert_true(span_equal(buf_span(&text), SPAN("0 0 0 .")));
    bench_deinit(&bench);
}

static void what_cannot_be_asked_is_not_missing(void **state)
{
    static const struct row {
        enum dns_outcome outcome;
        enum finding_state state;
    } outcomes[] = {{DNS_FAILED, FINDING_UNKNOWN}, {DNS_BOGUS, FINDING_BOGUS}};
    struct bench bench;
    (void)state;
    bench_init(&bench, SPAN(""));
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        const struct fixture_row rows[] = {
            {"good.test", DNS_MX, SPAN_NONE, outcomes[i].outcome, false, NULL},
            {"_25._tcp.mx.good.test", DNS_TLSA, SPAN_NONE, outcomes[i].outcome, false, NULL}};
        const struct finding finding = find(&bench, "MX", rows, 2);
        assert_int_equal(finding.state, outcomes[i].state);
        assert_true(advice_fails(advice_of(&bench, "MX", NULL), &finding));
        assert_int_equal(find(&bench, "TLSA", rows, 2).state, outcomes[i].state);
    }
    bench_deinit(&bench);
}

static void rubbish_among_the_records_does_no_harm(void **state)
{
    struct bench bench;
    AUTO_BUF struct buf text;
    struct finding findings[ADVICE_MAX];
    (void)state;
    bench_init(&bench, SPAN(""));
    buf_init(&text, 1000000);
    const struct fixture_row rows[] = {
        {"good.test", DNS_MX, SPAN("\0"), DNS_FOUND, false, NULL},
        {"good.test", DNS_TXT, SPAN("\5abc"), DNS_FOUND, false, NULL},
        {"good.test", DNS_TXT, SPAN("\4\0\x1b[2"), DNS_FOUND, false, NULL},
        {"_dmarc.good.test", DNS_TXT, SPAN("\x10v=DMARC1; p=\xff;;;="), DNS_FOUND, false, NULL},
        {"mx.good.test", DNS_CAA, SPAN("\0"), DNS_FOUND, false, NULL},
        {"mx.good.test", DNS_A, SPAN("\1\2\3"), DNS_FOUND, false, NULL},
        {"_25._tcp.mx.good.test", DNS_TLSA, SPAN("\3"), DNS_FOUND, false, NULL},
        {"autoconfig.good.test", DNS_CNAME, SPAN("\xc0\0"), DNS_FOUND, false, NULL},
    };
    struct fixture_zone zone = {.rows = rows, .count = COUNT_OF(rows)};
    const struct dns_lookup lookup = {.ask = fixture_ask, .context = &zone};
    for (size_t i = 0; i < bench.list.count; i++)
        assert_int_equal(advice_find(&bench.list.rows[i], &bench.facts, &lookup, bench.arena, &findings[i]), 0);
    assert_int_equal(report_list(&bench.facts, &bench.list, findings, &text), 0);
    for (size_t i = 0; i < buf_len(&text); i++)
        assert_true(buf_span(&text).at[i] == '\n' || buf_span(&text).at[i] >= ' ');
    buf_clear(&text);
    assert_int_equal(report_json(&bench.facts, &bench.list, findings, &text), 0);
    bench_deinit(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_key_is_cut_where_zone_files_want_it),
        cmocka_unit_test(a_key_is_compared_as_one_text),
        cmocka_unit_test(a_service_that_is_off_says_so),
        cmocka_unit_test(what_cannot_be_asked_is_not_missing),
        cmocka_unit_test(rubbish_among_the_records_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
