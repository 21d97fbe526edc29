#pragma once

#include "base/buf.h"
#include "conf/conf.h"

/*
 * The pages that a domain of ours has for mail programs and servers. Pure.
 *
 *   mta-sts.DOMAIN      /.well-known/mta-sts.txt                          its MTA-STS policy (RFC 8461 §3.2)
 *   autoconfig.DOMAIN   /mail/config-v1.1.xml                             how to read and send its mail, as Thunderbird
 *   DOMAIN              /.well-known/autoconfig/mail/config-v1.1.xml      and others ask for it
 */
enum site_page { SITE_NONE, SITE_POLICY, SITE_AUTOCONFIG };

/* *ret_domain points into host; it is a name of letters, digits, hyphens and dots. */
MUST_USE enum site_page site_find(span_t host, span_t path, span_t *ret_domain);

/* Appends the page. A fault of the buffer. */
MUST_USE int site_write(enum site_page page, const struct conf *conf, span_t domain, struct buf *text);
const char *site_media_type(enum site_page page);
