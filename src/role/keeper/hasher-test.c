#include "base/test.h"

#include "role/keeper/hasher.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "role/keeper/signingkey.h"
#include "rt/task.h"

struct bench {
    struct loop *loop;
    struct hasher *hasher;
    task_function *script;
    unsigned done;
    unsigned refused;
};

static const struct password_params quick = {.memory_kib = 64, .passes = 1, .salt = "ssssssssssssssss"};
static const struct password_params slow = {.memory_kib = 65536, .passes = 3, .salt = "ssssssssssssssss"};

static void in_bench(task_function *script, struct bench *bench)
{
    bench->script = script;
    assert_int_equal(hasher_new(1, NULL, &bench->hasher), 0);
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(hasher_start(bench->hasher, bench->loop), 0);
    assert_int_equal(task_spawn(bench->loop, "test", script, bench, NULL), 0);
    assert_int_equal(loop_run(bench->loop), 0);
    assert_int_equal(loop_finish(bench->loop, 1000), 0);
    hasher_free(bench->hasher);
    loop_free(bench->loop);
}

static void assert_hashes_right(struct task *task, struct bench *bench)
{
    AUTO(secret) struct secret *here = NULL;
    AUTO(secret) struct secret *there = NULL;
    assert_int_equal(password_hash(&quick, SPAN("correct horse"), &here), 0);
    assert_int_equal(hasher_run(task, bench->hasher, &quick, SPAN("correct horse"), &there), 0);
    assert_true(secret_equal(secret_span(here), secret_span(there)));
}

static pid_t only_child(void)
{
    char path[64];
    int pid = 0;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    (void)fclose(file);
    return pid;
}

static void dying_script(struct task *task, void *arg)
{
    struct bench *bench = arg;
    AUTO(secret) struct secret *hash = NULL;
    assert_hashes_right(task, bench);
    assert_int_equal(kill(only_child(), SIGKILL), 0);
    assert_true(hasher_run(task, bench->hasher, &slow, SPAN("x"), &hash) < 0);
    assert_hashes_right(task, bench);
    loop_stop(bench->loop);
}

static void a_child_that_died_is_replaced(void **state)
{
    (void)state;
    struct bench bench = {0};
    in_bench(dying_script, &bench);
}

static void waiting_task(struct task *task, void *arg)
{
    struct bench *bench = arg;
    AUTO(secret) struct secret *hash = NULL;
    int result = hasher_run(task, bench->hasher, &quick, SPAN("x"), &hash);
    assert_true(result == 0 || result == -EBUSY || result == -ECANCELED);
    bench->refused += result == -EBUSY;
    bench->done++;
}

static void occupying_task(struct task *task, void *arg)
{
    struct bench *bench = arg;
    AUTO(secret) struct secret *hash = NULL;
    assert_int_equal(hasher_run(task, bench->hasher, &slow, SPAN("x"), &hash), 0);
    bench->done++;
}

static void crowd_script(struct task *task, void *arg)
{
    struct bench *bench = arg;
    assert_int_equal(task_spawn(bench->loop, "occupying", occupying_task, bench, NULL), 0);
    for (unsigned at = 0; at < HASHER_QUEUE_MAX + 10; at++)
        assert_int_equal(task_spawn(bench->loop, "waiting", waiting_task, bench, NULL), 0);
    while (bench->done < HASHER_QUEUE_MAX + 11)
        assert_int_equal(task_yield(task), 0);
    assert_int_equal(bench->refused, 10);
    assert_hashes_right(task, bench);
    loop_stop(bench->loop);
}

static void a_crowd_waits_up_to_a_limit(void **state)
{
    (void)state;
    struct bench bench = {0};
    in_bench(crowd_script, &bench);
}

static void impatient_script(struct task *task, void *arg)
{
    struct bench *bench = arg;
    struct task *other = NULL;
    assert_int_equal(task_spawn(bench->loop, "impatient", waiting_task, bench, &other), 0);
    assert_int_equal(task_yield(task), 0);
    task_cancel(other);
    assert_hashes_right(task, bench);
    assert_hashes_right(task, bench);
    loop_stop(bench->loop);
}

static void an_answer_to_a_cancelled_request_is_dropped(void **state)
{
    (void)state;
    struct bench bench = {0};
    in_bench(impatient_script, &bench);
    assert_int_equal(bench.done, 1);
}

static void key_task(struct task *task, void *arg)
{
    struct bench *bench = arg;
    AUTO(secret) struct secret *private_key = NULL;
    AUTO(signing_key) struct signing_key *key = NULL;
    AUTO_BUF struct buf record;
    buf_init(&record, 2048);
    assert_int_equal(hasher_make_key(task, bench->hasher, DKIM_RSA_SHA256, &private_key), 0);
    assert_int_equal(signing_key_new(DKIM_RSA_SHA256, secret_span(private_key), &key), 0);
    assert_int_equal(signing_key_record(DKIM_RSA_SHA256, secret_span(private_key), &record), 0);
    bench->done++;
}

/* As long as the child stands still, no key can come of it; the loop goes round all the same. */
static void key_script(struct task *task, void *arg)
{
    struct bench *bench = arg;
    AUTO(secret) struct secret *none = NULL;
    assert_int_equal(kill(only_child(), SIGSTOP), 0);
    assert_int_equal(task_spawn(bench->loop, "key", key_task, bench, NULL), 0);
    for (unsigned at = 0; at < 1000; at++)
        assert_int_equal(task_yield(task), 0);
    assert_int_equal(bench->done, 0);
    assert_int_equal(kill(only_child(), SIGCONT), 0);
    while (bench->done == 0)
        assert_int_equal(task_yield(task), 0);
    assert_int_equal(hasher_make_key(task, bench->hasher, DKIM_ED25519_SHA256, &none), 0);
    assert_hashes_right(task, bench);
    loop_stop(bench->loop);
}

static void a_key_is_made_while_the_loop_goes_on(void **state)
{
    (void)state;
    struct bench bench = {0};
    in_bench(key_script, &bench);
    assert_int_equal(bench.done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_died_is_replaced),
        cmocka_unit_test(a_crowd_waits_up_to_a_limit),
        cmocka_unit_test(an_answer_to_a_cancelled_request_is_dropped),
        cmocka_unit_test(a_key_is_made_while_the_loop_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
