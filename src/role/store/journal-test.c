#include "base/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "role/store/crc.h"
#include "role/store/journal.h"

#define SMALL_SEGMENT (UINT64_C(256) << 10)
#define ROWS_MAX (PENDING_ROW_SIZE * 20000U)

static const uint8_t key[32] = {42};

struct folder {
    char path[64];
    int fd;
};

static void folder_make(struct folder *folder)
{
    strcpy(folder->path, "/tmp/waxwing-journal-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder->fd >= 0);
}

static void folder_remove(struct folder *folder)
{
    DIR *entries = fdopendir(folder->fd);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        (void)unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    assert_int_equal(rmdir(folder->path), 0);
}

static struct journal *opened(const struct folder *folder, const struct files_calls *calls)
{
    struct journal_options options = {
        .dir = folder->fd, .key = span_of(key, 32), .segment_max = SMALL_SEGMENT, .step = 65536, .calls = calls};
    struct journal *journal = NULL;
    assert_int_equal(journal_open(&options, &journal), 0);
    return journal;
}

static void note(struct journal_append *append, enum append_outcome outcome)
{
    *(int *)append->owner = (int)outcome;
}

/* A body that says which it is: its number, then bytes that follow from it. */
static void body_fill(uint8_t *body, size_t len, uint64_t number)
{
    for (size_t at = 0; at < len; at++)
        body[at] = (uint8_t)(number * 31 + at * 7 + (at >> 8));
    bytes_put_u64(body, number);
}

static bool body_is_whole(const uint8_t *body, size_t len)
{
    AUTO_FREE uint8_t *expected = mem_new(len);
    assert_non_null(expected);
    body_fill(expected, len, bytes_get_u64(body));
    return memcmp(body, expected, len) == 0;
}

static int append_to(struct journal *journal, const uint64_t *accounts, size_t count, size_t len, uint64_t number,
                     uint64_t *ret_record)
{
    uint8_t rows[8 * KEY_ROW_SIZE] = {0};
    assert_true(count <= 8 && len >= 8);
    for (size_t at = 0; at < count; at++) {
        bytes_put_u64(rows + at * KEY_ROW_SIZE, accounts[at]);
        memset(rows + at * KEY_ROW_SIZE + 8, (int)accounts[at], RECORD_KEY_SIZE);
    }
    AUTO_FREE uint8_t *body = mem_new(len);
    assert_non_null(body);
    body_fill(body, len, number);
    int outcome = -1;
    struct journal_append append = {.recipients = span_of(rows, count * KEY_ROW_SIZE),
                                    .body = span_of(body, len),
                                    .arrival = 1000 + number,
                                    .done = note,
                                    .owner = &outcome};
    journal_queue(journal, &append);
    journal_commit(journal);
    if (ret_record != NULL)
        *ret_record = append.record;
    return outcome;
}

static int append_one(struct journal *journal, uint64_t account, size_t len, uint64_t number, uint64_t *ret_record)
{
    return append_to(journal, &account, 1, len, number, ret_record);
}

/* All numbers pending for the account, newest first; every body is checked. */
static size_t pending_numbers(struct journal *journal, uint64_t account, uint64_t *numbers, size_t room)
{
    AUTO_BUF struct buf rows;
    buf_init(&rows, ROWS_MAX);
    size_t count = 0;
    uint64_t before = 0;
    for (bool more = true; more;) {
        buf_clear(&rows);
        assert_int_equal(journal_pending(journal, account, before, 7, &rows, &more), 0);
        span_t at = buf_span(&rows);
        for (; at.len > 0; at = span_from(at, PENDING_ROW_SIZE)) {
            AUTO_FD int fd = journal_open_read(journal, bytes_get_u64(at.at + 8));
            size_t len = (size_t)bytes_get_u64(at.at + 24);
            AUTO_FREE uint8_t *body = mem_new(len);
            assert_non_null(body);
            assert_int_equal(pread(fd, body, len, (off_t)bytes_get_u64(at.at + 16)), len);
            assert_true(body_is_whole(body, len));
            assert_int_equal(at.at[40], (uint8_t)account);
            before = bytes_get_u64(at.at);
            assert_true(count < room);
            numbers[count++] = bytes_get_u64(body);
        }
    }
    return count;
}

static void expect(struct journal *journal, uint64_t account, const uint64_t *expected, size_t count)
{
    uint64_t numbers[64];
    assert_int_equal(pending_numbers(journal, account, numbers, 64), count);
    if (count > 0)
        assert_memory_equal(numbers, expected, count * sizeof(*expected));
}

static struct journal *reopened(const struct folder *folder, struct journal *journal)
{
    journal_free(journal);
    return opened(folder, NULL);
}

static void records_are_there_after_reopening_newest_first(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    const uint64_t both[] = {5, 6};
    assert_int_equal(append_one(journal, 5, 5000, 1, NULL), APPEND_OK);
    assert_int_equal(append_to(journal, both, 2, 100, 2, NULL), APPEND_OK);
    assert_int_equal(append_one(journal, 6, 4096, 3, NULL), APPEND_OK);
    for (int round = 0; round < 3; round++) {
        expect(journal, 5, (const uint64_t[]){2, 1}, 2);
        expect(journal, 6, (const uint64_t[]){3, 2}, 2);
        expect(journal, 7, NULL, 0);
        if (round == 1)
            assert_int_equal(journal_checkpoint(journal), 0);
        journal = reopened(&folder, journal);
    }
    journal_free(journal);
    folder_remove(&folder);
}

static void a_group_of_many_links_each_account_in_order(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    struct journal_append appends[20];
    int outcomes[20];
    uint8_t rows[KEY_ROW_SIZE] = {9, 0};
    memset(rows + 8, 9, RECORD_KEY_SIZE);
    uint8_t bodies[20][64];
    for (size_t at = 0; at < 20; at++) {
        body_fill(bodies[at], 64, at);
        appends[at] = (struct journal_append){.recipients = span_of(rows, sizeof(rows)),
                                              .body = span_of(bodies[at], 64),
                                              .done = note,
                                              .owner = &outcomes[at]};
        journal_queue(journal, &appends[at]);
    }
    journal_commit(journal);
    struct journal_stats stats;
    journal_get_stats(journal, &stats);
    assert_int_equal(stats.groups, 1);
    journal = reopened(&folder, journal);
    uint64_t numbers[20];
    assert_int_equal(pending_numbers(journal, 9, numbers, 20), 20);
    for (size_t at = 0; at < 20; at++) {
        assert_int_equal(numbers[at], 19 - at);
        assert_int_equal(outcomes[at], APPEND_OK);
    }
    journal_free(journal);
    folder_remove(&folder);
}

static void taken_records_are_pending_no_more_in_any_order(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    uint64_t ids[6];
    for (uint64_t at = 0; at < 6; at++)
        assert_int_equal(append_one(journal, 1, 100, at, &ids[at]), APPEND_OK);
    assert_int_equal(journal_taken(journal, 1, (const uint64_t[]){ids[2], ids[5], ids[5]}, 3), 0);
    expect(journal, 1, (const uint64_t[]){4, 3, 1, 0}, 4);
    assert_int_equal(journal_taken(journal, 2, ids, 6), 0); /* another account's: nothing changes */
    assert_int_equal(journal_taken(journal, 1, (const uint64_t[]){12345, UINT64_MAX}, 2), 0);
    expect(journal, 1, (const uint64_t[]){4, 3, 1, 0}, 4);
    assert_int_equal(journal_checkpoint(journal), 0);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){4, 3, 1, 0}, 4);
    assert_int_equal(journal_taken(journal, 1, (const uint64_t[]){ids[0], ids[1], ids[3], ids[4]}, 4), 0);
    expect(journal, 1, NULL, 0);
    assert_int_equal(append_one(journal, 1, 100, 9, NULL), APPEND_OK);
    expect(journal, 1, (const uint64_t[]){9}, 1);
    journal_free(journal);
    folder_remove(&folder);
}

