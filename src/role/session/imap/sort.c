#include "role/session/imap/sort.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "role/session/imap/context.h"

/* SORT and, with RETURN, what answers ESEARCH (RFC 5256 §3, RFC 5267 §3.1). */

static int answer(struct task *task, struct run *run, const struct sort_table *table, uint64_t modseq)
{
    AUTO_FREE uint32_t *numbers = mem_new_array(table->count + 1, sizeof(*numbers));
    if (numbers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        numbers[i] = table->entries[i].uid;
    int result = search_save(run, numbers, table->count);
    if (result == 0 && (run->command->search.returns & IMAP_RETURN_UPDATE) != 0)
        result = context_add(run, numbers, table->count);
    if (result < 0)
        return result;
    search_number(run, numbers, table->count);
    if (run->command->search.returns != 0) {
        search_write_extended(run, numbers, table->count, modseq);
        return run_ok(run, "Sorted");
    }
    buf_append_text(&run->client->out, "* SORT");
    result = search_write_numbers(task, run, numbers, table->count);
    if (run->command->search.modseq && table->count > 0)
        buf_append_format(&run->client->out, " (MODSEQ %llu)", (unsigned long long)modseq);
    buf_append_text(&run->client->out, "\r\n");
    return result < 0 ? result : run_ok(run, "Sorted");
}

int imap_do_sort(struct task *task, struct run *run)
{
    struct search_found found = {0};
    if (context_is_under(run->client, run->command->tag))
        return run_bad(run, "That tag is in use for updates"); /* RFC 5267 §4.3 */
    int result = search_run(task, run, &found);
    if (result != 0)
        return result < 0 ? result : search_refuse(run, result);
    struct sort_table table = {.order = run->command->search.order, .order_count = run->command->search.order_count};
    result = sort_table_fill(task, run, &found, &table);
    free(found.uids);
    if (result == 0) {
        sort_table_order(&table);
        result = answer(task, run, &table, found.modseq);
    }
    sort_table_free(&table);
    return result;
}
