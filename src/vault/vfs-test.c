#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "base/span.h"
#include "vault/pageseal.h"
#include "vault/vfs.h"

#define PAGE VFS_PAGE_SIZE
#define WAL_SLOT 64
#define BLOCK 4096
#define MARKER "marker-that-nobody-may-read"

static const uint8_t key[VFS_KEY_SIZE] = {1, 2, 3};
static const uint8_t other_key[VFS_KEY_SIZE] = {1, 2, 4};

struct place {
    char folder[64];
    char path[96];
    char wal[96];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/waxwing-vfs-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof(place->path), "%s/a.db", place->folder);
    (void)snprintf(place->wal, sizeof(place->wal), "%s/a.db-wal", place->folder);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    static const char *const names[] = {"a.db", "a.db-wal", "b.db", "b.db-wal", "c.db", "c.db-wal", "a.db-journal"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", place->folder, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

static void run(sqlite3 *database, const char *sql)
{
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The one number a statement gives; or the fault it ends in. */
static int64_t ask(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t answer = vfs_fault(sqlite3_prepare_v2(database, sql, -1, &statement, NULL));
    if (answer == 0) {
        int result = sqlite3_step(statement);
        answer = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : vfs_fault(result);
    }
    (void)sqlite3_finalize(statement);
    return answer;
}

static int64_t problems(sqlite3 *database)
{
    return ask(database, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
}

static void fill(const char *path, int rows)
{
    sqlite3 *database = NULL;
    assert_int_equal(vfs_open(path, key, &database), 0);
    run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
    char sql[256];
    (void)snprintf(sql, sizeof(sql),
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                   "INSERT INTO t SELECT i, '" MARKER "' || hex(zeroblob(500)) FROM n",
                   rows);
    run(database, sql);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static off_t size_of(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? about.st_size : -1;
}

/* How many blocks of it are written to: what lies behind is only reserved, and zero. */
static off_t blocks_of(const char *path)
{
    static const uint8_t zeros[BLOCK];
    uint8_t block[BLOCK];
    off_t count = size_of(path) / BLOCK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (count > 0 && pread(fd, block, BLOCK, (count - 1) * BLOCK) == BLOCK && memcmp(block, zeros, BLOCK) == 0)
        count--;
    (void)close(fd);
    return count;
}

static void swap_bytes(const char *path, off_t one, off_t other, size_t len)
{
    uint8_t *first = malloc(len);
    uint8_t *second = malloc(len);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, first, len, one), len);
    assert_int_equal(pread(fd, second, len, other), len);
    assert_int_equal(pwrite(fd, first, len, other), len);
    assert_int_equal(pwrite(fd, second, len, one), len);
    (void)close(fd);
    free(first);
    free(second);
}

static void flip(const char *path, off_t offset)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    (void)close(fd);
}

static bool file_holds(const char *path, const char *text)
{
    off_t size = size_of(path);
    if (size <= 0)
        return false;
    uint8_t *bytes = malloc((size_t)size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, (size_t)size), size);
    (void)close(fd);
    span_t all = span_of(bytes, (size_t)size);
    bool holds = span_find(all, span_of_text(text)) < all.len;
    free(bytes);
    return holds;
}

/* Opens and reads everything: 0, or the fault that comes of it. */
static int read_all(const char *path, const uint8_t *with)
{
    sqlite3 *database = NULL;
    int result = vfs_open(path, with, &database);
    if (result != 0)
        return result;
    int64_t answer = ask(database, "SELECT sum(length(body)) FROM t");
    if (answer >= 0)
        answer = problems(database) == 0 ? 0 : -EBADMSG;
    (void)sqlite3_close(database);
    return (int)answer;
}

static void what_is_written_is_read_back(void **state)
{
    struct place *place = *state;
    fill(place->path, 1000);
    assert_int_equal(read_all(place->path, key), 0);
    sqlite3 *database = NULL;
    assert_int_equal(vfs_open(place->path, key, &database), 0);
    assert_int_equal(ask(database, "SELECT count(*) FROM t"), 1000);
    assert_int_equal(ask(database, "PRAGMA page_size"), PAGE);
    assert_int_equal(ask(database, "PRAGMA synchronous"), 2);
    run(database, "DELETE FROM t WHERE id % 3 = 0");
    run(database, "VACUUM");
    assert_int_equal(problems(database), 0);
    assert_int_equal(ask(database, "SELECT count(*) FROM t"), 667);
    (void)sqlite3_close(database);
    assert_int_equal(read_all(place->path, key), 0);
}