/* As while mail streams in: always something newer on top, and below it more and more that was taken. */
static void a_long_run_of_taken_records_is_walked_past_and_cleared_by_the_newest(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    uint64_t ids[COUNT];
    for (uint64_t at = 0; at < COUNT; at++)
        assert_int_equal(append_one(journal, 1, 100, at, &ids[at]), APPEND_OK);
    for (size_t at = COUNT - 2; at >= 2; at--) {
        assert_int_equal(journal_taken(journal, 1, &ids[at], 1), 0);
        if (at % 50 == 0 || at == 2)
            for (int twice = 0; twice < 2; twice++) {
                uint64_t numbers[COUNT];
                size_t count = pending_numbers(journal, 1, numbers, COUNT);
                assert_int_equal(count, at + 1);
                assert_int_equal(numbers[0], COUNT - 1);
                assert_int_equal(numbers[1], at - 1);
                assert_int_equal(numbers[count - 1], 0);
            }
    }
    assert_int_equal(journal_taken(journal, 1, &ids[1], 1), 0);
    expect(journal, 1, (const uint64_t[]){COUNT - 1, 0}, 2);
    assert_int_equal(journal_taken(journal, 1, &ids[COUNT - 1], 1), 0);
    expect(journal, 1, (const uint64_t[]){0}, 1);
    journal_free(journal);
    folder_remove(&folder);
}

