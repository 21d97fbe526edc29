#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/dns/rdata.h"
#include "tool/dns/advice.h"
#include "trust/tlsrpt/record.h"
#include "trust/domain.h"
#include "trust/reverse.h"
#include "trust/spf/check.h"
#include "trust/taglist.h"

#define NOTE_MAX 1000U
#define REVERSES_MAX 4U /* addresses of a host that are looked at, of each kind */

static int set_note(struct finding *finding, struct arena *arena, const char *shape, ...) PRINTF_LIKE(3, 4);
static int set_note(struct finding *finding, struct arena *arena, const char *shape, ...)
{
    char note[NOTE_MAX];
    va_list arguments;
    va_start(arguments, shape);
    (void)vsnprintf(note, sizeof(note), shape, arguments);
    va_end(arguments);
    finding->note = arena_text(arena, span_of_text(note));
    return finding->note == NULL ? -ENOMEM : 0;
}

/* Asks, and deals with all that is no answer: true where there are records to look at. */
static int ask(const char *owner, enum dns_type type, const struct dns_lookup *lookup, struct arena *arena,
               struct finding *finding, bool *ret_found)
{
    struct dns_answer answer;
    *ret_found = false;
    int result = lookup->ask(lookup->context, owner, type, arena, &answer);
    if (result == -EINVAL) {
        finding->state = FINDING_UNKNOWN;
        return set_note(finding, arena, "this is no name the DNS could hold");
    }
    if (result < 0)
        return result;
    finding->is_secure = answer.is_secure;
    finding->type = type;
    switch (answer.outcome) {
    case DNS_FOUND:
        finding->count = answer.count;
        finding->have = answer.records;
        *ret_found = true;
        return 0;
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        finding->state = FINDING_MISSING;
        return 0;
    case DNS_BOGUS:
        finding->state = FINDING_BOGUS;
        return set_note(finding, arena, "DNSSEC: %s", answer.reason);
    case DNS_FAILED:
        break;
    }
    finding->state = FINDING_UNKNOWN;
    return set_note(finding, arena, "%s", answer.reason);
}

static bool holds(const struct finding *finding, span_t rdata)
{
    for (size_t i = 0; i < finding->count; i++)
        if (span_equal_nocase(finding->have[i], rdata)) /* names have no case; digests do, one time in 2^200 */
            return true;
    return false;
}

static bool is_wanted(const struct advice *advice, span_t rdata)
{
    for (size_t i = 0; i < advice->count; i++)
        if (span_equal_nocase(advice->wanted[i], rdata))
            return true;
    return false;
}

int check_all(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
              struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    (void)facts;
    const int result = ask(advice->owner, advice->type, lookup, arena, finding, &is_found);
    if (result < 0 || !is_found)
        return result;
    for (size_t i = 0; i < advice->count; i++)
        if (!holds(finding, advice->wanted[i]))
            finding->state = FINDING_DIFFERS;
    for (size_t i = 0; i < finding->count; i++)
        if (!is_wanted(advice, finding->have[i]))
            finding->state = FINDING_DIFFERS;
    return 0;
}

int check_mx(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
             struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    bool is_ours = false;
    int result = ask(advice->owner, advice->type, lookup, arena, finding, &is_found);
    for (size_t i = 0; result == 0 && is_found && i < finding->count; i++) {
        struct dns_mx mx;
        result = dns_read_mx(finding->have[i], arena, &mx);
        is_ours |= result == 0 && domain_equal(span_of_text(mx.exchange), span_of_text(facts->host));
        result = result == -EBADMSG ? 0 : result;
    }
    if (result < 0 || !is_found)
        return result;
    if (!is_ours) {
        finding->state = FINDING_DIFFERS;
        return set_note(finding, arena, "mail for the domain goes elsewhere");
    }
    if (finding->count > 1)
        return set_note(finding, arena, "mail can go to other hosts, too");
    return 0;
}

