#include "tool/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/frame.h"

#define INPUT_MAX ((size_t)4 * (FRAME_HEAD + FRAME_MAX))
#define EXIT_FAILED 1
#define FOLLOW_ON (-1) /* no exit status yet */

struct following {
    struct buf input;
    int is_terminal;
    int has_progress; /* a line of it stands on the terminal */
};

static void wipe_progress(struct following *following)
{
    if (following->has_progress)
        (void)fputs("\r\033[K", stderr);
    following->has_progress = 0;
}

static int show_progress(struct following *following, const struct frame *frame)
{
    struct frame_progress progress;
    if (frame_read_progress(frame, &progress) < 0)
        return EXIT_FAILED;
    if (following->is_terminal) {
        wipe_progress(following);
        (void)fprintf(stderr, "%.*s: %llu of %llu", SPAN_PRINT(progress.what), (unsigned long long)progress.done,
                      (unsigned long long)progress.total);
        (void)fflush(stderr);
        following->has_progress = 1;
    }
    return FOLLOW_ON;
}

static int show_end(const struct frame *frame)
{
    struct frame_end end;
    if (frame_read_end(frame, &end) < 0)
        return EXIT_FAILED;
    if (end.error.len > 0)
        (void)fprintf(stderr, "waxwing: %.*s\n", SPAN_PRINT(end.error));
    return end.status <= 255 ? (int)end.status : EXIT_FAILED;
}

static int show(struct following *following, const struct frame *frame)
{
    if (frame->kind == FRAME_PROGRESS)
        return show_progress(following, frame);
    wipe_progress(following);
    if (frame->kind == FRAME_END)
        return show_end(frame);
    if (frame->kind == FRAME_OUTPUT && fwrite(frame->bytes.at, 1, frame->bytes.len, stdout) < frame->bytes.len)
        return EXIT_FAILED;
    (void)fflush(stdout);
    return FOLLOW_ON;
}

/* All whole frames there are. */
static int show_all(struct following *following)
{
    for (;;) {
        struct frame frame;
        size_t used = 0;
        int result = frame_read(buf_span(&following->input), &frame, &used);
        if (result != FRAME_READ)
            return result == FRAME_MORE ? FOLLOW_ON : EXIT_FAILED;
        int status = show(following, &frame);
        buf_consume(&following->input, used);
        if (status != FOLLOW_ON)
            return status;
    }
}

static int follow(struct following *following, int fd)
{
    for (;;) {
        uint8_t *at = NULL;
        if (buf_reserve(&following->input, FRAME_MAX, &at) < 0)
            return EXIT_FAILED;
        ssize_t got = read(fd, at, FRAME_MAX);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            wipe_progress(following);
            (void)fprintf(stderr, "waxwing: the account's session ended before it was done; try again, and see the "
                                  "server's log\n");
            return EXIT_FAILED;
        }
        buf_commit(&following->input, (size_t)got);
        int status = show_all(following);
        if (status != FOLLOW_ON)
            return status;
    }
}

int follow_session(int fd)
{
    struct following following = {.is_terminal = isatty(STDERR_FILENO)};
    buf_init(&following.input, INPUT_MAX);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* this end alone: the session's is another file */
    int status = follow(&following, fd);
    buf_deinit(&following.input);
    return status;
}
