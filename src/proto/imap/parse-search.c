#include "proto/imap/scan.h"

#include <errno.h>

/* What comes after a key's name. */
enum operand {
    NOTHING,
    TEXT,
    FIELD_TEXT,
    KEYWORD,
    DATE,
    NUMBER,
    UIDS,
    UIDS_AFTER,
    UIDS_BEFORE,
    MODSEQ,
    OBJECT,
    ONE_KEY,
    TWO_KEYS,
    FUZZY_KEY
};

struct key_row {
    const char *name;
    enum imap_search_key_kind kind;
    enum operand operand;
    unsigned flag;
    bool negated;
};

/* RFC 3501 §6.4.4 and §9: search-key; MODSEQ is RFC 7162 §3.1.5, OLDER and YOUNGER RFC 5032 §3, the ids RFC 8474 §6,
 * SAVED… RFC 8514 §4.3: every mailbox has save dates; FUZZY is RFC 6203 §3, UIDAFTER and UIDBEFORE RFC 9738 §3.2. */
static const struct key_row rows[] = {
    {"ALL", IMAP_KEY_ALL, NOTHING, 0, false},
    {"ANSWERED", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_ANSWERED, false},
    {"BCC", IMAP_KEY_HEADER, TEXT, 0, false},
    {"BEFORE", IMAP_KEY_BEFORE, DATE, 0, false},
    {"BODY", IMAP_KEY_BODY, TEXT, 0, false},
    {"CC", IMAP_KEY_HEADER, TEXT, 0, false},
    {"DELETED", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_DELETED, false},
    {"DRAFT", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_DRAFT, false},
    {"EMAILID", IMAP_KEY_EMAILID, OBJECT, 0, false},
    {"FLAGGED", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_FLAGGED, false},
    {"FROM", IMAP_KEY_HEADER, TEXT, 0, false},
    {"FUZZY", IMAP_KEY_AND, FUZZY_KEY, 0, false},
    {"HEADER", IMAP_KEY_HEADER, FIELD_TEXT, 0, false},
    {"KEYWORD", IMAP_KEY_KEYWORD, KEYWORD, 0, false},
    {"LARGER", IMAP_KEY_LARGER, NUMBER, 0, false},
    {"MODSEQ", IMAP_KEY_MODSEQ, MODSEQ, 0, false},
    {"NEW", IMAP_KEY_NEW, NOTHING, 0, false},
    {"NOT", IMAP_KEY_NOT, ONE_KEY, 0, false},
    {"OLD", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_RECENT, true},
    {"OLDER", IMAP_KEY_OLDER, NUMBER, 0, false},
    {"ON", IMAP_KEY_ON, DATE, 0, false},
    {"OR", IMAP_KEY_OR, TWO_KEYS, 0, false},
    {"RECENT", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_RECENT, false},
    {"SAVEDATESUPPORTED", IMAP_KEY_ALL, NOTHING, 0, false},
    {"SAVEDBEFORE", IMAP_KEY_SAVEDBEFORE, DATE, 0, false},
    {"SAVEDON", IMAP_KEY_SAVEDON, DATE, 0, false},
    {"SAVEDSINCE", IMAP_KEY_SAVEDSINCE, DATE, 0, false},
    {"SEEN", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_SEEN, false},
    {"SENTBEFORE", IMAP_KEY_SENTBEFORE, DATE, 0, false},
    {"SENTON", IMAP_KEY_SENTON, DATE, 0, false},
    {"SENTSINCE", IMAP_KEY_SENTSINCE, DATE, 0, false},
    {"SINCE", IMAP_KEY_SINCE, DATE, 0, false},
    {"SMALLER", IMAP_KEY_SMALLER, NUMBER, 0, false},
    {"SUBJECT", IMAP_KEY_HEADER, TEXT, 0, false},
    {"TEXT", IMAP_KEY_TEXT, TEXT, 0, false},
    {"THREADID", IMAP_KEY_THREADID, OBJECT, 0, false},
    {"TO", IMAP_KEY_HEADER, TEXT, 0, false},
    {"UID", IMAP_KEY_UID, UIDS, 0, false},
    {"UIDAFTER", IMAP_KEY_UID, UIDS_AFTER, 0, false},
    {"UIDBEFORE", IMAP_KEY_UID, UIDS_BEFORE, 0, false},
    {"UNANSWERED", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_ANSWERED, true},
    {"UNDELETED", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_DELETED, true},
    {"UNDRAFT", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_DRAFT, true},
    {"UNFLAGGED", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_FLAGGED, true},
    {"UNKEYWORD", IMAP_KEY_KEYWORD, KEYWORD, 0, true},
    {"UNSEEN", IMAP_KEY_FLAG, NOTHING, IMAP_FLAG_SEEN, true},
    {"YOUNGER", IMAP_KEY_YOUNGER, NUMBER, 0, false},
};