/* Keeps those texts that begin with the version; all of them where there is none. */
static int keep_texts(const struct advice *advice, struct arena *arena, struct finding *finding, span_t **ret_texts)
{
    span_t *texts = arena_alloc_array(arena, finding->count, sizeof(*texts));
    span_t *kept = arena_alloc_array(arena, finding->count, sizeof(*kept));
    size_t count = 0;
    if (texts == NULL || kept == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < finding->count; i++) {
        struct taglist list;
        span_t text;
        const int result = dns_read_txt(finding->have[i], arena, &text);
        if (result == -ENOMEM)
            return result;
        bool is_kept = result == 0 && advice->version[0] == '\0';
        if (result == 0 && advice->check == check_spf)
            is_kept = spf_is_record(text);
        else if (result == 0 && !is_kept) /* one that says what it is and is broken counts, too */
            is_kept = taglist_parse(text, &list) == TAGLIST_OK
                          ? taglist_is_version(&list, advice->version)
                          : span_find(span_upto(text, 20), span_of_text(advice->version)) < span_upto(text, 20).len;
        if (!is_kept)
            continue;
        texts[count] = text;
        kept[count++] = finding->have[i];
    }
    finding->have = kept;
    finding->count = count;
    *ret_texts = texts;
    return 0;
}

/* Asks for the one text there should be. */
static int ask_text(const struct advice *advice, const struct dns_lookup *lookup, struct arena *arena,
                    struct finding *finding, span_t *ret_text, bool *ret_found)
{
    span_t *texts = NULL;
    int result = ask(advice->owner, DNS_TXT, lookup, arena, finding, ret_found);
    if (result < 0 || !*ret_found)
        return result;
    result = keep_texts(advice, arena, finding, &texts);
    if (result < 0)
        return result;
    *ret_found = finding->count == 1;
    if (finding->count == 0)
        finding->state = FINDING_MISSING;
    if (finding->count == 1)
        *ret_text = texts[0];
    if (finding->count <= 1)
        return 0;
    finding->state = FINDING_DIFFERS;
    return set_note(finding, arena, "there is more than one %s record, so that none of them counts", advice->title);
}

int check_text(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
               struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    span_t text = SPAN_NONE;
    span_t wanted = SPAN_NONE;
    (void)facts;
    int result = ask_text(advice, lookup, arena, finding, &text, &is_found);
    if (result == 0 && is_found)
        result = dns_read_txt(advice->wanted[0], arena, &wanted);
    if (result == 0 && is_found && !span_equal(span_trim(text), wanted))
        finding->state = FINDING_DIFFERS;
    return result;
}

/* A record of the operator's own is as good as ours where it is strict about somebody. */
int check_dmarc(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    span_t text = SPAN_NONE;
    struct taglist list;
    (void)facts;
    const int result = ask_text(advice, lookup, arena, finding, &text, &is_found);
    if (result < 0 || !is_found)
        return result;
    const span_t policy = taglist_parse(text, &list) == TAGLIST_OK ? taglist_value(&list, "p") : SPAN_NONE;
    if (span_equal_nocase(policy, SPAN("quarantine")) || span_equal_nocase(policy, SPAN("reject")))
        return 0;
    if (span_equal_nocase(policy, SPAN("none")))
        return set_note(finding, arena, "p=none only watches: forged mail is let through");
    finding->state = FINDING_DIFFERS;
    return set_note(finding, arena, "it cannot be read, and so does not count");
}

/* Where the reports go is the operator's own business. */
int check_tlsrpt(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                 struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    span_t text = SPAN_NONE;
    struct tlsrpt_addresses addresses;
    (void)facts;
    int result = ask_text(advice, lookup, arena, finding, &text, &is_found);
    if (result < 0 || !is_found)
        return result;
    result = tlsrpt_record_parse(text, arena, &addresses);
    if (result == TLSRPT_RECORD_FOUND || result < 0)
        return result < 0 ? result : 0;
    finding->state = FINDING_DIFFERS;
    return set_note(finding, arena, "it names no address that reports could go to");
}

