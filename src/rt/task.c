#include "rt/task.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "rt/loop_state.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TASK_SANITIZED 1
#endif

#ifdef TASK_SANITIZED
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STACK_SIZE (4 * (size_t)TASK_STACK_SIZE) /* its frames are several times larger */
#else
#define STACK_SIZE ((size_t)TASK_STACK_SIZE)
#endif

#define STACK_GUARD 4096U
#define SPARE_MAX 64U /* ended tasks kept for the next ones */

/* A page that cannot be touched lies below each stack, so that an overflow ends the process and not its memory. */
static uint8_t *stack_new(void)
{
    uint8_t *stack = mmap(NULL, STACK_SIZE + STACK_GUARD, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack, STACK_GUARD, PROT_NONE) < 0) {
        (void)munmap(stack, STACK_SIZE + STACK_GUARD);
        return NULL;
    }
    return stack;
}

static void stack_free(uint8_t *stack)
{
    (void)munmap(stack, STACK_SIZE + STACK_GUARD);
}

static void switch_to_task(struct loop *loop, struct task *task)
{
#ifdef TASK_SANITIZED
    __sanitizer_start_switch_fiber(&loop->fake_stack, task->stack + STACK_GUARD, STACK_SIZE);
#endif
    (void)swapcontext(&loop->context, &task->context);
#ifdef TASK_SANITIZED
    __sanitizer_finish_switch_fiber(loop->fake_stack, NULL, NULL);
#endif
}

static void switch_to_loop(struct loop *loop, struct task *task)
{
#ifdef TASK_SANITIZED
    __sanitizer_start_switch_fiber(task->is_done ? NULL : &task->fake_stack, loop->stack_bottom, loop->stack_size);
#endif
    (void)swapcontext(&task->context, &loop->context);
#ifdef TASK_SANITIZED
    __sanitizer_finish_switch_fiber(task->fake_stack, &loop->stack_bottom, &loop->stack_size);
#endif
}

/* makecontext() passes ints only: the pointer comes in halves. */
static void task_main(unsigned high, unsigned low)
{
    struct task *task = (struct task *)(((uintptr_t)high << 32) | low);
#ifdef TASK_SANITIZED
    __sanitizer_finish_switch_fiber(NULL, &task->loop->stack_bottom, &task->loop->stack_size);
#endif
    task->function(task, task->arg);
    task->is_done = true;
    switch_to_loop(task->loop, task);
}

static void make_ready(struct task *task)
{
    task->is_ready = true;
    list_push(&task->loop->ready, &task->in_ready);
    task->loop->ready_count++;
}

static struct task *task_new(struct loop *loop)
{
    struct list_link *link = list_pop(&loop->spare);
    if (link != NULL) {
        loop->spare_count--;
        return LIST_ITEM(link, struct task, in_loop);
    }
    AUTO_FREE struct task *task = mem_new(sizeof(*task));
    if (task == NULL)
        return NULL;
    task->stack = stack_new();
    if (task->stack == NULL)
        return NULL;
    task->loop = loop;
    (void)uv_timer_init(&loop->uv, &task->timer);
    task->timer.data = task;
    return TAKE(task);
}

static void on_task_closed(uv_handle_t *timer)
{
    free(timer->data);
}

static void task_free(struct task *task)
{
    stack_free(task->stack);
    uv_close((uv_handle_t *)&task->timer, on_task_closed);
}

void task_free_spare(struct loop *loop)
{
    for (struct list_link *link; (link = list_pop(&loop->spare)) != NULL;)
        task_free(LIST_ITEM(link, struct task, in_loop));
    loop->spare_count = 0;
}

int task_spawn(struct loop *loop, const char *name, task_function *function, void *arg, struct task **ret_task)
{
    struct task *task = task_new(loop);
    if (task == NULL)
        return -ENOMEM;
    task->name = name;
    task->function = function;
    task->arg = arg;
    task->group = NULL;
    task->fake_stack = NULL;
    task->is_waiting = task->is_done = false;
    task->is_cancelled = loop->is_finishing;
    if (getcontext(&task->context) < 0)
        abort();
    task->context.uc_stack.ss_sp = task->stack + STACK_GUARD;
    task->context.uc_stack.ss_size = STACK_SIZE;
    task->context.uc_link = NULL;
    uintptr_t self = (uintptr_t)task;
    makecontext(&task->context, (void (*)(void))(void *)task_main, 2, (unsigned)(self >> 32), (unsigned)self);
    list_push(&loop->tasks, &task->in_loop);
    make_ready(task);
    if (ret_task != NULL)
        *ret_task = task;
    return 0;
}

