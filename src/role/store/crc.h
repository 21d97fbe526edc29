#pragma once

#include "base/span.h"

/* CRC-32C (RFC 3720 §12.1). Continues from `crc`; begin with 0. Finds torn writes, proves nothing. */
uint32_t crc32c(uint32_t crc, span_t bytes);
