#pragma once

#include <stddef.h>

#include "conf/conf.h"

/* The rows of settings.def as data, for everything that walks them. */
#define KIB 1024ULL
#define MIB (1024ULL * KIB)
#define GIB (1024ULL * MIB)

enum conf_kind { CONF_TEXT, CONF_CHOICE, CONF_NUMBER, CONF_SIZE, CONF_SECONDS };

struct conf_row {
    const char *section;
    const char *name;
    enum conf_kind kind;
    size_t offset;       /* of the member in struct conf: char * for texts and choices, else uint64_t */
    const char *text;    /* the default of a text or a choice */
    const char *allowed; /* of a choice, separated by | */
    uint64_t number;     /* the default of a number */
    uint64_t min;
    uint64_t max;
    const char *sentence;
};

extern const struct conf_row conf_rows[];
extern const size_t conf_row_count;

/* Whether it takes effect only when the server starts. */
bool conf_row_is_fixed(const struct conf_row *row);

/* check.c: what a text setting wants instead of this value, with the word that it cannot use; NULL where it is right.
 */
const char *conf_row_misread(const struct conf_row *row, span_t value, span_t *ret_word);

/* Its default and what it may be, for people. */
void conf_row_range(const struct conf_row *row, struct buf *text);

char **conf_text_at(struct conf *conf, const struct conf_row *row);
uint64_t *conf_number_at(struct conf *conf, const struct conf_row *row);

/* Fills in what depends on this machine and on who we are: hostname, data, port_offset. */
MUST_USE int conf_place(struct conf *conf, struct conf_error *ret_error);

/* The file that is read where none is named; -ENAMETOOLONG. */
MUST_USE int conf_default_path(char *path, size_t size);
