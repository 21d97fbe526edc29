#include <errno.h>

#include "mime/charset.h"
#include "role/session/flags.h"
#include "role/session/imap/search.h"

#define DAY_MICROSECONDS INT64_C(86400000000)
#define TEXT_MAX (256U << 10)

/* --- making it ready --- */

static int to_utf8(struct run *run, span_t text, span_t *ret_utf8)
{
    span_t charset = run->command->search.charset;
    if (charset.len == 0 || span_equal_nocase(charset, SPAN("UTF-8")) || span_equal_nocase(charset, SPAN("US-ASCII"))) {
        *ret_utf8 = text;
        return 0;
    }
    struct buf utf8 AUTO_BUF;
    buf_init(&utf8, TEXT_MAX);
    int result = charset_to_utf8(charset, text, &utf8);
    return result < 0 ? result : arena_copy(run->arena, buf_span(&utf8), ret_utf8);
}

static enum imap_match_kind match_kind(const struct imap_search_key *key)
{
    static const struct {
        const char *field;
        enum imap_match_kind kind;
    } named[] = {{"FROM", IMAP_MATCH_FROM},
                 {"TO", IMAP_MATCH_TO},
                 {"CC", IMAP_MATCH_CC},
                 {"BCC", IMAP_MATCH_BCC},
                 {"SUBJECT", IMAP_MATCH_SUBJECT}};
    if (key->kind == IMAP_KEY_BODY)
        return IMAP_MATCH_BODY;
    if (key->kind == IMAP_KEY_TEXT)
        return IMAP_MATCH_TEXT;
    for (size_t i = 0; key->number == IMAP_HEADER_NAMED && i < COUNT_OF(named); i++)
        if (span_equal(key->field, span_of_text(named[i].field)))
            return named[i].kind;
    return IMAP_MATCH_HEADER;
}

static int make_match(struct run *run, struct search_node *node, const struct imap_search_key *key)
{
    span_t text = SPAN_NONE;
    int result = to_utf8(run, key->text, &text);
    if (result == 0)
        result = imap_match_new(match_kind(key), key->field, text, &node->match);
    return result == 0 && key->is_fuzzy ? search_fuzzy_make(run->vault, node) : result;
}

/* Ids are what we made them (imap.h); any other is nobody's: 0. */
static uint64_t read_id(span_t text, uint8_t letter)
{
    uint64_t id = 0;
    if (text.len < 2 || text.at[0] != letter || span_to_u64(span_from(text, 1), INT64_MAX, &id) < 0)
        return 0;
    return id;
}

static int make_list(struct run *run, struct imap_search_key *key, struct search_node **link);

static int make_node(struct run *run, struct imap_search_key *key, struct search_node *node)
{
    struct view *view = run->client->view;
    node->kind = key->kind;
    node->key = key;
    if (key->kind == IMAP_KEY_SET || key->kind == IMAP_KEY_UID) {
        if (key->set.saved)
            node->kind = IMAP_KEY_UID; /* RFC 5182 §2.1: what is saved are UIDs */
        int result = run_saved_set(run, &key->set);
        if (result < 0)
            return result;
        imap_set_fix(&key->set, node->kind == IMAP_KEY_UID ? view_last_uid(view) : (uint32_t)view_count(view));
    }
    if (key->kind == IMAP_KEY_KEYWORD && vault_keyword_find(run->vault, key->text, &node->mask) != 0)
        node->mask = 0; /* nobody has it */
    if (key->kind == IMAP_KEY_OLDER || key->kind == IMAP_KEY_YOUNGER)
        node->moment = session_now() / 1000000 - (int64_t)key->number;
    if (key->kind == IMAP_KEY_EMAILID || key->kind == IMAP_KEY_THREADID)
        node->mask = read_id(key->text, key->kind == IMAP_KEY_EMAILID ? 'M' : 'T');
    if (key->kind == IMAP_KEY_MODSEQ)
        run->client->condstore = true; /* RFC 7162 §3.1 */
    if (key->kind == IMAP_KEY_HEADER || key->kind == IMAP_KEY_BODY || key->kind == IMAP_KEY_TEXT)
        return make_match(run, node, key);
    return make_list(run, key->children, &node->children);
}

/* As deep as the grammar allows (IMAP_SEARCH_DEPTH_MAX). */
static int make_list(struct run *run, struct imap_search_key *key, struct search_node **link)
{
    for (; key != NULL; key = key->next) {
        struct search_node *node = arena_alloc(run->arena, sizeof(*node));
        if (node == NULL)
            return -ENOMEM;
        *node = (struct search_node){0};
        *link = node;
        link = &node->next;
        int result = make_node(run, key, node);
        if (result != 0)
            return result;
    }
    return 0;
}

int search_program_make(struct run *run, struct search_node **ret_program)
{
    span_t charset = run->command->search.charset;
    *ret_program = NULL;
    if (charset.len > 0 && !span_equal_nocase(charset, SPAN("US-ASCII")) && !charset_is_known(charset))
        return SEARCH_BAD_CHARSET;
    return make_list(run, run->command->search.keys, ret_program);
}

void search_program_free(struct search_node *program)
{
    for (; program != NULL; program = program->next) {
        imap_match_free(program->match);
        program->match = NULL;
        vault_search_free(program->hits);
        program->hits = NULL;
        vault_fuzzy_free(program->fuzzy);
        program->fuzzy = NULL;
        search_program_free(program->children);
    }
}

/* --- deciding --- */

static int yes_if(bool is_so)
{
    return is_so ? SEARCH_YES : SEARCH_NO;
}

