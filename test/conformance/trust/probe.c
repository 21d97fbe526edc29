/*
 * What src/trust computes, for those who compare it with others: lines of words parted by tabs come in, answers go out,
 * each a line, the last one of a command ".".
 *
 *   clear                                      forgets the zone
 *   zone NAME TYPE OUTCOME [HEX]               a record: type and outcome as numbers (proto/dns/lookup.h)
 *   edition RFC                                of DMARC, from now on: 7489, as at first, or 9989
 *   message LENGTH                             so many bytes follow the line: what the commands below are about
 *   dkim NOW CHUNK                             a line for each signature: result, reason, domain, selector, bits
 *   dkim-sign DOMAIN SELECTOR KEY NOW          the field, in hex; KEY: a file, PEM
 *   judge NOW CLIENT HELO SENDER TRUSTED SAMPLE
 *                                              a line for each check, its name first; last "field", in hex
 *   arc-seal DOMAIN SELECTOR KEY NOW CLIENT HELO SENDER TRUSTED SAMPLE
 *                                              the three fields, in hex
 *   spf CLIENT HELO SENDER                     result, explanation
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "trust/spf/check.h"

static bool parse_hex(const char *text, struct buf *bytes)
{
    unsigned value = 0;
    int used = 0;
    for (; *text != 0; text += used) {
        if (sscanf(text, "%2x%n", &value, &used) != 1 || used != 2)
            return false;
        (void)buf_append_byte(bytes, (uint8_t)value);
    }
    return buf_fault(bytes) == 0;
}

static void on_clear(struct probe *probe, char **words)
{
    (void)words;
    zone_clear(probe->zone);
}

static void on_zone(struct probe *probe, char **words)
{
    AUTO_BUF struct buf rdata;
    buf_init(&rdata, 65536);
    unsigned type = (unsigned)strtoul(words[2], NULL, 10);
    unsigned long outcome = strtoul(words[3], NULL, 10);
    if (!parse_hex(words[4], &rdata) ||
        zone_add(probe->zone, words[1], type, (enum dns_outcome)outcome, buf_span(&rdata)) != 0)
        puts("error");
}

static void on_edition(struct probe *probe, char **words)
{
    probe->edition = strcmp(words[1], "9989") == 0 ? DMARC_RFC9989 : DMARC_RFC7489;
}

static void on_spf(struct probe *probe, char **words)
{
    struct spf_request request = {
        .helo = span_of_text(words[2]),
        .sender = span_of_text(words[3]),
        .receiver = SPAN("receiver.example"),
        .now = 1000000000,
    };
    struct spf_verdict verdict;
    struct dns_lookup lookup = zone_lookup(probe->zone);
    if (!ip_parse(span_of_text(words[1]), &request.client) ||
        spf_check(&lookup, &request, probe->arena, &verdict) != 0) {
        puts("error");
        return;
    }
    printf("%s\t%.*s\t%s\n", spf_result_text(verdict.result), SPAN_PRINT(verdict.explanation), verdict.reason);
}

static void on_message(struct probe *probe, char **words)
{
    size_t len = strtoul(words[1], NULL, 10);
    uint8_t *at = NULL;
    buf_clear(&probe->message);
    if (buf_reserve(&probe->message, len, &at) != 0 || fread(at, 1, len, stdin) != len)
        puts("error");
    else
        buf_commit(&probe->message, len);
}

static const struct {
    const char *name;
    void (*run)(struct probe *probe, char **words);
} commands[] = {
    {"clear", on_clear},     {"zone", on_zone},
    {"spf", on_spf},         {"message", on_message},
    {"dkim", probe_dkim},    {"dkim-sign", probe_dkim_sign},
    {"judge", probe_judge},  {"arc-seal", probe_arc_seal},
    {"edition", on_edition},
};

static void run(struct probe *probe, char *line)
{
    static char none[1];
    char *words[PROBE_WORDS_MAX];
    for (size_t i = 0; i < PROBE_WORDS_MAX; i++)
        words[i] = none;
    for (size_t i = 0; i < PROBE_WORDS_MAX && line != NULL; i++)
        words[i] = strsep(&line, "\t");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, words[0]) == 0)
            commands[i].run(probe, words);
    arena_reset(probe->arena);
    puts(".");
    (void)fflush(stdout);
}

int main(void)
{
    AUTO(zone) struct zone *zone = NULL;
    AUTO(arena) struct arena *arena = NULL;
    if (zone_new(&zone) != 0 || arena_new(16U << 20, &arena) != 0)
        return EXIT_FAILURE;
    struct probe probe = {.zone = zone, .arena = arena};
    buf_init(&probe.message, 256U << 20);
    AUTO_FREE char *line = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&line, &room, stdin)) > 0;) {
        if (line[len - 1] == '\n')
            line[len - 1] = 0;
        run(&probe, line);
    }
    buf_deinit(&probe.message);
    return EXIT_SUCCESS;
}
