#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/scope.h"
#include "conf/conf.h"
#include "proto/dns/lookup.h"
#include "rt/loop.h"

/*
 * The DNS for one process: libunbound on our loop, without threads, validating by DNSSEC always (RFC 4035 §4). It
 * forwards to the resolvers of [dns] resolver, or asks the authoritative servers itself; doc/dns.md says when.
 */
struct resolver;
struct task;

/*
 * Reads all files it will ever need (resolv.conf, the trust anchors), so it is to be called before rights are given up,
 * and not from a task, whose stack is small. Asks nobody yet.
 *   -EINVAL             [dns] resolver is not understood
 *   -ENOENT, -EACCES …  [dns] trust_anchor cannot be read
 *   -EBADMSG            nothing in it is a trust anchor
 *   -ENOMEM
 */
MUST_USE int resolver_new(struct loop *loop, const struct conf *conf, struct resolver **ret_resolver);

/* No job may be asking any more. The loop must turn once more before it is freed. */
void resolver_free(struct resolver *resolver);
SCOPE_OF(resolver)

/* The ports it may connect to: for struct priv_start. Valid as long as the resolver. */
size_t resolver_ports(const struct resolver *resolver, const uint16_t **ret_ports);

/* Appends what `waxwing status` says of it: ,"dns":{…} */
void resolver_status(const struct resolver *resolver, struct buf *json);

/*
 * One task's leave to ask: so many questions, in so many milliseconds altogether (or FOREVER; each question has its own
 * [dns] timeout too). What is beyond is DNS_FAILED. It must outlive the lookup that is lent from it; a task that wants
 * answers side by side spawns tasks with a job each.
 */
struct resolver_job {
    struct resolver *resolver;
    struct task *task;
    int64_t until;
    unsigned left;
};
void resolver_job_init(struct resolver_job *job, struct resolver *resolver, struct task *task, unsigned questions,
                       int64_t timeout_ms);
struct dns_lookup resolver_lookup(struct resolver_job *job);