static int decide_match(struct search_node *node, const struct search_subject *subject)
{
    if (node->fuzzy != NULL)
        return search_fuzzy_decide(node, subject);
    enum search_answer known = search_ask_index(node, subject->member);
    if (known != SEARCH_NEEDS_WHOLE)
        return (int)known;
    if (subject->whole != NULL)
        return imap_match_message(node->match, subject->whole);
    if (imap_match_needs_body(node->match))
        return SEARCH_NEEDS_WHOLE;
    return subject->header != NULL ? imap_match_header(node->match, subject->header->header) : SEARCH_NEEDS_HEADER;
}

static int decide_sent(const struct search_node *node, const struct search_subject *subject)
{
    const struct mime_part *part = subject->whole != NULL ? subject->whole : subject->header;
    if (part == NULL)
        return SEARCH_NEEDS_HEADER;
    enum imap_match_sent which = node->kind == IMAP_KEY_SENTBEFORE ? IMAP_SENT_BEFORE
                                 : node->kind == IMAP_KEY_SENTON   ? IMAP_SENT_ON
                                                                   : IMAP_SENT_SINCE;
    return yes_if(imap_match_sent(which, (int64_t)node->key->number, part->header));
}

/* The worse of two open answers: what needs all of the message needs more than its header. */
static int more_open(int one, int other)
{
    return one > other ? one : other;
}

static int decide_all(struct search_node *node, const struct search_subject *subject)
{
    int answer = SEARCH_YES;
    for (struct search_node *child = node->children; child != NULL; child = child->next) {
        int one = search_decide(child, subject);
        if (one < 0 || one == SEARCH_NO)
            return one;
        answer = more_open(answer, one);
    }
    return answer;
}

static int decide_any(struct search_node *node, const struct search_subject *subject)
{
    int answer = SEARCH_NO;
    for (struct search_node *child = node->children; child != NULL; child = child->next) {
        int one = search_decide(child, subject);
        if (one < 0 || one == SEARCH_YES)
            return one;
        answer = more_open(answer, one);
    }
    return answer;
}

static int decide_not(struct search_node *node, const struct search_subject *subject)
{
    int one = search_decide(node->children, subject);
    return one == SEARCH_YES ? SEARCH_NO : one == SEARCH_NO ? SEARCH_YES : one;
}

/* RFC 3501 §6.4.4: dates disregard time and zone; INTERNALDATE is shown in UTC, so its day is that of UTC. */
static int64_t day_of(int64_t microseconds)
{
    return microseconds / DAY_MICROSECONDS - (microseconds % DAY_MICROSECONDS < 0);
}

int search_decide(struct search_node *node, const struct search_subject *subject)
{
    const struct vault_member *member = subject->member;
    const struct imap_search_key *key = node->key;
    switch (node->kind) {
    case IMAP_KEY_ALL:
        return SEARCH_YES;
    case IMAP_KEY_SET:
        return yes_if(imap_set_has(&key->set, subject->number));
    case IMAP_KEY_UID:
        return yes_if(imap_set_has(&key->set, member->uid));
    case IMAP_KEY_FLAG:
        return yes_if(key->number == IMAP_FLAG_RECENT ? subject->recent : (member->flags & key->number) != 0);
    case IMAP_KEY_KEYWORD:
        return yes_if((member->flags & node->mask) != 0);
    case IMAP_KEY_NEW:
        return yes_if(subject->recent && (member->flags & VAULT_SEEN) == 0);
    case IMAP_KEY_BEFORE:
        return yes_if(day_of(member->received) < (int64_t)key->number);
    case IMAP_KEY_ON:
        return yes_if(day_of(member->received) == (int64_t)key->number);
    case IMAP_KEY_SINCE:
        return yes_if(day_of(member->received) >= (int64_t)key->number);
    case IMAP_KEY_SAVEDBEFORE:
        return yes_if(day_of(member->saved) < (int64_t)key->number);
    case IMAP_KEY_SAVEDON:
        return yes_if(day_of(member->saved) == (int64_t)key->number);
    case IMAP_KEY_SAVEDSINCE:
        return yes_if(day_of(member->saved) >= (int64_t)key->number);
    case IMAP_KEY_SENTBEFORE:
    case IMAP_KEY_SENTON:
    case IMAP_KEY_SENTSINCE:
        return decide_sent(node, subject);
    case IMAP_KEY_LARGER:
        return yes_if(member->size > key->number);
    case IMAP_KEY_SMALLER:
        return yes_if(member->size < key->number);
    case IMAP_KEY_HEADER:
    case IMAP_KEY_BODY:
    case IMAP_KEY_TEXT:
        return decide_match(node, subject);
    case IMAP_KEY_MODSEQ:
        return yes_if(member->modseq >= key->number);
    case IMAP_KEY_OLDER:
        return yes_if(member->received / 1000000 <= node->moment);
    case IMAP_KEY_YOUNGER:
        return yes_if(member->received / 1000000 >= node->moment);
    case IMAP_KEY_EMAILID:
        return yes_if(member->email == node->mask);
    case IMAP_KEY_THREADID:
        return subject->header == NULL && subject->whole == NULL ? SEARCH_NEEDS_HEADER
                                                                 : yes_if(subject->thread == node->mask);
    case IMAP_KEY_NOT:
        return decide_not(node, subject);
    case IMAP_KEY_OR:
        return decide_any(node, subject);
    case IMAP_KEY_AND:
        return decide_all(node, subject);
    }
    return SEARCH_NO;
}