static void nothing_is_readable_on_disk(void **state)
{
    struct place *place = *state;
    sqlite3 *database = NULL;
    assert_int_equal(vfs_open(place->path, key, &database), 0);
    run(database, "CREATE TABLE secrets(body TEXT)");
    run(database, "INSERT INTO secrets VALUES('" MARKER "')");
    assert_true(size_of(place->wal) > 0);
    assert_false(file_holds(place->wal, MARKER));
    assert_false(file_holds(place->wal, "secrets"));
    /* The WAL's header would be its magic number, big-endian. */
    assert_false(file_holds(place->wal, "\x37\x7f\x06\x82"));
    assert_false(file_holds(place->wal, "\x37\x7f\x06\x83"));
    assert_int_equal(vfs_checkpoint(database), 0);
    assert_false(file_holds(place->path, MARKER));
    assert_false(file_holds(place->path, "SQLite format"));
    (void)sqlite3_close(database);
    assert_false(file_holds(place->path, "secrets"));
    assert_int_equal(size_of(place->wal), -1);
    struct stat about;
    assert_int_equal(stat(place->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void wrong_key_is_refused(void **state)
{
    struct place *place = *state;
    fill(place->path, 10);
    assert_int_equal(read_all(place->path, other_key), -EBADMSG);
    assert_int_equal(read_all(place->path, key), 0);
}

static void every_altered_page_is_noticed(void **state)
{
    struct place *place = *state;
    fill(place->path, 60);
    off_t size = size_of(place->path);
    for (off_t at = 0; at < size; at += 509) {
        if (at >= 60 && at < PAGE)
            continue; /* the unused rest of the first block */
        flip(place->path, at);
        assert_int_equal(read_all(place->path, key), -EBADMSG);
        flip(place->path, at);
    }
    for (off_t at = size - VFS_PAGE_SIZE; at < size; at += PAGE)
        for (off_t within = PAGE - 32; within < PAGE; within++) {
            flip(place->path, at + within);
            assert_int_equal(read_all(place->path, key), -EBADMSG);
            flip(place->path, at + within);
        }
    assert_int_equal(read_all(place->path, key), 0);
}

static void pages_swapped_within_the_file_are_noticed(void **state)
{
    struct place *place = *state;
    fill(place->path, 60);
    swap_bytes(place->path, 4 * PAGE, 5 * PAGE, PAGE);
    assert_int_equal(read_all(place->path, key), -EBADMSG);
}

static void a_page_of_another_file_is_noticed(void **state)
{
    struct place *place = *state;
    char other[128];
    (void)snprintf(other, sizeof(other), "%s/b.db", place->folder);
    fill(place->path, 60);
    fill(other, 60);
    uint8_t page[PAGE];
    int from = open(other, O_RDONLY | O_CLOEXEC);
    int to = open(place->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(from, page, PAGE, 4 * (off_t)PAGE), PAGE);
    assert_int_equal(pwrite(to, page, PAGE, 4 * (off_t)PAGE), PAGE);
    (void)close(from);
    (void)close(to);
    assert_int_equal(read_all(place->path, key), -EBADMSG);
}

static void a_file_cut_short_is_noticed(void **state)
{
    struct place *place = *state;
    fill(place->path, 60);
    off_t size = size_of(place->path);
    for (off_t cut = size - 1; cut >= 3 * PAGE; cut -= 1000) {
        assert_int_equal(truncate(place->path, cut), 0);
        assert_int_equal(read_all(place->path, key), -EBADMSG);
    }
}

static void a_zeroed_page_is_noticed(void **state)
{
    struct place *place = *state;
    fill(place->path, 60);
    uint8_t zeros[PAGE] = {0};
    int fd = open(place->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, zeros, PAGE, 5 * (off_t)PAGE), PAGE);
    (void)close(fd);
    assert_int_equal(read_all(place->path, key), -EBADMSG);
}

struct watching {
    unsigned times;
    char path[96];
};

static void on_damage(void *arg, const char *path)
{
    struct watching *watching = arg;
    watching->times++;
    (void)snprintf(watching->path, sizeof(watching->path), "%s", path);
}

static void who_watches_is_told_of_a_damaged_page_and_of_nothing_else(void **state)
{
    const struct place *place = *state;
    struct watching watching = {0};
    vfs_watch_damage(on_damage, &watching);
    fill(place->path, 60);
    assert_int_equal(read_all(place->path, key), 0);
    assert_int_equal(watching.times, 0);
    flip(place->path, 5 * VFS_PAGE_SIZE + 100);
    assert_int_equal(read_all(place->path, key), -EBADMSG);
    assert_true(watching.times > 0);
    assert_string_equal(watching.path, place->path);
    vfs_watch_damage(NULL, NULL);
    watching.times = 0;
    assert_int_equal(read_all(place->path, key), -EBADMSG);
    assert_int_equal(watching.times, 0);
}

static void a_planted_journal_is_ignored(void **state)
{
    struct place *place = *state;
    fill(place->path, 10);
    char journal[128];
    (void)snprintf(journal, sizeof(journal), "%s-journal", place->path);
    int fd = open(journal, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8), 8);
    (void)close(fd);
    assert_int_equal(read_all(place->path, key), 0);
}

static void two_processes_cannot_have_it(void **state)
{
    struct place *place = *state;
    sqlite3 *database = NULL;
    assert_int_equal(vfs_open(place->path, key, &database), 0);
    run(database, "CREATE TABLE t(body)");
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *second = NULL;
        _exit(vfs_open(place->path, key, &second) == -EBUSY ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)sqlite3_close(database);
}

/* Leaves a WAL behind as a crash would: ten commits, one row each. */
static void crash_after_commits(const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *database = NULL;
        if (vfs_open(path, key, &database) != 0)
            _exit(1);
        (void)sqlite3_exec(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)", NULL, NULL, NULL);
        for (int i = 0; i < 10; i++)
            (void)sqlite3_exec(database, "INSERT INTO t(body) VALUES(randomblob(3000))", NULL, NULL, NULL);
        (void)kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static int64_t rows_left(const char *path)
{
    sqlite3 *database = NULL;
    int result = vfs_open(path, key, &database);
    if (result != 0)
        return result;
    int64_t rows = ask(database, "SELECT count(*) FROM t");
    assert_int_equal(problems(database), 0);
    (void)sqlite3_close(database);
    return rows;
}

static void the_wal_is_recovered(void **state)
{
    struct place *place = *state;
    crash_after_commits(place->path);
    assert_true(size_of(place->wal) > 10 * PAGE);
    assert_int_equal(rows_left(place->path), 10);
}

static void a_damaged_tail_of_the_wal_ends_it(void **state)
{
    struct place *place = *state;
    crash_after_commits(place->path);
    flip(place->wal, blocks_of(place->wal) / 2 * BLOCK + 100);
    int64_t rows = rows_left(place->path);
    assert_true(rows > 0);
    assert_true(rows < 10);
}

/* The database and its WAL under another name, in the same folder. */
static void copy_place(const struct place *place, char from, char to)
{
    char command[256];
    (void)snprintf(command, sizeof(command), "cd %s && cp %c.db %c.db && cp %c.db-wal %c.db-wal", place->folder, from,
                   to, from, to);
    assert_int_equal(system(command), 0); // NOLINT: fixed words and a folder of our own
}

static void a_wal_cut_anywhere_is_a_shorter_one(void **state)
{
    struct place *place = *state;
    crash_after_commits(place->path);
    int64_t before = 10;
    for (off_t cut = blocks_of(place->wal) * BLOCK; cut > 3 * BLOCK; cut -= 1777) {
        char path[128];
        char wal[128];
        (void)snprintf(path, sizeof(path), "%s/b.db", place->folder);
        (void)snprintf(wal, sizeof(wal), "%s/b.db-wal", place->folder);
        copy_place(place, 'a', 'b');
        assert_int_equal(truncate(wal, cut), 0);
        int64_t rows = rows_left(path);
        assert_true(rows >= 0 && rows <= before);
        before = rows;
    }
    assert_true(before < 5);
}

/* Commits that come after a damaged end write over what is left behind it, none of which may come back. */
static void what_a_crash_left_behind_never_comes_back(void **state)
{
    struct place *place = *state;
    crash_after_commits(place->path);
    off_t blocks = blocks_of(place->wal);
    for (off_t at = 2; at < blocks; at++) {
        char path[128];
        char wal[128];
        (void)snprintf(path, sizeof(path), "%s/b.db", place->folder);
        (void)snprintf(wal, sizeof(wal), "%s/b.db-wal", place->folder);
        copy_place(place, 'a', 'b');
        flip(wal, at * BLOCK + 40);
        sqlite3 *database = NULL;
        assert_int_equal(vfs_open(path, key, &database), 0);
        int64_t rows = ask(database, "SELECT count(*) FROM t");
        run(database, "INSERT INTO t(body) VALUES(randomblob(3000))");
        run(database, "UPDATE t SET body = zeroblob(10) WHERE id = 1");
        (void)snprintf(path, sizeof(path), "%s/c.db", place->folder);
        copy_place(place, 'b', 'c');
        (void)sqlite3_close(database);
        assert_int_equal(rows_left(path), rows + 1);
    }
}

static void blocks_swapped_in_the_wal_end_it(void **state)
{
    struct place *place = *state;
    crash_after_commits(place->path);
    off_t half = blocks_of(place->wal) / 2;
    swap_bytes(place->wal, half * BLOCK, (half + 3) * BLOCK, BLOCK);
    int64_t rows = rows_left(place->path);
    assert_true(rows > 0 && rows < 10);
}

/* SQLite would take it for an empty one, and what it holds would be lost. */
static void a_wal_with_frames_at_fixed_places_is_refused(void **state)
{
    struct place *place = *state;
    fill(place->path, 10);
    uint8_t first[BLOCK];
    uint8_t start[WAL_SLOT] = {0};
    struct pageseal *seal = NULL;
    int fd = open(place->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, first, BLOCK), BLOCK);
    (void)close(fd);
    assert_int_equal(pageseal_new(key, first + 16, &seal), 0);
    assert_int_equal(pageseal_close(seal, (struct pageseal_place){PAGESEAL_WAL_START, 0}, start, 32, start, start + 32),
                     0);
    pageseal_free(seal);
    fd = open(place->wal, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, start, WAL_SLOT), WAL_SLOT);
    (void)close(fd);
    assert_int_equal(read_all(place->path, key), -EBADMSG);
    assert_int_equal(unlink(place->wal), 0);
    assert_int_equal(read_all(place->path, key), 0);
}

