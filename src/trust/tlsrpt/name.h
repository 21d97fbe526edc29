#pragma once

#include "trust/tlsrpt/report.h"

/* Types by the names that reports give them, case minded; false where there is none such. */
bool tlsrpt_policy_type_find(const char *name, enum tlsrpt_policy_type *ret_type);
bool tlsrpt_result_type_find(const char *name, enum tlsrpt_result_type *ret_type);
