#include "proto/pop3/engine.h"

static void write_listed(const struct pop3_engine *engine, const struct pop3_entry *entry, struct buf *out)
{
    const struct pop3_maildrop *maildrop = engine->maildrop;
    size_t number = (size_t)(entry - maildrop->entries) + 1;
    if (engine->is_uidl) /* RFC 1939 §7: stays with the message, and is never another one's */
        buf_append_format(out, "%zu %u.%u\r\n", number, maildrop->uidvalidity, entry->uid);
    else
        buf_append_format(out, "%zu %llu\r\n", number, (unsigned long long)entry->size);
}

enum pop3_step pop3_engine_more(struct pop3_engine *engine, struct buf *out)
{
    const struct pop3_maildrop *maildrop = engine->maildrop;
    while (engine->at < maildrop->count) {
        if (buf_len(out) >= POP3_ENGINE_PIECE)
            return POP3_STEP_MORE;
        const struct pop3_entry *entry = pop3_maildrop_find(maildrop, ++engine->at);
        if (entry != NULL)
            write_listed(engine, entry, out);
    }
    buf_append(out, SPAN(".\r\n"));
    return POP3_STEP_DONE;
}

static void write_state(const struct pop3_maildrop *maildrop, struct buf *out)
{
    buf_append_format(out, "%zu messages (%llu octets)\r\n", maildrop->count - maildrop->deleted,
                      (unsigned long long)maildrop->octets);
}

static enum pop3_step refuse_number(struct buf *out)
{
    pop3_write_err(out, "No such message");
    return POP3_STEP_DONE;
}

static enum pop3_step on_capa(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    (void)command;
    pop3_write_capabilities(out, engine->mode);
    return POP3_STEP_DONE;
}

static enum pop3_step on_lang(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    (void)engine;
    pop3_write_language(out, command->text);
    return POP3_STEP_DONE;
}

static enum pop3_step on_stat(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    const struct pop3_maildrop *maildrop = engine->maildrop;
    (void)command;
    buf_append_format(out, "+OK %zu %llu\r\n", maildrop->count - maildrop->deleted,
                      (unsigned long long)maildrop->octets);
    return POP3_STEP_DONE;
}

static enum pop3_step on_list(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    engine->is_uidl = command->verb == POP3_UIDL;
    if (!command->has_number) {
        engine->at = 0;
        buf_append_text(out, "+OK ");
        write_state(engine->maildrop, out);
        return pop3_engine_more(engine, out);
    }
    const struct pop3_entry *entry = pop3_maildrop_find(engine->maildrop, command->number);
    if (entry == NULL)
        return refuse_number(out);
    buf_append_text(out, "+OK ");
    write_listed(engine, entry, out);
    return POP3_STEP_DONE;
}

static enum pop3_step on_retr(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    engine->entry = pop3_maildrop_find(engine->maildrop, command->number);
    engine->lines = command->verb != POP3_TOP          ? POP3_LINES_ALL
                    : command->lines == POP3_LINES_ALL ? POP3_LINES_ALL - 1 /* a TOP all the same */
                                                       : command->lines;
    return engine->entry == NULL ? refuse_number(out) : POP3_STEP_SEND;
}

static enum pop3_step on_dele(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    struct pop3_entry *entry = pop3_maildrop_find(engine->maildrop, command->number);
    if (entry == NULL)
        return refuse_number(out);
    pop3_maildrop_delete(engine->maildrop, entry);
    pop3_write_ok(out, "Will be deleted at QUIT");
    return POP3_STEP_DONE;
}

static enum pop3_step on_noop(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    (void)engine;
    (void)command;
    pop3_write_ok(out, "Done");
    return POP3_STEP_DONE;
}

static enum pop3_step on_rset(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    (void)command;
    pop3_maildrop_reset(engine->maildrop);
    buf_append_text(out, "+OK ");
    write_state(engine->maildrop, out);
    return POP3_STEP_DONE;
}

static enum pop3_step on_quit(struct pop3_engine *engine, const struct pop3_command *command, struct buf *out)
{
    (void)engine;
    (void)command;
    (void)out;
    return POP3_STEP_UPDATE;
}

/* What the grammar lets through in this state. */
static enum pop3_step (*const handlers[POP3_VERB_COUNT])(struct pop3_engine *, const struct pop3_command *,
                                                         struct buf *) = {
    [POP3_CAPA] = on_capa, [POP3_DELE] = on_dele, [POP3_LANG] = on_lang, [POP3_LIST] = on_list,
    [POP3_NOOP] = on_noop, [POP3_QUIT] = on_quit, [POP3_RETR] = on_retr, [POP3_RSET] = on_rset,
    [POP3_STAT] = on_stat, [POP3_TOP] = on_retr,  [POP3_UIDL] = on_list,
};

void pop3_engine_greet(const struct pop3_engine *engine, struct buf *out)
{
    buf_append_text(out, "+OK Logged in, ");
    write_state(engine->maildrop, out);
}

enum pop3_step pop3_engine_line(struct pop3_engine *engine, span_t line, struct buf *out)
{
    static const char *const refusals[] = {
        [POP3_PARSE_UNKNOWN] = "There is no such command",
        [POP3_PARSE_STATE] = "Not after login",
        [POP3_PARSE_ARGUMENT] = "Not with these arguments",
    };
    struct pop3_command command;
    enum pop3_parse parsed = pop3_command_parse(line, POP3_TRANSACTION, &command);
    if (parsed == POP3_PARSE_OK) {
        engine->bad = 0;
        return handlers[command.verb](engine, &command, out);
    }
    engine->bad++;
    pop3_write_err(out, refusals[parsed]);
    return POP3_STEP_DONE;
}