/* Whether one address of our host may send for the owner of the record. */
static int try_spf(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                   span_t rdata, struct arena *arena, struct finding *finding)
{
    AUTO_BUF struct buf sender;
    AUTO_BUF struct buf address;
    struct spf_verdict verdict;
    struct spf_request request = {.helo = span_of_text(facts->host), .receiver = span_of_text(facts->host)};
    buf_init(&sender, DNS_NAME_TEXT_MAX + 20);
    buf_init(&address, 100);
    int result = buf_append_format(&sender, "postmaster@%s", advice->owner);
    if (result < 0 || !ip_of_record(rdata, &request.client))
        return result;
    request.sender = buf_span(&sender);
    request.now = (uint64_t)time(NULL);
    result = spf_check(lookup, &request, arena, &verdict);
    if (result < 0 || verdict.result == SPF_PASS)
        return result;
    const bool is_unknown = verdict.result == SPF_TEMPERROR;
    ip_print(&request.client, &address);
    finding->state = is_unknown ? FINDING_UNKNOWN : FINDING_DIFFERS;
    return set_note(finding, arena, "mail from %.*s, an address of %s, gets \"%s\"%s%s", SPAN_PRINT(buf_span(&address)),
                    facts->host, spf_result_text(verdict.result), verdict.reason[0] != '\0' ? ": " : "",
                    verdict.reason);
}

int check_spf(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
              struct arena *arena, struct finding *finding)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    bool is_found = false;
    size_t tried = 0;
    span_t text = SPAN_NONE;
    int result = ask_text(advice, lookup, arena, finding, &text, &is_found);
    for (size_t k = 0; result == 0 && is_found && k < COUNT_OF(types); k++) {
        struct dns_answer addresses;
        result = lookup->ask(lookup->context, facts->host, types[k], arena, &addresses);
        for (size_t i = 0; result == 0 && i < addresses.count && finding->state == FINDING_OK && tried < REVERSES_MAX;
             i++, tried++)
            result = try_spf(advice, facts, lookup, addresses.records[i], arena, finding);
    }
    if (result == 0 && is_found && tried == 0 && finding->note[0] == '\0')
        result = set_note(finding, arena, "the host has no address to try it with");
    return result;
}

int check_tlsa(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
               struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    size_t stale = 0;
    (void)facts;
    const int result = ask(advice->owner, DNS_TLSA, lookup, arena, finding, &is_found);
    if (result < 0)
        return result;
    if (!is_found && finding->state == FINDING_MISSING && !finding->is_secure)
        return set_note(finding, arena, "the zone is not signed: without DNSSEC it would have no effect");
    if (!is_found)
        return 0;
    for (size_t i = 0; i < finding->count; i++)
        stale += !is_wanted(advice, finding->have[i]);
    if (!holds(finding, advice->wanted[0])) {
        finding->state = FINDING_DIFFERS;
        return set_note(finding, arena, "none is for the key in use: servers that check DANE refuse to deliver here");
    }
    for (size_t i = 1; i < advice->count; i++)
        if (!holds(finding, advice->wanted[i])) {
            finding->state = FINDING_DIFFERS;
            return set_note(finding, arena, "the next key's is missing: publish it two days before that key is used");
        }
    if (!finding->is_secure)
        return set_note(finding, arena, "the zone is not signed: without DNSSEC it has no effect");
    return stale > 0 ? set_note(finding, arena, "%zu for keys that are not ours; remove what is old", stale) : 0;
}

