#include "tool/input.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_SIZE 1024

struct line {
    char text[LINE_SIZE];
};

static int read_line(struct line *line)
{
    if (fgets(line->text, sizeof(line->text), stdin) == NULL)
        return -EINVAL;
    size_t length = strcspn(line->text, "\r\n");
    if (line->text[length] == '\0' && length == sizeof(line->text) - 1)
        return -EINVAL;
    line->text[length] = '\0';
    return length > 0 ? 0 : -EINVAL;
}

/* Asks without echo. An interrupt at the prompt must leave the terminal as it was, so signals wait until then. */
static int ask(const char *prompt, struct line *line)
{
    struct termios before;
    sigset_t interrupts;
    sigset_t old;
    if (!isatty(STDIN_FILENO))
        return read_line(line);
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return -errno;
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    (void)sigemptyset(&interrupts);
    (void)sigaddset(&interrupts, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &interrupts, &old);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent); /* which drops what was typed: nobody has been asked yet */
    (void)fprintf(stderr, "%s: ", prompt);
    int result = read_line(line);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    (void)fputc('\n', stderr);
    if (result == 0 && strchr(line->text, '\003') != NULL)
        return -EINTR;
    return result;
}

static int ask_into(const char *prompt, struct line *line, struct buf *lines)
{
    int result = ask(prompt, line);
    if (result == 0)
        result = buf_append_text(lines, line->text);
    return result < 0 ? result : buf_append_byte(lines, '\n');
}

static int ask_new(struct line *line, struct line *again, struct buf *lines, const char **ret_why)
{
    int result = ask_into("new password", line, lines);
    if (result < 0 || !isatty(STDIN_FILENO))
        return result;
    result = ask("once more", again);
    if (result == 0 && strcmp(line->text, again->text) != 0) {
        *ret_why = "the two passwords differ: nothing was changed";
        return -EINVAL;
    }
    return result;
}

int tool_input_read(enum tool_input input, int recovery, struct buf *lines, const char **ret_why)
{
    struct line line;
    struct line again;
    int result = 0;
    *ret_why = "a password is needed on standard input, one per line, at most 1022 bytes";
    switch (input) {
    case INPUT_NONE:
        return 0;
    case INPUT_PASSWORD:
        result = ask_into("password", &line, lines);
        break;
    case INPUT_TWO_PASSWORDS:
        result = ask_into("password", &line, lines);
        if (result == 0)
            result = ask_into("password at the other server", &line, lines);
        if (result == -EINVAL)
            *ret_why = "two passwords are needed on standard input, one per line: the account's here, then the one at "
                       "the other server";
        break;
    case INPUT_NEW_PASSWORD:
        result = ask_new(&line, &again, lines, ret_why);
        break;
    case INPUT_CHANGE:
        if (!recovery)
            result = ask_into("old password", &line, lines);
        if (result == 0)
            result = ask_new(&line, &again, lines, ret_why);
        if (result == -EINVAL && !recovery && !isatty(STDIN_FILENO))
            *ret_why = "the old and the new password are needed on standard input, one per line";
        break;
    }
    explicit_bzero(&line, sizeof(line));
    explicit_bzero(&again, sizeof(again));
    return result;
}
