#include "tool/transfer/maildir.h"

#include <errno.h>

#include "base/arena.h"
#include "proto/imap/mailbox.h"

#define FOLDER_ARENA 65536U

static const struct {
    uint8_t letter;
    const char *flag;
} letters[] = {
    {'D', "\\Draft"},    {'F', "\\Flagged"}, {'P', "$Forwarded"},
    {'R', "\\Answered"}, {'S', "\\Seen"},    {'T', "\\Deleted"}, /* in this order in a name */
};

/* --- keywords --- */

void maildir_keywords_init(struct maildir_keywords *keywords)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        buf_init(&keywords->names[i], MAILDIR_KEYWORD_MAX);
}

void maildir_keywords_deinit(struct maildir_keywords *keywords)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        buf_deinit(&keywords->names[i]);
}

/* May a keyword be called that (RFC 3501 §9, atom)? */
static bool is_keyword(span_t name)
{
    static const span_t specials = {(const uint8_t *)"(){%*\"\\]", 8};
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_print(name.at[i]) || span_find_byte(specials, name.at[i]) < specials.len)
            return false;
    return name.len > 0 && name.len <= MAILDIR_KEYWORD_MAX;
}

int maildir_keywords_read(struct maildir_keywords *keywords, span_t file)
{
    span_t line;
    while (span_cut(&file, '\n', &line)) {
        uint64_t number = 0;
        span_t rest = line;
        span_t digits;
        if (!span_cut(&rest, ' ', &digits) || span_to_u64(digits, MAILDIR_KEYWORDS - 1, &number) < 0)
            continue;
        rest = span_trim(rest);
        if (!is_keyword(rest))
            continue;
        buf_clear(&keywords->names[number]);
        int result = buf_append(&keywords->names[number], rest);
        if (result < 0)
            return result;
    }
    return 0;
}

int maildir_keywords_write(const struct maildir_keywords *keywords, struct buf *file)
{
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        if (buf_len(&keywords->names[i]) > 0)
            (void)buf_append_format(file, "%zu %.*s\n", i, SPAN_PRINT(buf_span(&keywords->names[i])));
    return buf_fault(file);
}

/* The number of a keyword, given one where it has none; MAILDIR_KEYWORDS where all are used. */
static size_t keyword_number(struct maildir_keywords *keywords, span_t name)
{
    size_t free_one = MAILDIR_KEYWORDS;
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++) {
        span_t there = buf_span(&keywords->names[i]);
        if (there.len > 0 && span_equal_nocase(there, name))
            return i;
        if (there.len == 0 && free_one == MAILDIR_KEYWORDS)
            free_one = i;
    }
    if (free_one < MAILDIR_KEYWORDS && buf_append(&keywords->names[free_one], name) < 0)
        return MAILDIR_KEYWORDS;
    return free_one;
}

/* --- flags --- */

static size_t info_of(span_t name)
{
    size_t colon = span_find_last_byte(name, ':');
    return colon < name.len && span_starts(span_from(name, colon), SPAN(":2,")) ? colon : name.len;
}

span_t maildir_base(span_t name)
{
    return span_upto(name, info_of(name));
}

static void add_flag(struct buf *flags, span_t flag)
{
    if (buf_len(flags) > 0)
        (void)buf_append_byte(flags, ' ');
    (void)buf_append(flags, flag);
}

int maildir_flags_read(span_t name, const struct maildir_keywords *keywords, struct buf *flags)
{
    span_t info = span_from(name, info_of(name) + 3);
    uint32_t given = 0;
    for (size_t i = 0; i < info.len; i++) {
        uint8_t letter = info.at[i];
        for (size_t known = 0; known < COUNT_OF(letters); known++)
            if (letters[known].letter == letter)
                add_flag(flags, span_of_text(letters[known].flag));
        size_t number = (size_t)letter - 'a';
        if (letter < 'a' || letter > 'z' || (given & 1U << number) != 0)
            continue;
        given |= 1U << number;
        if (buf_len(&keywords->names[number]) > 0)
            add_flag(flags, buf_span(&keywords->names[number]));
    }
    return buf_fault(flags);
}