/* Forgotten takings come back; what was appended after them keeps its place. */
static void takings_lost_in_a_crash_only_come_back(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    uint64_t ids[3];
    for (uint64_t at = 0; at < 3; at++)
        assert_int_equal(append_one(journal, 1, 100, at, &ids[at]), APPEND_OK);
    assert_int_equal(journal_checkpoint(journal), 0);
    assert_int_equal(journal_taken(journal, 1, &ids[2], 1), 0);
    assert_int_equal(append_one(journal, 1, 100, 7, NULL), APPEND_OK);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){7, 1, 0}, 3); /* 7 names 1 as the one before: so 2 had been taken */
    assert_int_equal(journal_taken(journal, 1, &ids[1], 1), 0);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){7, 1, 0}, 3);
    journal_free(journal);
    folder_remove(&folder);
}

static uint64_t blocks_of(const struct folder *folder, const char *name)
{
    struct stat facts;
    assert_int_equal(fstatat(folder->fd, name, &facts, 0), 0);
    return (uint64_t)facts.st_blocks * 512;
}

static void released_by_all_gives_its_blocks_back_once(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    const uint64_t both[] = {1, 2};
    uint64_t shared;
    uint64_t other;
    assert_int_equal(append_to(journal, both, 2, 100000, 1, &shared), APPEND_OK);
    assert_int_equal(append_one(journal, 1, 20000, 2, &other), APPEND_OK);
    uint64_t full = blocks_of(&folder, "0000000000000001.seg");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(journal_release(journal, 1, &shared, 1), 0);
        assert_int_equal(blocks_of(&folder, "0000000000000001.seg"), full);
        journal = reopened(&folder, journal);
        expect(journal, 1, (const uint64_t[]){2}, 1);
        expect(journal, 2, (const uint64_t[]){1}, 1);
    }
    assert_int_equal(journal_release(journal, 2, &shared, 1), 0);
    assert_true(blocks_of(&folder, "0000000000000001.seg") <= full - 90000);
    journal = reopened(&folder, journal);
    assert_true(blocks_of(&folder, "0000000000000001.seg") <= full - 90000);
    expect(journal, 1, (const uint64_t[]){2}, 1);
    expect(journal, 2, NULL, 0);
    assert_int_equal(append_one(journal, 2, 5000, 3, NULL), APPEND_OK);
    assert_true(blocks_of(&folder, "0000000000000001.seg") <= full - 90000 + 65536); /* one step more is preallocated */
    journal = reopened(&folder, journal);
    expect(journal, 2, (const uint64_t[]){3}, 1);
    journal_free(journal);
    folder_remove(&folder);
}

static void work_to_the_end(struct journal *journal)
{
    bool more = true;
    for (int turn = 0; more && turn < 100000; turn++)
        assert_int_equal(journal_work(journal, &more), 0);
    assert_false(more);
}

static uint64_t segment_count(struct journal *journal)
{
    struct journal_stats stats;
    journal_get_stats(journal, &stats);
    return stats.segments;
}

