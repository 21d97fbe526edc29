#pragma once

#include "base/buf.h"
#include "tool/dns/advice.h"

/* How advice is shown. All append, and answer 0 or the buffer's fault. */

/* A fragment for a zone file; what belongs into another zone, and what only the operator knows, is in comments. */
MUST_USE int report_zone(const struct facts *facts, const struct advice_list *list, struct buf *out);

/* findings: as many as there is advice. */
MUST_USE int report_list(const struct facts *facts, const struct advice_list *list, const struct finding *findings,
                         struct buf *out);
MUST_USE int report_json(const struct facts *facts, const struct advice_list *list, const struct finding *findings,
                         struct buf *out);