/* What SQLite believes to be in the WAL and is not any more must be an error, never zeros. */
static void damage_to_the_wal_in_use_is_an_error(void **state)
{
    struct place *place = *state;
    sqlite3 *database = NULL;
    assert_int_equal(vfs_open(place->path, key, &database), 0);
    run(database, "PRAGMA cache_size=1");
    run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
    run(database, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "
                  "INSERT INTO t SELECT i, randomblob(3000) FROM n");
    for (off_t at = WAL_SLOT + WAL_SLOT + 50; at < blocks_of(place->wal) * BLOCK; at += 500)
        flip(place->wal, at);
    run(database, "PRAGMA shrink_memory");
    assert_int_equal(ask(database, "SELECT sum(length(body)) + sum(unicode(body)) FROM t"), -EBADMSG);
    (void)sqlite3_close(database);
}

static void pages_are_packed_in_the_wal(void **state)
{
    struct place *place = *state;
    sqlite3 *database = NULL;
    assert_int_equal(vfs_open(place->path, key, &database), 0);
    run(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)");
    off_t before = blocks_of(place->wal);
    run(database, "BEGIN");
    for (int i = 0; i < 40; i++)
        run(database, "INSERT INTO t(body) VALUES('" MARKER "' || hex(zeroblob(1500)))");
    run(database, "COMMIT");
    assert_int_equal(blocks_of(place->wal) - before, 2);
    (void)sqlite3_close(database);
    assert_int_equal(read_all(place->path, key), 0);
}