static bool has_word(span_t words, span_t word)
{
    span_t found;
    while (span_cut(&words, ' ', &found))
        if (span_equal_nocase(found, word))
            return true;
    return false;
}

static bool is_letter_flag(span_t flag)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (span_equal_nocase(flag, span_of_text(letters[i].flag)))
            return true;
    return false;
}

int maildir_flags_write(span_t flags, struct maildir_keywords *keywords, struct buf *name, size_t *ret_dropped)
{
    uint32_t given = 0;
    size_t dropped = 0;
    span_t rest = flags;
    span_t flag;
    (void)buf_append(name, SPAN(":2,"));
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (has_word(flags, span_of_text(letters[i].flag)))
            (void)buf_append_byte(name, letters[i].letter);
    while (span_cut(&rest, ' ', &flag)) {
        if (!is_keyword(flag) || is_letter_flag(flag))
            continue;
        size_t number = keyword_number(keywords, flag);
        if (number < MAILDIR_KEYWORDS)
            given |= 1U << number;
        else
            dropped++;
    }
    for (size_t i = 0; i < MAILDIR_KEYWORDS; i++)
        if ((given & 1U << i) != 0)
            (void)buf_append_byte(name, (uint8_t)('a' + i));
    *ret_dropped = dropped;
    return buf_fault(name);
}

/* --- folders --- */

static int digit_of(uint8_t byte)
{
    if (ascii_is_digit(byte))
        return byte - '0';
    byte = ascii_lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Dots are levels, \XX is a byte. What would become a separator inside a level stays apart from one. */
static int unescape(span_t name, struct buf *path)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (byte == '\\' && i + 2 < name.len && digit_of(name.at[i + 1]) >= 0 && digit_of(name.at[i + 2]) >= 0) {
            byte = (uint8_t)(digit_of(name.at[i + 1]) * 16 + digit_of(name.at[i + 2]));
            i += 2;
            (void)buf_append_byte(path, byte == '/' ? '_' : byte);
        } else {
            (void)buf_append_byte(path, byte == '.' ? '/' : byte == '/' ? '_' : byte);
        }
    }
    return buf_fault(path);
}

int maildir_folder_read(span_t name, struct buf *mailbox)
{
    AUTO_BUF struct buf path;
    AUTO(arena) struct arena *arena = NULL;
    span_t decoded;
    buf_init(&path, IMAP_MAILBOX_MAX * 8);
    if (name.len < 2 || name.at[0] != '.' || unescape(span_from(name, 1), &path) < 0)
        return -EINVAL;
    int result = arena_new(FOLDER_ARENA, &arena);
    if (result < 0)
        return result;
    /* A name that is not modified UTF-7 is taken for what it looks like. */
    if (imap_mailbox_decode(buf_span(&path), arena, &decoded) < 0)
        decoded = buf_span(&path);
    return imap_mailbox_is_valid(decoded) ? buf_append(mailbox, decoded) : -EINVAL;
}

int maildir_folder_write(span_t mailbox, struct buf *name)
{
    AUTO_BUF struct buf encoded;
    buf_init(&encoded, IMAP_MAILBOX_MAX * 8);
    imap_mailbox_encode(mailbox, &encoded);
    span_t rest = buf_span(&encoded);
    (void)buf_append_byte(name, '.');
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.at[i] == '.' || rest.at[i] == '\\')
            (void)buf_append_format(name, "\\%02x", rest.at[i]);
        else
            (void)buf_append_byte(name, rest.at[i] == '/' ? '.' : rest.at[i]);
    }
    return buf_fault(&encoded) < 0 ? buf_fault(&encoded) : buf_fault(name);
}