/* A whole segment goes only when nobody needs its records and no chain passes through it. */
static void dead_segments_are_deleted_and_chains_survive(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    uint64_t ids[30];
    for (uint64_t at = 0; at < 30; at++)
        assert_int_equal(append_one(journal, 1, 60000, at, &ids[at]), APPEND_OK);
    uint64_t segments = segment_count(journal);
    assert_true(segments >= 7);
    /* all but the oldest and the newest */
    assert_int_equal(journal_release(journal, 1, ids + 1, 28), 0);
    work_to_the_end(journal);
    expect(journal, 1, (const uint64_t[]){29, 0}, 2);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){29, 0}, 2);
    assert_int_equal(journal_release(journal, 1, &ids[29], 1), 0);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){0}, 1);
    work_to_the_end(journal);
    assert_int_equal(segment_count(journal), 2);
    expect(journal, 1, (const uint64_t[]){0}, 1);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){0}, 1);
    assert_int_equal(journal_open_read(journal, record_segment(ids[15])), -ENOENT);
    journal_free(journal);
    folder_remove(&folder);
}

static void a_forgotten_account_leaves_nothing_and_others_alone(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    const uint64_t both[] = {1, 2};
    for (uint64_t at = 0; at < 20; at++) {
        assert_int_equal(append_one(journal, 1, 60000, at, NULL), APPEND_OK);
        if (at == 10)
            assert_int_equal(append_to(journal, both, 2, 100, 100, NULL), APPEND_OK);
    }
    assert_int_equal(journal_forget(journal, 1), 0);
    journal = reopened(&folder, journal);
    expect(journal, 1, NULL, 0);
    work_to_the_end(journal);
    expect(journal, 2, (const uint64_t[]){100}, 1);
    assert_true(segment_count(journal) <= 2);
    journal = reopened(&folder, journal);
    expect(journal, 2, (const uint64_t[]){100}, 1);
    expect(journal, 1, NULL, 0);
    journal_free(journal);
    folder_remove(&folder);
}

/* Four groups of one record each; a byte of the second one is flipped, or the file is cut there. */
#define DAMAGE_LEN 1000U

static void damage_at(const struct folder *folder, uint64_t place, bool cut)
{
    AUTO_FD int fd = openat(folder->fd, "0000000000000001.seg", O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    (void)!pread(fd, &byte, 1, (off_t)place);
    byte ^= 0xFF;
    if (cut)
        assert_int_equal(ftruncate(fd, (off_t)place), 0);
    else
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)place), 1);
}

/* Cut off anywhere, what stood whole before it stays, nothing else. */
static void a_torn_tail_ends_the_log(void **state)
{
    (void)state;
    for (uint64_t place = 0; place < 3 * 1300; place += 37) {
        struct folder folder;
        folder_make(&folder);
        struct journal *journal = opened(&folder, NULL);
        uint64_t ids[4];
        for (uint64_t at = 0; at < 4; at++)
            assert_int_equal(append_one(journal, 1, DAMAGE_LEN, at, &ids[at]), APPEND_OK);
        journal_free(journal);
        damage_at(&folder, record_offset(ids[1]) + place, true);
        size_t whole = place < record_head_len(1) + DAMAGE_LEN ? 1 : 2;
        journal = opened(&folder, NULL);
        const uint64_t newest[] = {3, 2, 1, 0};
        expect(journal, 1, newest + 4 - whole, whole);
        assert_int_equal(append_one(journal, 1, 5000, 50, NULL), APPEND_OK);
        journal = reopened(&folder, journal);
        uint64_t numbers[8];
        assert_int_equal(pending_numbers(journal, 1, numbers, 8), whole + 1);
        assert_int_equal(numbers[0], 50);
        journal_free(journal);
        folder_remove(&folder);
    }
}

static void expect_records(struct journal *journal, uint64_t account, const uint64_t *expected, size_t count)
{
    AUTO_BUF struct buf rows;
    buf_init(&rows, ROWS_MAX);
    bool more = false;
    assert_int_equal(journal_pending(journal, account, 0, 64, &rows, &more), 0);
    assert_int_equal(buf_len(&rows), count * PENDING_ROW_SIZE);
    for (size_t at = 0; at < count; at++)
        assert_int_equal(bytes_get_u64(buf_span(&rows).at + at * PENDING_ROW_SIZE), expected[at]);
}