struct search_scan {
    struct imap_scan *scan;
    struct imap_command *command;
    size_t keys;
    size_t depth;
    size_t fuzzy; /* FUZZY that the key at hand is within */
};

static struct imap_search_key *new_key(struct search_scan *search)
{
    if (search->keys++ >= IMAP_SEARCH_KEYS_MAX) {
        (void)imap_scan_fail(search->scan, "Too many search keys");
        return NULL;
    }
    struct imap_search_key *key = arena_alloc(search->scan->arena, sizeof(*key));
    if (key == NULL) {
        search->scan->fault = -ENOMEM;
        (void)imap_scan_fail(search->scan, "Command too large");
    }
    return key;
}

static bool scan_key(struct search_scan *search, struct imap_search_key **ret_key);

/* RFC 7162 §3.1.5: an entry name and type may stand before the number; they make no difference here. */
static bool scan_modseq(struct search_scan *search, struct imap_search_key *key)
{
    span_t entry = SPAN_NONE;
    search->command->search.modseq = true;
    if (imap_scan_peek(search->scan, '"')) {
        if (!imap_scan_string(search->scan, &entry) || !imap_scan_space(search->scan) ||
            !imap_scan_atom(search->scan, &entry) || !imap_scan_space(search->scan))
            return false;
    }
    return imap_scan_number(search->scan, INT64_MAX, &key->number);
}

static bool scan_children(struct search_scan *search, struct imap_search_key *key, unsigned count)
{
    struct imap_search_key **link = &key->children;
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && !imap_scan_space(search->scan))
            return false;
        if (!scan_key(search, link))
            return false;
        link = &(*link)->next;
    }
    return true;
}

/* RFC 9738 §3.2: like "UID n+1:*", but where there is none above n it is empty, which a set with "*" never is. */
static bool scan_uids_beside(struct search_scan *search, struct imap_search_key *key, enum operand operand)
{
    uint64_t uid = 0;
    if (!imap_scan_number(search->scan, UINT32_MAX, &uid))
        return false;
    if (uid == 0)
        return imap_scan_fail(search->scan, "A UID cannot be zero");
    key->set.ranges = arena_alloc_array(search->scan->arena, 1, sizeof(*key->set.ranges));
    if (key->set.ranges == NULL) {
        search->scan->fault = -ENOMEM;
        return false;
    }
    uint32_t bound = (uint32_t)uid;
    if (operand == UIDS_BEFORE && bound > 1)
        key->set.ranges[key->set.count++] = (struct imap_range){1, bound - 1};
    if (operand == UIDS_AFTER && bound < IMAP_SET_STAR - 1)
        key->set.ranges[key->set.count++] = (struct imap_range){bound + 1, IMAP_SET_STAR - 1};
    return true;
}

/* RFC 6203 §3: flags and numbers within are what they are. */
static bool scan_fuzzy(struct search_scan *search, struct imap_search_key *key)
{
    search->fuzzy++;
    search->command->search.is_fuzzy = true;
    bool well = scan_children(search, key, 1);
    search->fuzzy--;
    return well;
}

