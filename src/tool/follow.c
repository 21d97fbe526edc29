#include "tool/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tool/terminal.h"

#define INPUT_MAX ((size_t)4 * (FRAME_HEAD + FRAME_MAX))
#define EXIT_FAILED 1
#define FOLLOW_ON (-1) /* no exit status yet */

int follow_progress(const struct frame *frame)
{
    struct frame_progress progress;
    int result = frame_read_progress(frame, &progress);
    if (result < 0)
        return result;
    const struct progress_point point = {.what = progress.what,
                                         .count = progress.done,
                                         .whole = progress.total,
                                         .done = progress.done,
                                         .total = progress.total};
    terminal_progress(&point);
    return 0;
}

static int show_end(const struct frame *frame)
{
    struct frame_end end;
    if (frame_read_end(frame, &end) < 0)
        return EXIT_FAILED;
    if (end.error.len > 0)
        (void)terminal_fail("%.*s", SPAN_PRINT(end.error));
    return end.status <= 255 ? (int)end.status : EXIT_FAILED;
}

static int show(const struct frame *frame)
{
    if (frame->kind == FRAME_PROGRESS)
        return follow_progress(frame) < 0 ? EXIT_FAILED : FOLLOW_ON;
    terminal_progress_end();
    if (frame->kind == FRAME_END)
        return show_end(frame);
    if (frame->kind == FRAME_OUTPUT && terminal_write(frame->bytes) != 0)
        return EXIT_FAILED;
    return FOLLOW_ON;
}

/* All whole frames there are. */
static int show_all(struct buf *input)
{
    for (;;) {
        struct frame frame;
        size_t used = 0;
        int result = frame_read(buf_span(input), &frame, &used);
        if (result != FRAME_READ)
            return result == FRAME_MORE ? FOLLOW_ON : EXIT_FAILED;
        int status = show(&frame);
        buf_consume(input, used);
        if (status != FOLLOW_ON)
            return status;
    }
}

static int follow(struct buf *input, int fd)
{
    for (;;) {
        uint8_t *at = NULL;
        if (buf_reserve(input, FRAME_MAX, &at) < 0)
            return EXIT_FAILED;
        ssize_t got = read(fd, at, FRAME_MAX);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            (void)terminal_fail("the account's session ended before it was done; try again, and see the server's log");
            return EXIT_FAILED;
        }
        buf_commit(input, (size_t)got);
        int status = show_all(input);
        if (status != FOLLOW_ON)
            return status;
    }
}

int follow_session(int fd)
{
    AUTO_BUF struct buf input;
    buf_init(&input, INPUT_MAX);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* this end alone: the session's is another file */
    return follow(&input, fd);
}
