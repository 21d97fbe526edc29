#pragma once

#include "base/buf.h"

/*
 * The index of a folder of .eml files: a line for each, `NAME<TAB>TIME<TAB>FLAGS`, where the time is INTERNALDATE as
 * 2017-07-14T05:10:00Z and the flags are IMAP's, separated by spaces. Pure.
 */
#define EML_INDEX_NAME "index.tsv"
#define EML_INDEX_MAX (UINT64_C(1) << 30)

struct eml_row {
    span_t name;
    int64_t seconds;
    span_t flags;
};

/* 0, or -EINVAL: the line is none. */
MUST_USE int eml_row_read(span_t line, struct eml_row *ret_row);
MUST_USE int eml_row_write(const struct eml_row *row, struct buf *index);