static bool scan_operand(struct search_scan *search, const struct key_row *row, struct imap_search_key *key)
{
    struct imap_scan *scan = search->scan;
    int64_t day = 0;
    if (row->operand != NOTHING && !imap_scan_space(scan))
        return false;
    switch (row->operand) {
    case NOTHING:
        key->number = row->flag;
        return true;
    case TEXT:
        key->field = span_of_text(row->name);
        key->number = IMAP_HEADER_NAMED;
        return imap_scan_astring(scan, &key->text);
    case FIELD_TEXT:
        return imap_scan_astring(scan, &key->field) && imap_scan_space(scan) && imap_scan_astring(scan, &key->text);
    case KEYWORD:
        return imap_scan_atom(scan, &key->text);
    case DATE:
        if (!imap_scan_date(scan, &day))
            return false;
        key->number = (uint64_t)day;
        return true;
    case NUMBER:
        if (!imap_scan_number(scan, INT64_MAX, &key->number))
            return false;
        return key->number > 0 || key->kind == IMAP_KEY_LARGER || key->kind == IMAP_KEY_SMALLER ||
               imap_scan_fail(scan, "An interval cannot be zero"); /* RFC 5032 §3: nz-number */
    case UIDS_AFTER:
    case UIDS_BEFORE:
        return scan_uids_beside(search, key, row->operand);
    case FUZZY_KEY:
        return scan_fuzzy(search, key);
    case UIDS:
        return imap_scan_set(scan, &key->set);
    case MODSEQ:
        return scan_modseq(search, key);
    case OBJECT:
        return imap_scan_astring(scan, &key->text);
    case ONE_KEY:
        return scan_children(search, key, 1);
    case TWO_KEYS:
        return scan_children(search, key, 2);
    }
    return false;
}

/* Keys up to ")" or the end, all of which must match. */
static bool scan_all(struct search_scan *search, struct imap_search_key **ret_key)
{
    struct imap_search_key *all = new_key(search);
    if (all == NULL)
        return false;
    all->kind = IMAP_KEY_AND;
    struct imap_search_key **link = &all->children;
    do {
        if (!scan_key(search, link))
            return false;
        link = &(*link)->next;
    } while (imap_scan_byte(search->scan, ' ') && !imap_scan_at_end(search->scan));
    *ret_key = all;
    return true;
}

static bool scan_named(struct search_scan *search, struct imap_search_key *key, struct imap_search_key **ret_key)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!imap_scan_word(search->scan, rows[i].name))
            continue;
        key->kind = rows[i].kind;
        key->is_fuzzy = search->fuzzy > 0;
        if (!scan_operand(search, &rows[i], key))
            return false;
        *ret_key = key;
        if (!rows[i].negated)
            return true;
        struct imap_search_key *inverse = new_key(search);
        if (inverse == NULL)
            return false;
        inverse->kind = IMAP_KEY_NOT;
        inverse->children = key;
        *ret_key = inverse;
        return true;
    }
    return imap_scan_fail(search->scan, "Unknown search key");
}

static bool scan_one(struct search_scan *search, struct imap_search_key **ret_key)
{
    struct imap_scan *scan = search->scan;
    if (imap_scan_byte(scan, '('))
        return scan_all(search, ret_key) &&
               (imap_scan_byte(scan, ')') || imap_scan_fail(scan, "Expected ) after the search keys"));
    struct imap_search_key *key = new_key(search);
    if (key == NULL)
        return false;
    bool is_set = !imap_scan_at_end(scan) &&
                  (ascii_is_digit(scan->rest.at[0]) || scan->rest.at[0] == '*' || scan->rest.at[0] == '$');
    if (!is_set)
        return scan_named(search, key, ret_key);
    key->kind = IMAP_KEY_SET;
    *ret_key = key;
    return imap_scan_set(scan, &key->set);
}

/* The recursion of NOT, OR and parentheses ends at a fixed depth, so that no command can use up the stack. */
static bool scan_key(struct search_scan *search, struct imap_search_key **ret_key)
{
    if (search->depth >= IMAP_SEARCH_DEPTH_MAX)
        return imap_scan_fail(search->scan, "Search keys nested too deep");
    search->depth++;
    bool well = scan_one(search, ret_key);
    search->depth--;
    return well;
}