static void task_end(struct task *task)
{
    struct loop *loop = task->loop;
    list_remove(&task->in_loop);
    if (task->group != NULL) {
        list_remove(&task->in_group);
        if (list_is_empty(&task->group->tasks))
            event_raise(&task->group->ended);
    }
    if (loop->spare_count < SPARE_MAX) {
        list_push_front(&loop->spare, &task->in_loop);
        loop->spare_count++;
    } else {
        task_free(task);
    }
    if (loop->is_finishing && list_is_empty(&loop->tasks))
        uv_stop(&loop->uv);
}

void task_run_ready(struct loop *loop)
{
    for (size_t left = loop->ready_count; left > 0; left--) {
        struct task *task = LIST_ITEM(list_pop(&loop->ready), struct task, in_ready);
        loop->ready_count--;
        task->is_ready = false;
        loop->current = task;
        switch_to_task(loop, task);
        loop->current = NULL;
        if (task->is_done)
            task_end(task);
    }
}

void task_cancel(struct task *task)
{
    task->is_cancelled = true;
    task_wake(task, -ECANCELED);
}

bool task_is_cancelled(const struct task *task)
{
    return task->is_cancelled;
}

struct loop *task_loop(const struct task *task)
{
    return task->loop;
}

const char *task_name(const struct task *task)
{
    return task->name;
}

static void on_timeout(uv_timer_t *timer)
{
    task_wake(timer->data, -ETIMEDOUT);
}

int task_suspend(struct task *task, int64_t timeout_ms)
{
    assert(task->loop->current == task);
    if (task->is_cancelled)
        return -ECANCELED;
    task->is_waiting = true;
    if (timeout_ms >= 0)
        (void)uv_timer_start(&task->timer, on_timeout, (uint64_t)timeout_ms, 0);
    switch_to_loop(task->loop, task);
    if (timeout_ms >= 0)
        (void)uv_timer_stop(&task->timer);
    return task->result;
}

void task_wake(struct task *task, int result)
{
    if (!task->is_waiting)
        return;
    task->is_waiting = false;
    task->result = result;
    make_ready(task);
}

int task_sleep(struct task *task, int64_t ms)
{
    int result = task_suspend(task, ms);
    return result == -ETIMEDOUT ? 0 : result;
}

int task_yield(struct task *task)
{
    if (task->is_cancelled)
        return -ECANCELED;
    task->result = 0;
    make_ready(task);
    switch_to_loop(task->loop, task);
    return task->is_cancelled ? -ECANCELED : 0;
}

void task_group_init(struct task_group *group)
{
    list_init(&group->tasks);
    event_init(&group->ended);
    event_raise(&group->ended);
}

int task_group_spawn(struct task_group *group, struct loop *loop, const char *name, task_function *function, void *arg)
{
    struct task *task = NULL;
    int result = task_spawn(loop, name, function, arg, &task);
    if (result < 0)
        return result;
    task->group = group;
    list_push(&group->tasks, &task->in_group);
    event_clear(&group->ended);
    return 0;
}

void task_group_cancel(struct task_group *group)
{
    for (struct list_link *link = list_first(&group->tasks); link != NULL; link = list_after(&group->tasks, link))
        task_cancel(LIST_ITEM(link, struct task, in_group));
}

bool task_group_is_empty(const struct task_group *group)
{
    return list_is_empty(&group->tasks);
}

void task_group_wait(struct task *task, struct task_group *group)
{
    bool cancelled = false;
    while (event_wait(task, &group->ended, FOREVER) < 0) {
        cancelled = true;
        task->is_cancelled = false;
        task_group_cancel(group);
    }
    task->is_cancelled = task->is_cancelled || cancelled;
}
