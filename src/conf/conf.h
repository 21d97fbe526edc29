#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/scope.h"
#include "base/span.h"
#include "ipc/row.h"

/*
 * The settings, one member each, named SECTION_NAME after the rows of settings.def: conf->smtp_message_max.
 * Texts are owned by the struct and never NULL; numbers are inside their range.
 */
struct conf {
#define TEXT(section, name, default_, sentence) char *section##_##name;
#define CHOICE(section, name, default_, allowed, sentence) char *section##_##name;
#define NUMBER(section, name, default_, min, max, sentence) uint64_t section##_##name;
#define SIZE(section, name, default_, min, max, sentence) uint64_t section##_##name;
#define SECONDS(section, name, default_, min, max, sentence) uint64_t section##_##name;
#include "conf/settings.def"
#undef TEXT
#undef CHOICE
#undef NUMBER
#undef SIZE
#undef SECONDS
};

#define CONF_FILE_MAX ((size_t)256 * 1024)
#define CONF_ERROR_MAX 512

/* What went wrong, in one line for a person: `waxwing.conf:12: no setting [smtp] prot; …`. */
struct conf_error {
    char text[CONF_ERROR_MAX];
};

/*
 * Reads the settings from a file. path NULL: /etc/waxwing/waxwing.conf for root, ~/.config/waxwing/waxwing.conf for an
 * ordinary user, and every default where there is no such file. Afterwards server_hostname, server_data and
 * server_port_offset hold what is in effect. -EINVAL: the file is wrong (an unknown setting too); other negative
 * errnos: it cannot be read. *ret_error then says it.
 */
MUST_USE int conf_load(const char *path, struct conf **ret_conf, struct conf_error *ret_error);
void conf_free(struct conf *conf);
SCOPE_OF(conf)

/* The same from bytes, without looking at this machine: empty and CONF_BY_USER settings stay as they are. */
#define CONF_BY_USER UINT64_MAX
MUST_USE int conf_parse(span_t text, const char *file_name, struct conf **ret_conf, struct conf_error *ret_error);

/* The first setting that differs and takes effect only when the server starts; false where there is none. */
bool conf_fixed_differs(const struct conf *one, const struct conf *other, const char **ret_section,
                        const char **ret_name);

/* The port a service is bound to, offset included; 0: it is switched off. */
uint16_t conf_port(const struct conf *conf, enum ipc_service service);

/* Walks a comma-separated setting such as server_listen: start with a span of all of it; false at its end. */
bool conf_next_word(span_t *rest, span_t *ret_word);

/* What `waxwing config` prints of the settings, or of one (`smtp.port`); -ENOENT: there is no such setting. */
MUST_USE int conf_explain(const struct conf *conf, const char *key, struct buf *text);

/*
 * Finds what stands before the command: `waxwing [-c FILE] COMMAND …`. *ret_path is FILE or NULL, *ret_first the index
 * of COMMAND in argv (argc where there is none). -EINVAL: an unknown option, or -c without a file.
 */
MUST_USE int conf_options(int argc, char **argv, const char **ret_path, int *ret_first);
