#include "role/courier/notice.h"

#include "mime/date.h"

static void add_header(const struct notice *notice, struct buf *text)
{
    const struct mime_date date = {.unix_time = notice->now};
    buf_append_format(text,
                      "From: Mail Delivery <postmaster@%.*s>\r\nTo: <%.*s>\r\nSubject: ", SPAN_PRINT(notice->hostname),
                      SPAN_PRINT(notice->to));
    if (notice->reader == NOTICE_OWNER)
        buf_append_text(text, "Your mail to others is held back");
    else
        buf_append_format(text, "The mail of %.*s is held back", SPAN_PRINT(notice->account));
    buf_append_text(text, "\r\nDate: ");
    (void)!mime_date_format(&date, text); /* the buffer remembers the fault */
    buf_append_format(text,
                      "\r\nMessage-ID: <%016llx.notice@%.*s>\r\nAuto-Submitted: auto-generated\r\n"
                      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 8bit\r\n\r\nThis is the mail server %.*s.\r\n\r\n",
                      (unsigned long long)notice->id, SPAN_PRINT(notice->hostname), SPAN_PRINT(notice->hostname));
}

static void add_what_was_seen(const struct notice *notice, struct buf *text)
{
    static const char *const words[HOLD_WHY_COUNT] = {
        [HOLD_BY_OPERATOR] = "the operator wanted it so, after mail went to",
        [HOLD_STRANGERS] = ("within a day, mail from this account went to people that it had\r\n"
                            "never written to before:"),
        [HOLD_BOUNCES] = "within a day, other servers refused many recipients of mail from\r\nthis account:",
    };
    buf_append_format(text, "What was seen: %s\r\n%llu of them. On other days there are about %llu.\r\n\r\n",
                      words[notice->why], (unsigned long long)notice->seen, (unsigned long long)notice->usual);
}

static void add_for_owner(const struct notice *notice, struct buf *text)
{
    buf_append_format(text,
                      "Mail that your account %.*s sends to other servers is\r\n"
                      "held back: it is taken and kept, but does not go out for now. Mail to you\r\n"
                      "comes in as always.\r\n\r\n",
                      SPAN_PRINT(notice->account));
    add_what_was_seen(notice, text);
    buf_append_format(text,
                      "If that was you (an invitation, a newsletter), all is well: ask the operator,\r\n"
                      "postmaster@%.*s, to have it sent.\r\n\r\n"
                      "If it was not you, somebody else knows your password or that of one of your\r\n"
                      "programs:\r\n\r\n"
                      "  - change your password, and take away every app password you do not need,\r\n"
                      "    or ask the operator to do it for you;\r\n"
                      "  - use the old password nowhere else any more;\r\n"
                      "  - tell the operator, who can throw away what was not written by you.\r\n",
                      SPAN_PRINT(notice->hostname));
}

static void add_for_operator(const struct notice *notice, struct buf *text)
{
    buf_append_format(text, "The mail of %.*s to other servers is held back.\r\nIts owner has been told.\r\n\r\n",
                      SPAN_PRINT(notice->account));
    add_what_was_seen(notice, text);
    buf_append_format(text,
                      "Ask the owner, but not by mail to that account alone: who has its password\r\n"
                      "reads that, too.\r\n\r\n"
                      "  waxwing queue list                       what is held\r\n"
                      "  waxwing queue release --account %.*s\r\n"
                      "      it was the owner: all of it is sent, and twice as much is as usual\r\n"
                      "  waxwing queue remove --account %.*s\r\n"
                      "      it was not: all of it is thrown away; the account stays held until it\r\n"
                      "      is released, so first change its password (waxwing account passwd) and\r\n"
                      "      take away its app passwords (waxwing app-password list, remove)\r\n",
                      SPAN_PRINT(notice->account), SPAN_PRINT(notice->account));
}

int notice_write(const struct notice *notice, struct buf *text)
{
    add_header(notice, text);
    if (notice->reader == NOTICE_OWNER)
        add_for_owner(notice, text);
    else
        add_for_operator(notice, text);
    return buf_fault(text);
}
