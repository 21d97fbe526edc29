#pragma once

#include "base/buf.h"

/*
 * Files that reports come in: gzip (RFC 1952), and zip archives of one file, deflated or stored (APPNOTE.TXT 6.3.10
 * §4.3). What is unpacked is checked against the checksum that comes with it. Pure, and made for what strangers send:
 * it never holds more than `max` bytes of output and 48 KiB beside them, and stops as soon as the output is out of all
 * proportion to what it was made of.
 */
#define UNPACK_MEMBERS_MAX 16U /* parts of a gzip file, which follow one another (RFC 1952 §2.2) */
#define UNPACK_RATIO_MAX 200U  /* bytes out of one; deflate can make a thousand. Real reports stay below 60 */
#define UNPACK_RATIO_FREE ((size_t)1 << 18) /* bytes of output that ask for no proportion */

enum unpack_outcome {
    UNPACK_OK,
    UNPACK_NO_ARCHIVE,  /* it starts like neither of the two */
    UNPACK_MALFORMED,   /* cut off, a wrong checksum or size, or otherwise not as it must be */
    UNPACK_TOO_LARGE,   /* more than max bytes, or a bomb by its ratio */
    UNPACK_UNSUPPORTED, /* encrypted, zip64, on several disks, of more than one file, or by another method */
};

/* Appends what is packed to plain, which needs room for max + 1 bytes; where it is not UNPACK_OK, plain is as it was.
 * -ENOMEM, -ENOBUFS. */
MUST_USE int unpack(span_t packed, size_t max, struct buf *plain);
