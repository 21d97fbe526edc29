#include <errno.h>
#include <stdlib.h>

#include "base/order.h"
#include "role/session/imap/sort.h"

/*
 * Every column becomes one of numbers: dates and sizes are, texts get their ranks. Then rows are ordered by one column
 * after the other, the last one first, as rows that are equal stay in the order they have.
 */
#define NUMBER_SIGN (UINT64_C(1) << 63)
#define PREFIX_LEN 8U

/* --- values --- */

static const struct {
    bool is_text;
    enum sort_text text;
} fields[] = {
    [IMAP_SORT_ARRIVAL] = {false, 0},
    [IMAP_SORT_CC] = {true, SORT_TEXT_CC},
    [IMAP_SORT_DATE] = {false, 0},
    [IMAP_SORT_DISPLAYFROM] = {true, SORT_TEXT_DISPLAYFROM},
    [IMAP_SORT_DISPLAYTO] = {true, SORT_TEXT_DISPLAYTO},
    [IMAP_SORT_FROM] = {true, SORT_TEXT_FROM},
    [IMAP_SORT_RELEVANCY] = {false, 0},
    [IMAP_SORT_SIZE] = {false, 0},
    [IMAP_SORT_SUBJECT] = {true, SORT_TEXT_SUBJECT},
    [IMAP_SORT_TO] = {true, SORT_TEXT_TO},
};

/* So that comparing what has no sign gives the same order. */
static uint64_t ordinal(int64_t number)
{
    return (uint64_t)number ^ NUMBER_SIGN;
}

static int on_key(void *arg, size_t row, const struct sort_key *key)
{
    struct sort_columns *columns = arg;
    for (size_t i = 0; i < columns->count; i++) {
        struct sort_column *column = &columns->columns[i];
        if (column->field == IMAP_SORT_DATE)
            column->numbers[row] = ordinal(sort_date(&columns->table->rows[row], key));
        if (column->texts == NULL)
            continue;
        int result = arena_copy(columns->table->arena, key->texts[fields[column->field].text], &column->texts[row]);
        if (result < 0)
            return result;
    }
    return 0;
}

static int64_t number_of(const struct sort_row *row, enum imap_sort_field field)
{
    return field == IMAP_SORT_SIZE        ? (int64_t)row->size
           : field == IMAP_SORT_RELEVANCY ? -(int64_t)row->score /* RFC 6203 §5: the most relevant first */
                                          : row->received;
}

static bool needs_key(enum imap_sort_field field)
{
    return fields[field].is_text || field == IMAP_SORT_DATE;
}

static int make_column(const struct sort_table *table, const struct imap_sort_key *key, struct sort_column *column)
{
    *column = (struct sort_column){.field = key->field, .reverse = key->reverse};
    column->numbers = arena_alloc_array(table->arena, table->count + 1, sizeof(*column->numbers));
    if (fields[key->field].is_text)
        column->texts = arena_alloc_array(table->arena, table->count + 1, sizeof(*column->texts));
    if (column->numbers == NULL || (fields[key->field].is_text && column->texts == NULL))
        return -ENOMEM;
    for (size_t i = 0; !needs_key(column->field) && i < table->count; i++)
        column->numbers[i] = ordinal(number_of(&table->rows[i], column->field));
    return 0;
}

int sort_columns_read(struct task *task, struct run *run, const struct sort_table *table,
                      const struct imap_sort_key *order, size_t count, struct sort_columns *ret_columns)
{
    struct sort_columns columns = {.table = table, .count = count};
    columns.columns = arena_alloc_array(table->arena, count + 1, sizeof(*columns.columns));
    bool needs_keys = false;
    int result = columns.columns == NULL ? -ENOMEM : 0;
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = make_column(table, &order[i], &columns.columns[i]);
        needs_keys = needs_keys || needs_key(order[i].field);
    }
    if (result == 0 && needs_keys)
        result = sort_table_keys(task, run, table, on_key, &columns);
    if (result == 0)
        *ret_columns = columns;
    return result;
}

/* --- texts to numbers --- */

/* The first bytes, so that most texts are told apart without looking at them. */
static uint64_t prefix_of(span_t text)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < PREFIX_LEN; i++)
        prefix = prefix << 8 | (i < text.len ? text.at[i] : 0);
    return prefix;
}

static int compare_texts(const void *one, const void *other, void *arg)
{
    const span_t *texts = arg;
    return span_compare(texts[((const struct order_row *)one)->place], texts[((const struct order_row *)other)->place]);
}

static void rank_texts(struct sort_column *column, struct order_row *rows, struct order_row *room, size_t count)
{
    uint64_t rank = 0;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct order_row){prefix_of(column->texts[i]), (uint32_t)i};
    order_rows(rows, room, count);
    for (size_t first = 0, end = 0; first < count; first = end) {
        for (end = first + 1; end < count && rows[end].number == rows[first].number;)
            end++;
        if (end - first > 1)
            qsort_r(rows + first, end - first, sizeof(*rows), compare_texts, column->texts);
    }
    for (size_t i = 0; i < count; i++) {
        rank += i > 0 && !span_equal(column->texts[rows[i - 1].place], column->texts[rows[i].place]);
        column->numbers[rows[i].place] = rank;
    }
}

/* --- order --- */

static void order_by(const struct sort_column *column, uint32_t *places, struct order_row *rows, struct order_row *room,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = column->numbers[places[i]];
        rows[i] = (struct order_row){column->reverse ? ~number : number, places[i]};
    }
    order_rows(rows, room, count);
    for (size_t i = 0; i < count; i++)
        places[i] = rows[i].place;
}

int sort_columns_order(struct task *task, const struct sort_columns *columns, uint32_t **ret_places)
{
    const struct sort_table *table = columns->table;
    uint32_t *places = arena_alloc_array(table->arena, table->count + 1, sizeof(*places));
    struct order_row *rows = arena_alloc_array(table->arena, table->count + 1, sizeof(*rows));
    struct order_row *room = arena_alloc_array(table->arena, table->count + 1, sizeof(*room));
    if (places == NULL || rows == NULL || room == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        places[i] = (uint32_t)i;
    for (size_t at = columns->count; at-- > 0;) {
        struct sort_column *column = &columns->columns[at];
        if (column->texts != NULL)
            rank_texts(column, rows, room, table->count);
        order_by(column, places, rows, room, table->count);
        int result = task_yield(task);
        if (result < 0)
            return result;
    }
    *ret_places = places;
    return 0;
}

int sort_found(struct task *task, struct run *run, const struct search_found *found, uint32_t *uids, size_t *ret_count)
{
    const struct imap_command *command = run->command;
    struct sort_table table;
    struct sort_columns columns;
    uint32_t *places = NULL;
    int result = sort_table_fill(task, run, found, &table);
    if (result == 0)
        result = sort_columns_read(task, run, &table, command->search.order, command->search.order_count, &columns);
    if (result == 0)
        result = sort_columns_order(task, &columns, &places);
    for (size_t i = 0; result == 0 && i < table.count; i++)
        uids[i] = table.rows[places[i]].uid;
    if (result == 0)
        *ret_count = table.count;
    sort_table_free(&table);
    return result;
}
