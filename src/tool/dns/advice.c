#include "tool/dns/advice.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "proto/dns/rdata.h"
#include "trust/mtasts/policy.h"

#define TEXT_MAX 2048U
#define POLICY_ID_SIZE 20U

struct writer {
    const struct facts *facts;
    struct arena *arena;
    struct advice_list *list;
    int fault;
};

/* A text of the arena's; NULL only with a fault. */
static const char *format(struct writer *writer, const char *shape, ...) PRINTF_LIKE(2, 3);
static const char *format(struct writer *writer, const char *shape, ...)
{
    AUTO_BUF struct buf text;
    va_list arguments;
    buf_init(&text, TEXT_MAX);
    va_start(arguments, shape);
    int result = buf_append_vformat(&text, shape, arguments);
    va_end(arguments);
    const char *copy = result < 0 ? NULL : arena_text(writer->arena, buf_span(&text));
    if (copy == NULL)
        writer->fault = -ENOMEM;
    return copy;
}

static struct advice *add(struct writer *writer, const char *title, const char *owner, enum dns_type type,
                          advice_check *check)
{
    static struct advice none;
    if (writer->fault == 0 && writer->list->count == ADVICE_MAX)
        writer->fault = -ENOMEM;
    if (writer->fault < 0)
        return &none;
    struct advice *advice = &writer->list->rows[writer->list->count++];
    *advice = (struct advice){
        .title = title, .owner = owner, .type = type, .level = ADVICE_NICE, .version = "", .why = "", .check = check};
    return advice;
}

/* Takes what was put into the buffer for one more record. */
static void want(struct writer *writer, struct advice *advice, const struct buf *rdata, int result)
{
    if (writer->fault == 0)
        writer->fault = result;
    if (writer->fault == 0 && advice->count == ADVICE_WANTED_MAX)
        writer->fault = -ENOMEM;
    if (writer->fault == 0)
        writer->fault = arena_copy(writer->arena, buf_span(rdata), &advice->wanted[advice->count]);
    if (writer->fault == 0)
        advice->count++;
}

static void want_text(struct writer *writer, struct advice *advice, const char *version, span_t text)
{
    AUTO_BUF struct buf rdata;
    buf_init(&rdata, 2 * TEXT_MAX);
    advice->version = version;
    want(writer, advice, &rdata, dns_put_txt(&rdata, text));
}

static void want_name(struct writer *writer, struct advice *advice, const char *name)
{
    AUTO_BUF struct buf rdata;
    buf_init(&rdata, DNS_NAME_WIRE_MAX);
    want(writer, advice, &rdata, dns_put_name(&rdata, name));
}

static void add_mx(struct writer *writer)
{
    const struct facts *facts = writer->facts;
    AUTO_BUF struct buf rdata;
    buf_init(&rdata, DNS_NAME_WIRE_MAX + 2);
    struct advice *advice = add(writer, "MX", facts->domain, DNS_MX, check_mx);
    advice->level = ADVICE_NEEDED;
    advice->why = "where mail for the domain goes (RFC 5321 §5.1)";
    want(writer, advice, &rdata, dns_put_mx(&rdata, &(struct dns_mx){10, facts->host}));

    advice = add(writer, "addresses", facts->host, DNS_A, check_host);
    advice->level = ADVICE_NEEDED;
    advice->why = "A and AAAA: this machine's public addresses; whoever owns them has to name each of them back (PTR) "
                  "to this host, or others will not take its mail";
}

static void add_policies(struct writer *writer)
{
    const char *domain = writer->facts->domain;
    struct advice *advice = add(writer, "SPF", domain, DNS_TXT, check_spf);
    advice->level = ADVICE_NEEDED;
    advice->why = "which hosts send the domain's mail (RFC 7208)";
    want_text(writer, advice, "v=spf1", SPAN("v=spf1 mx -all"));

    if (strcmp(domain, writer->facts->host) != 0) {
        advice = add(writer, "SPF of the host", writer->facts->host, DNS_TXT, check_spf);
        advice->why = "for mail without a sender, which is checked by the host's name (RFC 7208 §2.3)";
        want_text(writer, advice, "v=spf1", SPAN("v=spf1 a -all"));
    }
    for (size_t i = 0; i < writer->facts->key_count; i++) {
        const struct facts_key *key = &writer->facts->keys[i];
        advice = add(writer, "DKIM", format(writer, "%s._domainkey.%s", key->selector, domain), DNS_TXT, check_text);
        advice->level = ADVICE_NEEDED;
        advice->why = "the key its signatures are checked with (RFC 6376 §3.6)";
        want_text(writer, advice, "", key->record);
    }
}