/* A flipped byte in a head, a mark or a body costs that record, whether it is met at the replay or by walking a chain.
 */
static void damage_costs_only_the_record(void **state)
{
    (void)state;
    for (uint64_t place = 0; place < record_head_len(1) + DAMAGE_LEN; place += place < record_head_len(1) ? 7 : 111) {
        for (int checkpointed = 0; checkpointed < 2; checkpointed++) {
            struct folder folder;
            folder_make(&folder);
            struct journal *journal = opened(&folder, NULL);
            uint64_t ids[6];
            for (uint64_t at = 0; at < 4; at++) {
                assert_int_equal(append_one(journal, 1, DAMAGE_LEN, at, &ids[at]), APPEND_OK);
                assert_int_equal(append_one(journal, 2, DAMAGE_LEN, 10 + at, NULL), APPEND_OK);
            }
            if (checkpointed)
                assert_int_equal(journal_checkpoint(journal), 0);
            journal_free(journal);
            damage_at(&folder, record_offset(ids[1]) + place, false);
            bool stays = place >= record_head_len(1); /* and is refused by who reads its body */
            const uint64_t with[] = {ids[3], ids[2], ids[1], ids[0]};
            const uint64_t without[] = {ids[3], ids[2], ids[0], 0};
            journal = opened(&folder, NULL);
            for (int again = 0; again < 2; again++) {
                expect_records(journal, 1, stays ? with : without, stays ? 4 : 3);
                expect(journal, 2, (const uint64_t[]){13, 12, 11, 10}, 4);
                journal = reopened(&folder, journal);
            }
            uint64_t newest[5];
            assert_int_equal(append_one(journal, 1, 5000, 50, &newest[0]), APPEND_OK);
            memcpy(newest + 1, stays ? with : without, sizeof(with));
            expect_records(journal, 1, newest, stays ? 5 : 4);
            journal_free(journal);
            folder_remove(&folder);
        }
    }
}

static bool is_in_vain;

/* All of it gets through, but the caller is told that there is no room. */
static ssize_t write_in_vain(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t put = pwritev(fd, parts, count, offset);
    errno = ENOSPC;
    return is_in_vain ? -1 : put;
}

/* What is left of a refused group behind a new, shorter one is not taken for a part of the log, though it is whole. */
static void remains_of_a_refused_group_stay_dead(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    const struct files_calls calls = {.write = write_in_vain};
    struct journal *journal = opened(&folder, &calls);
    assert_int_equal(append_one(journal, 1, 200, 1, NULL), APPEND_OK);
    uint8_t rows[KEY_ROW_SIZE] = {1, 0};
    memset(rows + 8, 1, RECORD_KEY_SIZE);
    uint8_t bodies[2][200];
    int outcomes[2];
    struct journal_append appends[2];
    for (size_t at = 0; at < 2; at++) {
        body_fill(bodies[at], 200, at);
        appends[at] = (struct journal_append){.recipients = span_of(rows, sizeof(rows)),
                                              .body = span_of(bodies[at], 200),
                                              .arrival = 1002 + at,
                                              .done = note,
                                              .owner = &outcomes[at]};
        journal_queue(journal, &appends[at]);
    }
    is_in_vain = true;
    journal_commit(journal);
    is_in_vain = false;
    assert_int_equal(outcomes[0], APPEND_FULL);
    assert_int_equal(append_one(journal, 2, 200, 8, NULL), APPEND_OK);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){1}, 1);
    expect(journal, 2, (const uint64_t[]){8}, 1);
    journal_free(journal);
    folder_remove(&folder);
}

static int failing; /* calls until they fail; -1 never */
static int failing_with;

static bool is_failing(void)
{
    if (failing > 0)
        failing--;
    errno = failing_with;
    return failing == 0;
}

static int sync_failing(int fd)
{
    return is_failing() ? -1 : fdatasync(fd);
}

