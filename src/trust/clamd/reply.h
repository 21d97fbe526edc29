#pragma once

#include "base/result.h"
#include "base/span.h"

/* What clamd says of a stream: its answer to INSTREAM (clamd(8)). Pure. */
#define CLAMD_REPLY_MAX 1024U
#define CLAMD_NAME_MAX 128U

enum clamd_result {
    CLAMD_CLEAN,
    CLAMD_FOUND, /* a virus, by the name it gives */
    CLAMD_FAULT, /* it could not look, or what came is no answer */
};

/* One answer, the NUL or line end behind it included or not. *ret_words is the virus' name, of printable bytes only and
 * at most CLAMD_NAME_MAX, or clamd's own words for the fault; it points into the reply. */
MUST_USE enum clamd_result clamd_reply_parse(span_t reply, span_t *ret_words);