/* The same policy has the same id, and another one another (RFC 8461 §3.1). */
static const char *policy_id(struct writer *writer, const char *policy)
{
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    char id[POLICY_ID_SIZE + 1];
    if (policy == NULL)
        return "";
    if (EVP_Digest(policy, strlen(policy), digest, NULL, EVP_sha256(), NULL) != 1)
        writer->fault = -ENOMEM;
    for (size_t i = 0; i < POLICY_ID_SIZE / 2; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", digest[i]);
    return format(writer, "%s", id);
}

/* Reports go where this server reads them, unless that is switched off. */
static void add_reports(struct writer *writer)
{
    const char *domain = writer->facts->domain;
    const char *local = writer->facts->conf->reports_address;
    local = local[0] == '\0' ? "postmaster" : local;
    struct advice *advice = add(writer, "DMARC", format(writer, "_dmarc.%s", domain), DNS_TXT, check_dmarc);
    advice->level = ADVICE_NEEDED;
    advice->why = "what to do with mail that only pretends to come from the domain (RFC 7489 §6.3)";
    want_text(writer, advice, "DMARC1",
              span_of_text(format(writer, "v=DMARC1; p=quarantine; rua=mailto:%s@%s", local, domain)));
    advice = add(writer, "TLS reports", format(writer, "_smtp._tls.%s", domain), DNS_TXT, check_tlsrpt);
    advice->why = "where others report that they could not reach this server over TLS (RFC 8460 §3)";
    want_text(writer, advice, "TLSRPTv1", span_of_text(format(writer, "v=TLSRPTv1; rua=mailto:%s@%s", local, domain)));
}

/* As this server gives it out where [https] port is set. */
static const char *write_policy(struct writer *writer)
{
    AUTO_BUF struct buf text;
    buf_init(&text, 1024);
    if (mtasts_policy_write(writer->facts->conf->https_sts_mode, writer->facts->host, &text) < 0)
        writer->fault = -ENOMEM;
    return format(writer, "%.*s", SPAN_PRINT(buf_span(&text)));
}

/* Only with a certificate that strangers can check: a policy that nobody can meet would keep mail away. */
static void add_sts(struct writer *writer)
{
    const struct facts *facts = writer->facts;
    if (facts->is_self_signed)
        return;
    const char *policy = write_policy(writer);
    struct advice *advice = add(writer, "MTA-STS", format(writer, "_mta-sts.%s", facts->domain), DNS_TXT, check_text);
    advice->level = ADVICE_RIGHT;
    advice->why = "that there is a policy for TLS, and which version of it (RFC 8461 §3.1)";
    want_text(writer, advice, "STSv1", span_of_text(format(writer, "v=STSv1; id=%s;", policy_id(writer, policy))));
    const char *host = format(writer, "mta-sts.%s", facts->domain);
    advice = add(writer, "MTA-STS host", host, DNS_CNAME, check_alias);
    advice->why = "where the policy is fetched from (RFC 8461 §3.3)";
    want_name(writer, advice, facts->host);
    if (writer->fault == 0) {
        writer->list->policy = policy;
        writer->list->policy_host = host;
    }
}

static void add_tlsa(struct writer *writer)
{
    const struct facts *facts = writer->facts;
    if (facts->digest_count == 0)
        return;
    struct advice *advice = add(writer, "TLSA", format(writer, "_25._tcp.%s", facts->host), DNS_TLSA, check_tlsa);
    advice->level = ADVICE_RIGHT;
    advice->why = "the keys of this server's certificate, the next one's too: for a host whose zone is signed "
                  "(RFC 7672 §3.1.1)";
    for (size_t i = 0; i < facts->digest_count; i++) {
        AUTO_BUF struct buf rdata;
        buf_init(&rdata, 100);
        const struct dns_tlsa tlsa = {3, 1, 1, span_of(facts->digests[i], FACTS_DIGEST_SIZE)};
        want(writer, advice, &rdata, dns_put_tlsa(&rdata, &tlsa));
    }
}

static void add_caa(struct writer *writer)
{
    const struct facts *facts = writer->facts;
    if (facts->authority == NULL)
        return;
    AUTO_BUF struct buf rdata;
    buf_init(&rdata, 300);
    struct advice *advice = add(writer, "CAA", facts->host, DNS_CAA, check_caa);
    advice->level = ADVICE_RIGHT;
    advice->why = "who may issue certificates for this host (RFC 8659)";
    want(writer, advice, &rdata,
         dns_put_caa(&rdata, &(struct dns_caa){0, SPAN("issue"), span_of_text(facts->authority)}));
}

/* RFC 6186 §3.4: "." for what is not there. Implicit TLS is preferred (RFC 8314 §3). */
static void add_services(struct writer *writer)
{
    static const struct {
        const char *label;
        enum ipc_service service;
        uint16_t priority;
    } services[] = {
        {"_submissions", SERVICE_SUBMISSION_TLS, 0},
        {"_submission", SERVICE_SUBMISSION, 10},
        {"_imaps", SERVICE_IMAP_TLS, 0},
        {"_imap", SERVICE_IMAP, 10},
        {"_pop3s", SERVICE_POP3_TLS, 20},
        {"_pop3", SERVICE_POP3, 30},
    };
    const struct facts *facts = writer->facts;
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        AUTO_BUF struct buf rdata;
        buf_init(&rdata, DNS_NAME_WIRE_MAX + 6);
        const uint16_t port = conf_port(facts->conf, services[i].service);
        const struct dns_srv srv = {services[i].priority, 1, port, facts->host};
        const struct dns_srv none = {0, 0, 0, ""};
        struct advice *advice =
            add(writer, "SRV", format(writer, "%s._tcp.%s", services[i].label, facts->domain), DNS_SRV, check_all);
        advice->why = "how mail programs find this service (RFC 6186 §3, RFC 8314 §5.1)";
        want(writer, advice, &rdata, dns_put_srv(&rdata, port != 0 ? &srv : &none));
    }
    struct advice *advice =
        add(writer, "autoconfig", format(writer, "autoconfig.%s", facts->domain), DNS_CNAME, check_alias);
    advice->why = "where Thunderbird and others ask for their settings";
    want_name(writer, advice, facts->host);
}

