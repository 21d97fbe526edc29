#pragma once

#include "base/buf.h"

/*
 * The parts of the manual pages that derive from the program's own tables, in the language of man(7).
 */

/* One entry of a list: a term, what may follow it, and a sentence about it. Faults stay in the buffer. */
void manual_entry(struct buf *text, const char *term, const char *arguments, const char *sentence);

/* Every setting, section by section; what stands in waxwing.conf(5). */
MUST_USE int manual_settings(struct buf *text);