/* Every transaction moves an amount between two rows and adds one of its own size; the child is killed anywhere. */
static void write_until_killed(const char *path)
{
    sqlite3 *database = NULL;
    if (vfs_open(path, key, &database) != 0)
        _exit(1);
    (void)sqlite3_exec(database,
                       "PRAGMA wal_autocheckpoint=20;PRAGMA cache_size=5;"
                       "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, round INT, body BLOB)",
                       NULL, NULL, NULL);
    for (;;)
        if (sqlite3_exec(database,
                         "BEGIN;"
                         "INSERT INTO t(round, body) SELECT coalesce(max(round), 0) + 1, randomblob(3000) FROM t;"
                         "INSERT INTO t(round, body) SELECT max(round), randomblob(9000) FROM t;"
                         "INSERT INTO t(round, body) SELECT max(round), randomblob(40) FROM t;"
                         "DELETE FROM t WHERE round < (SELECT max(round) FROM t) - 30;"
                         "COMMIT",
                         NULL, NULL, NULL) != SQLITE_OK)
            _exit(2);
}

static void a_crash_leaves_whole_transactions(void **state)
{
    struct place *place = *state;
    int64_t last = 0;
    srand(7); // NOLINT: only moments to kill at
    for (int round = 0; round < 25; round++) {
        pid_t child = fork();
        if (child == 0)
            write_until_killed(place->path);
        (void)usleep((useconds_t)(2000 + rand() % 40000)); // NOLINT: a random moment is the point of this test
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        sqlite3 *database = NULL;
        assert_int_equal(vfs_open(place->path, key, &database), 0);
        assert_int_equal(problems(database), 0);
        if (ask(database, "SELECT count(*) FROM sqlite_schema") > 0) {
            assert_int_equal(ask(database, "SELECT count(*) FROM (SELECT round FROM t GROUP BY round "
                                           "HAVING count(*) <> 3 OR sum(length(body)) <> 12040)"),
                             0);
            int64_t now = ask(database, "SELECT coalesce(max(round), 0) FROM t");
            assert_true(now >= last);
            last = now;
        }
        (void)sqlite3_close(database);
    }
    assert_true(last > 0);
}

