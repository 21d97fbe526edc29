#pragma once

#include "role/session/session.h"

/* Is this pending record one that an import is about to file itself? Then it is not to be taken in. */
bool import_holds(const struct session *session, uint64_t record);
