#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/scope.h"

/*
 * Both directions of a compressed connection (RFC 4978, RFC 1951). Pure. What it needs of memory it takes when bytes
 * move, 128 KiB to write and up to 43 KiB to read; imap_deflate_rest() gives that back.
 */
struct imap_deflate;

MUST_USE int imap_deflate_new(struct imap_deflate **ret_deflate);
void imap_deflate_free(struct imap_deflate *codec);

SCOPE_OF(imap_deflate)

/* Appends to wire what there is to be said of plain so far; all of it once it is flushed. -ENOMEM, -ENOBUFS. */
MUST_USE int imap_deflate_pack(struct imap_deflate *codec, span_t plain, struct buf *wire);
MUST_USE int imap_deflate_flush(struct imap_deflate *codec, struct buf *wire); /* nothing, where nothing waits */

/* Ends this direction, right behind what was packed: the peer's reader stops there by itself (RFC 1951 §3.2.3). */
MUST_USE int imap_deflate_finish(struct imap_deflate *codec, struct buf *wire);

/* Appends at most max bytes to plain, and nothing from behind the next flush. *ret_used of wire are dealt with.
 * -EPROTO: that is no deflate stream, or it has ended before. */
MUST_USE int imap_deflate_unpack(struct imap_deflate *codec, span_t wire, size_t max, struct buf *plain,
                                 size_t *ret_used);
/* The last call had no room for all it could say, or the stream has ended: another one, without new bytes, says more.
 */
bool imap_deflate_has_more(const struct imap_deflate *codec);
/* What was unpacked last ended with a flush, or the stream's end: what follows on the wire is whole bytes. */
bool imap_deflate_is_flushed(const struct imap_deflate *codec);

/* For a silent connection, after a flush: keeps only what the peer may refer to, its last 32 KiB at most. */
void imap_deflate_rest(struct imap_deflate *codec);