/* RFC 8659 §4.2: any issue record forbids all it does not name. */
int check_caa(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
              struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    bool is_restricted = false;
    const int result = ask(advice->owner, DNS_CAA, lookup, arena, finding, &is_found);
    for (size_t i = 0; result == 0 && is_found && i < finding->count; i++) {
        struct dns_caa caa;
        if (dns_read_caa(finding->have[i], &caa) < 0 || !span_equal_nocase(caa.tag, SPAN("issue")))
            continue;
        is_restricted = true;
        const span_t name = span_trim(span_upto(caa.value, span_find_byte(caa.value, ';')));
        if (domain_equal(name, span_of_text(facts->authority)))
            return 0;
    }
    if (result < 0 || !is_restricted)
        return result;
    finding->state = FINDING_DIFFERS;
    return set_note(finding, arena, "the certificate in use could not be renewed by who issued it");
}

int check_alias(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
                struct arena *arena, struct finding *finding)
{
    bool is_found = false;
    int result = check_all(advice, facts, lookup, arena, finding);
    if (result < 0 || finding->state != FINDING_MISSING)
        return result;
    struct finding own = {.state = FINDING_OK, .note = ""};
    result = ask(advice->owner, DNS_A, lookup, arena, &own, &is_found);
    if (result == 0 && !is_found)
        result = ask(advice->owner, DNS_AAAA, lookup, arena, &own, &is_found);
    if (result < 0 || !is_found)
        return result;
    finding->state = FINDING_OK;
    return set_note(finding, arena, "it has an address of its own");
}

/* Whether the address's name leads back to it, and is our host's (RFC 8601 §2.7.3). */
static int check_reverse(const struct facts *facts, span_t rdata, const struct dns_lookup *lookup, struct arena *arena,
                         struct finding *finding)
{
    AUTO_BUF struct buf text;
    struct reverse reverse;
    struct ip ip;
    buf_init(&text, 100);
    if (!ip_of_record(rdata, &ip))
        return 0;
    ip_print(&ip, &text);
    const int result = reverse_find(lookup, &ip, arena, &reverse);
    if (result < 0)
        return result;
    for (size_t i = 0; i < reverse.count; i++)
        if (domain_equal(reverse.names[i], span_of_text(facts->host)))
            return 0;
    const bool is_unknown = reverse.outcome == DNS_FAILED || (reverse.count == 0 && reverse.failed > 0);
    finding->state = is_unknown ? FINDING_UNKNOWN : FINDING_DIFFERS;
    return set_note(finding, arena, "%.*s %s %s; whoever gave you the address can set its PTR record",
                    SPAN_PRINT(buf_span(&text)), is_unknown ? "cannot be asked whether it is called" : "is not called",
                    facts->host);
}

static int check_reverses(const struct facts *facts, const struct finding *addresses, const struct dns_lookup *lookup,
                          struct arena *arena, struct finding *finding)
{
    int result = 0;
    for (size_t i = 0; result == 0 && finding->state == FINDING_OK && i < addresses->count && i < REVERSES_MAX; i++)
        result = check_reverse(facts, addresses->have[i], lookup, arena, finding);
    return result;
}

int check_host(const struct advice *advice, const struct facts *facts, const struct dns_lookup *lookup,
               struct arena *arena, struct finding *finding)
{
    bool has_four = false;
    bool has_six = false;
    struct finding four = {.state = FINDING_OK, .note = ""};
    struct finding six = {.state = FINDING_OK, .note = ""};
    int result = ask(advice->owner, DNS_A, lookup, arena, &four, &has_four);
    if (result == 0)
        result = ask(advice->owner, DNS_AAAA, lookup, arena, &six, &has_six);
    if (result < 0)
        return result;
    *finding = has_four || (!has_six && four.state != FINDING_MISSING) ? four : six;
    if (has_six && four.state == FINDING_MISSING)
        result = set_note(finding, arena, "there is no IPv4 address, and many servers have nothing else");
    if (result == 0)
        result = check_reverses(facts, &four, lookup, arena, finding);
    return result == 0 ? check_reverses(facts, &six, lookup, arena, finding) : result;
}
