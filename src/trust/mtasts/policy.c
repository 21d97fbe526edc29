#include "trust/mtasts/policy.h"

enum key { KEY_VERSION, KEY_MODE, KEY_MAX_AGE, KEY_MX, KEY_COUNT };

static const char *const key_names[KEY_COUNT] = {
    [KEY_VERSION] = "version",
    [KEY_MODE] = "mode",
    [KEY_MAX_AGE] = "max_age",
    [KEY_MX] = "mx",
};

static const char *const mode_names[] = {
    [MTASTS_NONE] = "none",
    [MTASTS_TESTING] = "testing",
    [MTASTS_ENFORCE] = "enforce",
};

const char *mtasts_mode_name(enum mtasts_mode mode)
{
    return mode_names[mode];
}

/* A host name, or "*." and one: letters, digits, hyphens and underscores, in labels that are not empty. */
static bool is_pattern(span_t pattern)
{
    if (pattern.len > MTASTS_PATTERN_MAX)
        return false;
    span_t rest = span_starts(pattern, SPAN("*.")) ? span_from(pattern, 2) : pattern;
    if (rest.len == 0)
        return false;
    bool in_label = false;
    for (size_t at = 0; at < rest.len; at++) {
        uint8_t byte = rest.at[at];
        if (byte == '.' && !in_label)
            return false;
        if (byte != '.' && !ascii_is_alpha(byte) && !ascii_is_digit(byte) && byte != '-' && byte != '_')
            return false;
        in_label = byte != '.';
    }
    return in_label;
}

static bool read_version(span_t value, struct mtasts_policy *policy)
{
    (void)policy;
    return span_equal(value, SPAN("STSv1"));
}

static bool read_mode(span_t value, struct mtasts_policy *policy)
{
    for (size_t at = 0; at < COUNT_OF(mode_names); at++) {
        if (!span_equal(value, span_of_text(mode_names[at])))
            continue;
        policy->mode = (enum mtasts_mode)at;
        return true;
    }
    return false;
}

static bool read_max_age(span_t value, struct mtasts_policy *policy)
{
    uint64_t seconds;
    if (value.len > 10 || span_to_u64(value, UINT64_MAX, &seconds) != 0)
        return false;
    policy->max_age = seconds > MTASTS_AGE_MAX ? MTASTS_AGE_MAX : (uint32_t)seconds;
    return true;
}

static bool read_mx(span_t value, struct mtasts_policy *policy)
{
    if (!is_pattern(value) || policy->pattern_count == MTASTS_PATTERNS_MAX)
        return false;
    policy->patterns[policy->pattern_count++] = value;
    return true;
}

static bool (*const readers[KEY_COUNT])(span_t value, struct mtasts_policy *policy) = {
    [KEY_VERSION] = read_version,
    [KEY_MODE] = read_mode,
    [KEY_MAX_AGE] = read_max_age,
    [KEY_MX] = read_mx,
};

static enum key find_key(span_t name)
{
    for (size_t at = 0; at < KEY_COUNT; at++) {
        if (span_equal(name, span_of_text(key_names[at])))
            return (enum key)at;
    }
    return KEY_COUNT;
}

/* One line: false where it makes the policy unusable. */
static bool read_line(span_t line, unsigned *seen, struct mtasts_policy *policy)
{
    if (line.len == 0)
        return true;
    span_t value = line;
    span_t name;
    if (!span_cut(&value, ':', &name) || name.len == line.len)
        return false;
    enum key key = find_key(name);
    if (key == KEY_COUNT)
        return true;
    unsigned bit = 1U << key;
    if (key != KEY_MX && (*seen & bit) != 0)
        return true;
    *seen |= bit;
    return readers[key](span_trim(value), policy);
}

enum mtasts_result mtasts_policy_parse(span_t text, struct mtasts_policy *ret_policy)
{
    struct mtasts_policy policy = {0};
    if (text.len > MTASTS_POLICY_MAX || span_find_byte(text, 0) != text.len)
        return MTASTS_MALFORMED;
    unsigned seen = 0;
    span_t rest = text;
    span_t line;
    while (span_cut(&rest, '\n', &line)) {
        if (!read_line(span_trim(line), &seen, &policy))
            return MTASTS_MALFORMED;
    }
    unsigned wanted = 1U << KEY_VERSION | 1U << KEY_MODE | 1U << KEY_MAX_AGE;
    if ((seen & wanted) != wanted || (policy.mode != MTASTS_NONE && policy.pattern_count == 0))
        return MTASTS_MALFORMED;
    *ret_policy = policy;
    return MTASTS_OK;
}

static bool is_match(span_t pattern, span_t host)
{
    if (!span_starts(pattern, SPAN("*.")))
        return span_equal_nocase(pattern, host);
    size_t dot = span_find_byte(host, '.');
    return dot > 0 && span_equal_nocase(span_from(host, dot + 1), span_from(pattern, 2));
}

bool mtasts_policy_allows(const struct mtasts_policy *policy, span_t host)
{
    span_t name = span_ends(host, SPAN(".")) ? span_upto(host, host.len - 1) : host;
    if (name.len == 0)
        return false;
    for (size_t at = 0; at < policy->pattern_count; at++) {
        if (is_match(policy->patterns[at], name))
            return true;
    }
    return false;
}

/* A mode of none has no hosts, and takes an earlier policy back (RFC 8461 §8.3). */
int mtasts_policy_write(const char *mode, const char *host, struct buf *text)
{
    buf_append_format(text, "version: STSv1\r\nmode: %s\r\n", mode);
    if (!span_equal(span_of_text(mode), SPAN("none")))
        buf_append_format(text, "mx: %s\r\n", host);
    return buf_append_format(text, "max_age: %u\r\n", MTASTS_OWN_AGE);
}