int advice_make(const struct facts *facts, struct arena *arena, struct advice_list *ret_list)
{
    *ret_list = (struct advice_list){.policy = "", .policy_host = ""};
    struct writer writer = {.facts = facts, .arena = arena, .list = ret_list};
    add_mx(&writer);
    add_policies(&writer);
    add_reports(&writer);
    add_sts(&writer);
    add_tlsa(&writer);
    add_caa(&writer);
    add_services(&writer);
    return writer.fault;
}

int advice_find(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                struct arena *arena, struct finding *ret_finding)
{
    struct finding finding = {.state = FINDING_OK, .note = ""};
    const int result = advice->check(advice, facts, lookup, arena, &finding);
    if (result == 0)
        *ret_finding = finding;
    return result;
}

bool advice_fails(const struct advice *advice, const struct finding *finding)
{
    switch (finding->state) {
    case FINDING_OK:
        return false;
    case FINDING_MISSING:
    case FINDING_UNKNOWN:
        return advice->level == ADVICE_NEEDED;
    case FINDING_DIFFERS:
        return advice->level != ADVICE_NICE;
    case FINDING_BOGUS:
        return true;
    }
    return true;
}

const char *finding_text(enum finding_state state)
{
    static const char *const texts[] = {
        [FINDING_OK] = "ok",       [FINDING_MISSING] = "missing", [FINDING_DIFFERS] = "differs",
        [FINDING_BOGUS] = "bogus", [FINDING_UNKNOWN] = "unknown",
    };
    return texts[state];
}
