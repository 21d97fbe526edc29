#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/row.h"

static int read_file(const char *path, struct buf *text)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        uint8_t *at = NULL;
        int result = buf_reserve(text, 4096, &at);
        if (result < 0)
            return result == -ENOBUFS ? -EFBIG : result;
        ssize_t got = read(fd, at, 4096);
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        buf_commit(text, (size_t)got);
    }
}

int conf_load(const char *path, struct conf **ret_conf, struct conf_error *ret_error)
{
    char standard[PATH_MAX];
    AUTO_BUF struct buf text;
    buf_init(&text, CONF_FILE_MAX + 4096);
    int result = path == NULL ? conf_default_path(standard, sizeof(standard)) : 0;
    const char *name = path == NULL ? standard : path;
    if (result == 0)
        result = read_file(name, &text);
    if (result == -ENOENT && path == NULL)
        result = 0;
    if (result < 0) {
        (void)snprintf(ret_error->text, sizeof(ret_error->text), "cannot read the settings in %.200s: %s", name,
                       strerror(-result));
        return result;
    }
    AUTO(conf) struct conf *conf = NULL;
    result = conf_parse(buf_span(&text), name, &conf, ret_error);
    if (result == 0)
        result = conf_place(conf, ret_error);
    if (result == 0)
        *ret_conf = TAKE(conf);
    return result;
}

static bool differs(const struct conf_row *row, const struct conf *one, const struct conf *other)
{
    const void *left = (const char *)one + row->offset;
    const void *right = (const char *)other + row->offset;
    if (row->kind == CONF_TEXT || row->kind == CONF_CHOICE)
        return strcmp(*(char *const *)left, *(char *const *)right) != 0;
    return *(const uint64_t *)left != *(const uint64_t *)right;
}

bool conf_fixed_differs(const struct conf *one, const struct conf *other, const char **ret_section,
                        const char **ret_name)
{
    for (size_t i = 0; i < conf_row_count; i++) {
        const struct conf_row *row = &conf_rows[i];
        if (!conf_row_is_fixed(row) || !differs(row, one, other))
            continue;
        *ret_section = row->section;
        *ret_name = row->name;
        return true;
    }
    return false;
}

uint16_t conf_port(const struct conf *conf, enum ipc_service service)
{
    const uint64_t ports[SERVICE_COUNT] = {
        [SERVICE_SMTP] = conf->smtp_port,
        [SERVICE_SUBMISSION] = conf->smtp_submission_port,
        [SERVICE_SUBMISSION_TLS] = conf->smtp_submission_tls_port,
        [SERVICE_IMAP] = conf->imap_port,
        [SERVICE_IMAP_TLS] = conf->imap_tls_port,
        [SERVICE_POP3] = conf->pop3_port,
        [SERVICE_POP3_TLS] = conf->pop3_tls_port,
        [SERVICE_HTTPS] = conf->https_port,
    };
    uint64_t port = service < SERVICE_COUNT ? ports[service] : 0;
    if (port == 0 || conf->server_port_offset == CONF_BY_USER || port + conf->server_port_offset > UINT16_MAX)
        return 0;
    return (uint16_t)(port + conf->server_port_offset);
}

bool conf_next_word(span_t *rest, span_t *ret_word)
{
    span_t word;
    while (span_cut(rest, ',', &word)) {
        *ret_word = span_trim(word);
        if (ret_word->len > 0)
            return true;
    }
    return false;
}

int conf_options(int argc, char **argv, const char **ret_path, int *ret_first)
{
    const char *path = NULL;
    int at = 1;
    while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "--version") == 0 || strcmp(argv[at], "-h") == 0)
            break;
        if (strcmp(argv[at], "-c") != 0 || at + 1 >= argc)
            return -EINVAL;
        path = argv[at + 1];
        at += 2;
    }
    *ret_path = path;
    *ret_first = at;
    return 0;
}
