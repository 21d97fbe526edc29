#include "role/store/crc.h"

#include <string.h>

#include "base/bytes.h"

#define POLYNOMIAL 0x82F63B78U

static uint32_t table[8][256];

/* Slicing by eight: a table per byte of the word, so that eight bytes cost eight look-ups and no loop over bits. */
static void table_fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (size_t slice = 1; slice < 8; slice++)
        for (size_t byte = 0; byte < 256; byte++)
            table[slice][byte] = (table[slice - 1][byte] >> 8) ^ table[0][table[slice - 1][byte] & 0xFF];
}

static uint32_t crc_by_table(uint32_t crc, span_t bytes)
{
    if (table[0][1] == 0)
        table_fill();
    for (; bytes.len >= 8; bytes = span_from(bytes, 8)) {
        uint32_t low = bytes_get_u32(bytes.at) ^ crc;
        uint32_t high = bytes_get_u32(bytes.at + 4);
        crc = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^ table[4][low >> 24] ^
              table[3][high & 0xFF] ^ table[2][(high >> 8) & 0xFF] ^ table[1][(high >> 16) & 0xFF] ^
              table[0][high >> 24];
    }
    for (size_t at = 0; at < bytes.len; at++)
        crc = (crc >> 8) ^ table[0][(crc ^ bytes.at[at]) & 0xFF];
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_by_hardware(uint32_t crc, span_t bytes)
{
    uint64_t wide = crc;
    size_t at = 0;
    for (; bytes.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, bytes.at + at, sizeof(word)); /* x86 is little-endian */
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; at < bytes.len; at++)
        crc = __builtin_ia32_crc32qi(crc, bytes.at[at]);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, span_t bytes)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_by_hardware(~crc, bytes);
#endif
    return ~crc_by_table(~crc, bytes);
}