static ssize_t write_failing(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (!is_failing())
        return pwritev(fd, parts, count, offset);
    (void)!pwrite(fd, parts[0].iov_base, parts[0].iov_len, offset); /* a part of it got through */
    errno = failing_with;
    return -1;
}

static int allocate_failing(int fd, off_t offset, off_t len)
{
    return is_failing() ? -1 : fallocate(fd, 0, offset, len);
}

static void after_a_failed_sync_nothing_is_accepted_until_reopened(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    const struct files_calls calls = {.sync = sync_failing};
    failing = -1;
    failing_with = EIO;
    struct journal *journal = opened(&folder, &calls);
    assert_int_equal(append_one(journal, 1, 100, 1, NULL), APPEND_OK);
    failing = 1;
    assert_int_equal(append_one(journal, 1, 100, 2, NULL), APPEND_FAILED);
    failing = -1;
    assert_int_equal(append_one(journal, 1, 100, 3, NULL), APPEND_FAILED);
    assert_int_equal(journal_fault(journal), -EIO);
    expect(journal, 1, (const uint64_t[]){1}, 1);
    journal = reopened(&folder, journal);
    assert_int_equal(append_one(journal, 1, 100, 4, NULL), APPEND_OK);
    uint64_t numbers[4];
    size_t count = pending_numbers(journal, 1, numbers, 4);
    assert_true(count >= 2 && numbers[0] == 4 && numbers[count - 1] == 1);
    journal_free(journal);
    folder_remove(&folder);
}

static void a_full_disk_refuses_and_recovers(void **state)
{
    (void)state;
    const struct files_calls each[] = {{.write = write_failing}, {.allocate = allocate_failing}};
    for (size_t at = 0; at < 2; at++) {
        struct folder folder;
        folder_make(&folder);
        failing = -1;
        failing_with = ENOSPC;
        struct journal *journal = opened(&folder, &each[at]);
        assert_int_equal(append_one(journal, 1, 100, 1, NULL), APPEND_OK);
        failing = 1;
        assert_int_equal(append_one(journal, 1, 200000, 2, NULL), APPEND_FULL);
        assert_int_equal(append_one(journal, 1, 200000, 3, NULL), APPEND_FULL);
        expect(journal, 1, (const uint64_t[]){1}, 1);
        failing = -1;
        assert_int_equal(append_one(journal, 1, 200000, 4, NULL), APPEND_OK);
        expect(journal, 1, (const uint64_t[]){4, 1}, 2);
        journal = reopened(&folder, journal);
        expect(journal, 1, (const uint64_t[]){4, 1}, 2);
        journal_free(journal);
        folder_remove(&folder);
    }
}

static void a_file_size_limit_is_a_full_disk(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct journal *journal = opened(&folder, NULL);
    struct rlimit tight = {100000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    assert_int_equal(append_one(journal, 1, 50000, 1, NULL), APPEND_OK);
    assert_int_equal(append_one(journal, 1, 60000, 2, NULL), APPEND_FULL);
    assert_int_equal(append_one(journal, 1, 20000, 3, NULL), APPEND_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(append_one(journal, 1, 60000, 4, NULL), APPEND_OK);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){4, 3, 1}, 3);
    journal_free(journal);
    folder_remove(&folder);
}

/* No allocation that fails may leave a chain that leads nowhere, or crash. */
static void appending_without_memory_is_refused_whole(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    struct journal *journal = opened(&folder, NULL);
    uint8_t rows[2 * KEY_ROW_SIZE] = {1, 0};
    rows[KEY_ROW_SIZE] = 2;
    memset(rows + 8, 1, RECORD_KEY_SIZE);
    memset(rows + KEY_ROW_SIZE + 8, 2, RECORD_KEY_SIZE);
    uint8_t body[100];
    body_fill(body, sizeof(body), 1);
    int outcome = APPEND_FULL;
    for (uint64_t nth = 1; outcome != APPEND_OK && nth < 100; nth++) {
        struct journal_append append = {.recipients = span_of(rows, sizeof(rows)),
                                        .body = span_of(body, sizeof(body)),
                                        .done = note,
                                        .owner = &outcome};
        journal_queue(journal, &append);
        mem_fail_after(nth);
        journal_commit(journal);
        mem_fail_after(0);
        if (outcome != APPEND_OK) {
            assert_int_equal(outcome, APPEND_FULL);
            expect(journal, 1, NULL, 0);
            expect(journal, 2, NULL, 0);
        }
    }
    assert_int_equal(outcome, APPEND_OK);
    journal = reopened(&folder, journal);
    expect(journal, 1, (const uint64_t[]){1}, 1);
    expect(journal, 2, (const uint64_t[]){1}, 1);
    journal_free(journal);
    folder_remove(&folder);
}

