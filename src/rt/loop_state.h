#pragma once

#include <ucontext.h>
#include <uv.h>

#include "rt/loop.h"
#include "rt/task.h"

/* The insides of the loop and its tasks: for the files of rt alone. */
struct task {
    struct loop *loop;
    const char *name;
    task_function *function;
    void *arg;
    struct task_group *group;
    struct list_link in_group;
    struct list_link in_loop;
    struct list_link in_ready;
    ucontext_t context;
    uint8_t *stack;
    void *fake_stack; /* AddressSanitizer's */
    uv_timer_t timer;
    int result;
    bool is_waiting;
    bool is_ready; /* woken, or new: in the loop's ready list */
    bool is_cancelled;
    bool is_done;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t late; /* loop_finish()'s patience */
    struct list ready;
    size_t ready_count;
    struct list tasks;
    struct list spare; /* ended tasks, kept with their stacks */
    size_t spare_count;
    struct task *current;
    ucontext_t context; /* of the loop itself, while a task runs */
    void *fake_stack;
    const void *stack_bottom;
    size_t stack_size;
    bool is_finishing;
    bool is_late; /* its time has run out */
};

/* Runs what is ready now; what becomes ready meanwhile comes next time. */
void task_run_ready(struct loop *loop);
void task_free_spare(struct loop *loop);
