#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "role/keeper/reports.h"

static char folder[] = "/tmp/waxwing-reports-XXXXXX";

static struct reports *opened(void)
{
    static const uint8_t key[32] = {1};
    struct reports *reports = NULL;
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/reports.db", folder);
    assert_int_equal(reports_open(path, key, &reports), 0);
    return reports;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"reports.db", "reports.db-wal", "reports.db-journal"};
    char path[64];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static int count(struct reports *reports, uint32_t day, const char *domain, const char *what, uint64_t times)
{
    const struct tally_row row = {.kind = TALLY_DMARC,
                                  .day = day,
                                  .count = times,
                                  .domain = span_of_text(domain),
                                  .context = SPAN("p=none"),
                                  .what = span_of_text(what)};
    return reports_count(reports, &row);
}

static uint64_t counted(struct reports *reports, uint32_t day, const char *domain, const char *what)
{
    struct reports_place place = {.day = day};
    AUTO_BUF struct buf rows;
    uint64_t offset = 0;
    struct tally_row row;
    buf_init(&rows, TALLY_ROWS_MAX);
    strcpy(place.domain, domain);
    assert_int_equal(reports_rows(reports, TALLY_DMARC, &place, &offset, &rows), REPORTS_NONE);
    for (span_t rest = buf_span(&rows); tally_row_next(&rest, &row);)
        if (span_equal(row.what, span_of_text(what)))
            return row.count;
    return 0;
}

static void rows_that_are_alike_are_added_up_and_outlive_a_restart(void **state)
{
    AUTO(reports) struct reports *reports = opened();
    (void)state;
    assert_int_equal(count(reports, 7, "a.test", "one", 2), REPORTS_OK);
    assert_int_equal(count(reports, 7, "a.test", "one", 3), REPORTS_OK);
    assert_int_equal(count(reports, 7, "a.test", "two", 1), REPORTS_OK);
    assert_int_equal(count(reports, 8, "a.test", "one", 1), REPORTS_OK);
    reports_free(TAKE(reports));
    reports = opened();
    assert_int_equal(counted(reports, 7, "a.test", "one"), 5);
    assert_int_equal(counted(reports, 7, "a.test", "two"), 1);
    assert_int_equal(counted(reports, 8, "a.test", "one"), 1);
}

static void domains_come_in_turn_until_they_are_forgotten(void **state)
{
    static const struct reports_days days = {TALLY_DMARC, 0, 8};
    static const struct reports_days others = {TALLY_TLS, 0, 8};
    AUTO(reports) struct reports *reports = opened();
    struct reports_place place = {0};
    (void)state;
    assert_int_equal(count(reports, 8, "a.test", "one", 1), REPORTS_OK);
    assert_int_equal(count(reports, 7, "b.test", "one", 1), REPORTS_OK);
    assert_int_equal(count(reports, 7, "c.test", "one", 1), REPORTS_OK);
    assert_int_equal(count(reports, 9, "a.test", "one", 1), REPORTS_OK);
    assert_int_equal(reports_next(reports, &others, &place), REPORTS_NONE);
    assert_int_equal(reports_next(reports, &days, &place), REPORTS_OK);
    assert_string_equal(place.domain, "b.test");
    assert_int_equal(reports_forget(reports, TALLY_DMARC, &place), 0);
    assert_int_equal(reports_next(reports, &days, &place), REPORTS_OK);
    assert_string_equal(place.domain, "c.test");
    assert_int_equal(reports_next(reports, &days, &place), REPORTS_OK);
    assert_string_equal(place.domain, "a.test");
    assert_int_equal(place.day, 8);
    assert_int_equal(reports_next(reports, &days, &place), REPORTS_NONE);
    assert_int_equal(counted(reports, 7, "b.test", "one"), 0);
    assert_int_equal(reports_trim(reports, 9), 0);
    assert_int_equal(counted(reports, 7, "c.test", "one"), 0);
    assert_int_equal(counted(reports, 9, "a.test", "one"), 1);
}

