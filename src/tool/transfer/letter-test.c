#include "base/test.h"

#include "tool/transfer/letter.h"

#include <string.h>

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    static const struct {
        span_t message;
        span_t file;
    } rows[] = {
        {{(const uint8_t *)"A: 1\r\n\r\nx\r\n", 11}, {(const uint8_t *)"A: 1\n\nx\n", 8}},
        {{(const uint8_t *)"A: 1\r\n\r\nx\ny\r\n", 13}, {(const uint8_t *)"A: 1\r\n\r\nx\ny\r\n", 13}},
        {{(const uint8_t *)"A: 1\r\n\r\nx\ry\r\n", 13}, {(const uint8_t *)"A: 1\r\n\r\nx\ry\r\n", 13}},
        {{(const uint8_t *)"A: 1\r\n\r\nx", 9}, {(const uint8_t *)"A: 1\n\nx", 7}},
        {{(const uint8_t *)"A: 1\r\n\r", 7}, {(const uint8_t *)"A: 1\r\n\r", 7}},
        {{(const uint8_t *)"no end", 6}, {(const uint8_t *)"no end", 6}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf file;
        AUTO_BUF struct buf message;
        buf_init(&file, 100);
        buf_init(&message, 100);
        assert_int_equal(letter_to_file(rows[i].message, &file), 0);
        assert_true(span_equal(buf_span(&file), rows[i].file));
        assert_int_equal(letter_from_file(buf_span(&file), &message), 0);
        assert_true(span_equal(buf_span(&message), rows[i].message));
    }
}

static void the_same_message_has_a_name_for_each_time_it_is_met(void **state)
{
    (void)state;
    uint8_t origins[4][TRANSFER_ORIGIN_SIZE];
    uint8_t repeated[TRANSFER_ORIGIN_SIZE];
    for (unsigned run = 0; run < 2; run++) {
        AUTO(map) struct map *counts = NULL;
        assert_int_equal(map_new(&counts), 0);
        assert_int_equal(letter_origin(counts, SPAN("INBOX"), SPAN("x"), origins[0]), 0);
        assert_int_equal(letter_origin(counts, SPAN("INBOX"), SPAN("x"), origins[1]), 0);
        assert_int_equal(letter_origin(counts, SPAN("Other"), SPAN("x"), origins[2]), 0);
        assert_int_equal(letter_origin(counts, SPAN("INBOX"), SPAN("y"), origins[3]), 0);
        if (run == 1)
            assert_memory_equal(origins[1], repeated, sizeof(repeated));
        memcpy(repeated, origins[1], sizeof(repeated));
    }
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(origins[i], origins[j], TRANSFER_ORIGIN_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(the_same_message_has_a_name_for_each_time_it_is_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