static void failed_allocations_are_told(void **state)
{
    struct place *place = *state;
    fill(place->path, 10);
    for (uint64_t nth = 1;; nth++) {
        sqlite3 *database = NULL;
        mem_fail_after(nth);
        int result = vfs_open(place->path, key, &database);
        mem_fail_after(0);
        if (result == 0) {
            (void)sqlite3_close(database);
            assert_true(nth > 2);
            break;
        }
        assert_int_equal(result, -ENOMEM);
    }
    assert_int_equal(read_all(place->path, key), 0);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(what_is_written_is_read_back),
        IN_PLACE(nothing_is_readable_on_disk),
        IN_PLACE(wrong_key_is_refused),
        IN_PLACE(every_altered_page_is_noticed),
        IN_PLACE(pages_swapped_within_the_file_are_noticed),
        IN_PLACE(a_page_of_another_file_is_noticed),
        IN_PLACE(a_file_cut_short_is_noticed),
        IN_PLACE(a_zeroed_page_is_noticed),
        IN_PLACE(who_watches_is_told_of_a_damaged_page_and_of_nothing_else),
        IN_PLACE(a_planted_journal_is_ignored),
        IN_PLACE(two_processes_cannot_have_it),
        IN_PLACE(the_wal_is_recovered),
        IN_PLACE(a_damaged_tail_of_the_wal_ends_it),
        IN_PLACE(a_wal_cut_anywhere_is_a_shorter_one),
        IN_PLACE(what_a_crash_left_behind_never_comes_back),
        IN_PLACE(blocks_swapped_in_the_wal_end_it),
        IN_PLACE(a_wal_with_frames_at_fixed_places_is_refused),
        IN_PLACE(pages_are_packed_in_the_wal),
        IN_PLACE(damage_to_the_wal_in_use_is_an_error),
        IN_PLACE(a_crash_leaves_whole_transactions),
        IN_PLACE(failed_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