static void a_domain_has_no_more_than_its_share_of_rows(void **state)
{
    AUTO(reports) struct reports *reports = opened();
    char what[16];
    struct reports_place place = {.day = 7, .domain = "a.test"};
    AUTO_BUF struct buf rows;
    uint64_t offset = 0;
    int result = 0;
    (void)state;
    assert_int_equal(reports_begin(reports), 0);
    for (unsigned i = 0; i < REPORTS_DOMAIN_ROWS_MAX; i++) {
        (void)snprintf(what, sizeof(what), "%u", i);
        assert_int_equal(count(reports, 7, "a.test", what, 1), REPORTS_OK);
    }
    assert_int_equal(count(reports, 7, "a.test", "another", 1), REPORTS_FULL);
    assert_int_equal(count(reports, 7, "a.test", "17", 1), REPORTS_OK);
    assert_int_equal(count(reports, 7, "b.test", "another", 1), REPORTS_OK);
    assert_int_equal(reports_commit(reports), 0);
    buf_init(&rows, TALLY_ROWS_MAX);
    unsigned pages = 0;
    do {
        buf_clear(&rows);
        result = reports_rows(reports, TALLY_DMARC, &place, &offset, &rows);
        pages++;
    } while (result == REPORTS_OK);
    assert_int_equal(result, REPORTS_NONE);
    assert_int_equal(offset, REPORTS_DOMAIN_ROWS_MAX);
    assert_true(pages > 1);
}

/* --- what others report --- */

static struct buf rows_of; /* of a report that is being made */

static void add_row(uint64_t times, const char *done, const char *dkim, const char *spf, const char *source)
{
    const struct received_row row = {.count = times,
                                     .texts = {[RECEIVED_DISPOSITION] = span_of_text(done),
                                               [RECEIVED_DKIM] = span_of_text(dkim),
                                               [RECEIVED_SPF] = span_of_text(spf),
                                               [RECEIVED_SOURCE] = span_of_text(source)}};
    assert_int_equal(received_row_write(&row, &rows_of), 0);
}

static int receive(struct reports *reports, const char *reporter, const char *id, uint64_t arrived)
{
    const struct reports_received received = {.kind = RECEIVED_DMARC,
                                              .reporter = span_of_text(reporter),
                                              .organization = SPAN("Org"),
                                              .report = span_of_text(id),
                                              .domain = SPAN("a.test"),
                                              .last = arrived,
                                              .arrived = arrived,
                                              .rows = buf_span(&rows_of)};
    return reports_receive(reports, &received);
}

static struct reports_totals totals_of(struct reports *reports, uint64_t since)
{
    const struct reports_view view = {.domain = "a.test", .kind = RECEIVED_DMARC, .since = since};
    struct reports_totals totals;
    assert_int_equal(reports_received_totals(reports, &view, &totals), 0);
    return totals;
}

static int note_row(void *arg, const struct received_row *row)
{
    return buf_append_format(arg, "%llu %.*s %.*s;", (unsigned long long)row->count, SPAN_PRINT(row->texts[0]),
                             SPAN_PRINT(row->texts[RECEIVED_SOURCE]));
}

static void assert_rows(struct reports *reports, enum reports_which which, const char *expected)
{
    const struct reports_view view = {.domain = "a.test", .kind = RECEIVED_DMARC, .limit = 10};
    AUTO_BUF struct buf text;
    buf_init(&text, 1000);
    assert_int_equal(reports_received_rows(reports, &view, which, note_row, &text), 0);
    assert_int_equal(buf_append_byte(&text, '\0'), 0);
    assert_string_equal((const char *)buf_span(&text).at, expected);
}