/* Appends groups of one to eight records until it is killed; says each acknowledged number on the pipe. */
static void append_until_killed(const struct folder *folder, int pipe, uint64_t number)
{
    struct journal *journal = opened(folder, NULL);
    srandom((unsigned)number);
    for (;; number++) {
        uint64_t account = 1 + number % 3;
        size_t len = 100 + (size_t)random() % 20000;
        if (append_one(journal, account, len, number, NULL) != APPEND_OK)
            _exit(1);
        if (write(pipe, &number, sizeof(number)) != sizeof(number))
            _exit(1);
        if (number % 50 == 0 && journal_checkpoint(journal) != 0)
            _exit(1);
    }
}

/* Everything acknowledged is there, once, whole and in order; at most one more that was not acknowledged any more. */
static void check_all(const struct folder *folder, const uint64_t *acknowledged, size_t count)
{
    struct journal *journal = opened(folder, NULL);
    AUTO_FREE uint64_t *numbers = mem_new_array(count + 100, sizeof(*numbers));
    assert_non_null(numbers);
    size_t found = 0;
    for (uint64_t account = 1; account <= 3; account++) {
        size_t here = pending_numbers(journal, account, numbers, count + 100);
        size_t at = here;
        for (size_t said = 0; said < count; said++) {
            if (1 + acknowledged[said] % 3 != account)
                continue;
            while (at > 0 && numbers[at - 1] != acknowledged[said])
                at--;
            assert_true(at > 0);
            at--;
        }
        found += here;
    }
    assert_true(found >= count && found <= count + 50);
    journal_free(journal);
}

static void nothing_acknowledged_is_lost_when_killed(void **state)
{
    (void)state;
    struct folder folder;
    folder_make(&folder);
    AUTO_FREE uint64_t *acknowledged = mem_new_array(100000, sizeof(*acknowledged));
    assert_non_null(acknowledged);
    size_t count = 0;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            append_until_killed(&folder, ends[1], (uint64_t)round * 10000);
        }
        close(ends[1]);
        const struct timespec while_it_runs = {0, (10 + random() % 50) * 1000000};
        nanosleep(&while_it_runs, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (count < 100000 && read(ends[0], &acknowledged[count], 8) == 8)
            count++;
        close(ends[0]);
        check_all(&folder, acknowledged, count);
    }
    assert_true(count > 20);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_there_after_reopening_newest_first),
        cmocka_unit_test(a_group_of_many_links_each_account_in_order),
        cmocka_unit_test(taken_records_are_pending_no_more_in_any_order),
        cmocka_unit_test(a_long_run_of_taken_records_is_walked_past_and_cleared_by_the_newest),
        cmocka_unit_test(takings_lost_in_a_crash_only_come_back),
        cmocka_unit_test(released_by_all_gives_its_blocks_back_once),
        cmocka_unit_test(dead_segments_are_deleted_and_chains_survive),
        cmocka_unit_test(a_forgotten_account_leaves_nothing_and_others_alone),
        cmocka_unit_test(a_torn_tail_ends_the_log),
        cmocka_unit_test(damage_costs_only_the_record),
        cmocka_unit_test(remains_of_a_refused_group_stay_dead),
        cmocka_unit_test(after_a_failed_sync_nothing_is_accepted_until_reopened),
        cmocka_unit_test(a_full_disk_refuses_and_recovers),
        cmocka_unit_test(a_file_size_limit_is_a_full_disk),
        cmocka_unit_test(appending_without_memory_is_refused_whole),
        cmocka_unit_test(nothing_acknowledged_is_lost_when_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
