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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_that_are_alike_are_added_up_and_outlive_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(domains_come_in_turn_until_they_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_domain_has_no_more_than_its_share_of_rows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