static void reports_are_kept_once_and_added_up(void **state)
{
    AUTO(reports) struct reports *reports = opened();
    (void)state;
    buf_init(&rows_of, RECEIVED_BYTES_MAX);
    add_row(5, "none", "pass", "fail", "192.0.2.1");
    add_row(2, "none", "fail", "pass", "192.0.2.1");
    add_row(7, "reject", "fail", "fail", "192.0.2.66");
    add_row(1, "quarantine", "fail", "fail", "192.0.2.66");
    assert_int_equal(receive(reports, "one.test", "1", 1000), RECEIVED_KEPT);
    assert_int_equal(receive(reports, "one.test", "1", 1001), RECEIVED_KNOWN);
    assert_int_equal(receive(reports, "two.test", "1", 2000), RECEIVED_KEPT);
    reports_free(TAKE(reports));
    reports = opened();
    const struct reports_totals totals = totals_of(reports, 0);
    assert_int_equal(totals.reports, 2);
    assert_int_equal(totals.count, 30);
    assert_int_equal(totals.passed, 14);
    assert_int_equal(totals.rejected, 14);
    assert_int_equal(totals.quarantined, 2);
    assert_int_equal(totals_of(reports, 1500).reports, 1);
    assert_rows(reports, REPORTS_PASSED_ONES, "10 none 192.0.2.1;4 none 192.0.2.1;");
    assert_rows(reports, REPORTS_FAILED_ONES, "14 reject 192.0.2.66;2 quarantine 192.0.2.66;");
    assert_int_equal(reports_received_trim(reports, 1500), 0);
    assert_int_equal(totals_of(reports, 0).count, 15);
    buf_deinit(&rows_of);
}

static void a_reporter_has_no_more_than_its_share_of_a_day(void **state)
{
    AUTO(reports) struct reports *reports = opened();
    char id[16];
    (void)state;
    buf_init(&rows_of, RECEIVED_BYTES_MAX);
    assert_int_equal(reports_begin(reports), 0);
    for (unsigned i = 0; i < REPORTS_RECEIVED_PER_DAY; i++) {
        (void)snprintf(id, sizeof(id), "%u", i);
        assert_int_equal(receive(reports, "one.test", id, 1000), RECEIVED_KEPT);
    }
    assert_int_equal(receive(reports, "one.test", "another", 1000 + 86399), RECEIVED_MUCH);
    assert_int_equal(receive(reports, "one.test", "7", 1000 + 86399), RECEIVED_KNOWN);
    assert_int_equal(receive(reports, "two.test", "another", 1000), RECEIVED_KEPT);
    assert_int_equal(receive(reports, "one.test", "another", 1000 + 86400), RECEIVED_KEPT);
    assert_int_equal(reports_commit(reports), 0);
    buf_deinit(&rows_of);
}

/* Of so many reporters that the share of one is no limit. */
static void where_there_is_no_room_the_oldest_reports_go(void **state)
{
    AUTO(reports) struct reports *reports = opened();
    char reporter[32];
    unsigned count = REPORTS_RECEIVED_ROWS_MAX / (RECEIVED_ROWS_MAX + 1) + 50;
    (void)state;
    buf_init(&rows_of, RECEIVED_BYTES_MAX);
    for (unsigned i = 0; i < RECEIVED_ROWS_MAX; i++)
        add_row(1, "none", "pass", "pass", "192.0.2.1");
    assert_int_equal(reports_begin(reports), 0);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(reporter, sizeof(reporter), "r%u.test", i);
        assert_int_equal(receive(reports, reporter, "1", 1000 + i), RECEIVED_KEPT);
    }
    const struct reports_totals totals = totals_of(reports, 0);
    assert_true(totals.reports + totals.count <= REPORTS_RECEIVED_ROWS_MAX);
    assert_true(totals.reports + totals.count > REPORTS_RECEIVED_ROWS_MAX - 10 * (RECEIVED_ROWS_MAX + 1));
    assert_int_equal(totals_of(reports, 1000 + count - totals.reports).reports, totals.reports);
    assert_int_equal(reports_commit(reports), 0);
    buf_deinit(&rows_of);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_that_are_alike_are_added_up_and_outlive_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(domains_come_in_turn_until_they_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_domain_has_no_more_than_its_share_of_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_are_kept_once_and_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reporter_has_no_more_than_its_share_of_a_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_there_is_no_room_the_oldest_reports_go, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