/* Return options that have something behind them: PARTIAL is RFC 9394 §3.1, UPDATE RFC 5267 §4.3 and RFC 5465 §7. */
static bool scan_return_more(struct imap_scan *scan, struct imap_command *command)
{
    unsigned *returns = &command->search.returns;
    if (imap_scan_word(scan, "PARTIAL") && (*returns & IMAP_RETURN_PARTIAL) == 0) {
        *returns |= IMAP_RETURN_PARTIAL;
        return imap_scan_space(scan) && imap_scan_partial(scan, &command->search.partial);
    }
    if (imap_scan_word(scan, "UPDATE") && (*returns & IMAP_RETURN_UPDATE) == 0) {
        *returns |= IMAP_RETURN_UPDATE;
        (void)imap_scan_byte(scan, ' ');
        return !imap_scan_peek(scan, '(') || imap_scan_fetch_list(scan, &command->search.update);
    }
    return imap_scan_fail(scan, "Unknown SEARCH return option");
}

/* RFC 4731 §3.1: RETURN (MIN MAX ALL COUNT); "()" stands for ALL. SAVE is RFC 5182 §2.1, CONTEXT RFC 5267 §4.2,
 * RELEVANCY RFC 6203 §4. */
static bool scan_returns(struct imap_scan *scan, struct imap_command *command)
{
    static const struct imap_option names[] = {{"MIN", IMAP_RETURN_MIN},
                                               {"MAX", IMAP_RETURN_MAX},
                                               {"ALL", IMAP_RETURN_ALL},
                                               {"COUNT", IMAP_RETURN_COUNT},
                                               {"SAVE", IMAP_RETURN_SAVE},
                                               {"CONTEXT", IMAP_RETURN_CONTEXT},
                                               {"RELEVANCY", IMAP_RETURN_RELEVANCY}};
    unsigned *returns = &command->search.returns;
    *returns = IMAP_RETURN_EXTENDED;
    if (!imap_scan_space(scan) || !imap_scan_byte(scan, '('))
        return imap_scan_fail(scan, "Expected ( after RETURN");
    while (!imap_scan_byte(scan, ')')) {
        size_t found = 0;
        while (found < COUNT_OF(names) && !imap_scan_word(scan, names[found].name))
            found++;
        if (found < COUNT_OF(names))
            *returns |= names[found].bit;
        else if (!scan_return_more(scan, command))
            return false;
        (void)imap_scan_byte(scan, ' ');
    }
    if ((*returns & IMAP_RETURN_ALL) != 0 && (*returns & IMAP_RETURN_PARTIAL) != 0)
        return imap_scan_fail(scan, "ALL and PARTIAL exclude each other"); /* RFC 9394 §3.1 */
    if (*returns == IMAP_RETURN_EXTENDED)
        *returns |= IMAP_RETURN_ALL;
    return true;
}

/* RFC 6203 §4, §5. */
static bool check_relevancy(struct imap_scan *scan, const struct imap_command *command)
{
    bool asks = (command->search.returns & IMAP_RETURN_RELEVANCY) != 0;
    for (size_t i = 0; i < command->search.order_count; i++)
        asks |= command->search.order[i].field == IMAP_SORT_RELEVANCY;
    return !asks || command->search.is_fuzzy || imap_scan_fail(scan, "RELEVANCY needs a FUZZY search key");
}

bool imap_scan_returns(struct imap_scan *scan, struct imap_command *command)
{
    return !imap_scan_word(scan, "RETURN") || (scan_returns(scan, command) && imap_scan_space(scan));
}

bool imap_scan_search_keys(struct imap_scan *scan, struct imap_command *command)
{
    struct search_scan search = {.scan = scan, .command = command};
    return scan_all(&search, &command->search.keys) && imap_scan_end(scan) && check_relevancy(scan, command);
}

bool imap_parse_search(struct imap_scan *scan, struct imap_command *command)
{
    if (!imap_scan_space(scan) || !imap_scan_returns(scan, command))
        return false;
    if (imap_scan_word(scan, "CHARSET")) {
        if (!imap_scan_space(scan) || !imap_scan_astring(scan, &command->search.charset) || !imap_scan_space(scan))
            return false;
    }
    return imap_scan_search_keys(scan, command);
}

/* As deep as the grammar allows. */
bool imap_keys_have_numbers(const struct imap_search_key *keys)
{
    for (; keys != NULL; keys = keys->next)
        if ((keys->kind == IMAP_KEY_SET && !keys->set.saved) || imap_keys_have_numbers(keys->children))
            return true;
    return false;
}
