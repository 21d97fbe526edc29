#include "base/test.h"

#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/manual.h"
#include "conf/row.h"

static int parse(const char *text, struct conf **ret_conf, struct conf_error *ret_error)
{
    return conf_parse(span_of_text(text), "waxwing.conf", ret_conf, ret_error);
}

static void nothing_set_gives_every_default(void **state)
{
    (void)state;
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    assert_int_equal(parse("", &conf, &error), 0);
    assert_int_equal(conf->smtp_message_max, 50 * 1024 * 1024);
    assert_int_equal(conf->smtp_recipients_max, 1000);
    assert_string_equal(conf->tls_minimum, "1.2");
    assert_string_equal(conf->filter_rspamd, "auto");
    assert_string_equal(conf->filter_clamd, "auto");
    assert_int_equal(conf->server_port_offset, CONF_BY_USER);
    assert_int_equal(error.text[0], 0);
}

static void settings_are_read_with_units_and_comments(void **state)
{
    (void)state;
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    assert_int_equal(parse("; one\n[smtp]\r\n message_max = 25 MiB \n# two\nline_max=2K\n[server]\nport_offset = 7\n"
                           "hostname = mx.example.org\n[imap]\nport = 0",
                           &conf, &error),
                     0);
    assert_int_equal(conf->smtp_message_max, 25 * 1024 * 1024);
    assert_int_equal(conf->smtp_line_max, 2048);
    assert_string_equal(conf->server_hostname, "mx.example.org");
    assert_int_equal(conf_port(conf, SERVICE_SMTP), 32);
    assert_int_equal(conf_port(conf, SERVICE_IMAP), 0);
    assert_int_equal(conf_port(conf, SERVICE_IMAP_TLS), 1000);
}

static const struct {
    const char *text;
    const char *place;
    const char *says;
} wrong[] = {
    {"[smtp]\n\nprot = 25\n", "waxwing.conf:3: ", "no setting prot in [smtp]"},
    {"[smpt]\nport = 25\n", "waxwing.conf:1: ", "no section"},
    {"port = 25\n", "waxwing.conf:1: ", "before the first"},
    {"[smtp]\nport 25\n", "waxwing.conf:2: ", "name = value"},
    {"[smtp]\nport = 70000\n", "waxwing.conf:2: ", "from 0 to 65535"},
    {"[smtp]\nport = 99999999999999999999999\n", "waxwing.conf:2: ", "from 0 to 65535"},
    {"[smtp]\nport = twenty\n", "waxwing.conf:2: ", "a number"},
    {"[smtp]\nport = -1\n", "waxwing.conf:2: ", "a number"},
    {"[smtp]\nport =\n", "waxwing.conf:2: ", "a number"},
    {"[smtp]\nport = 1K\n", "waxwing.conf:2: ", "a number"},
    {"[log]\nsegment_max = 18446744073709551615G\n", "waxwing.conf:2: ", "from 1048576"},
    {"[tls]\nminimum = 1.0\n", "waxwing.conf:2: ", "one of 1.2|1.3"},
    {"[tls]\nminimum = \n", "waxwing.conf:2: ", "one of 1.2|1.3"},
    {"[tls]\ncertificate = /x\n", "waxwing.conf:", "go together"},
    {"[reports]\naddress = a@b.test\n", "waxwing.conf:", "before the @"},
    {"[smtp\n", "waxwing.conf:1: ", "[name]"},
    {"[trust]\nlocal = 10.0.0.0/8, 10.0.0.300\n", "waxwing.conf:2: ", "cannot be 10.0.0.300: it wants networks"},
    {"[trust]\nlocal = 10.0.0.0/33\n", "waxwing.conf:2: ", "cannot be 10.0.0.0/33"},
    {"[trust]\nlocal = ::1 127.0.0.0/8\n", "waxwing.conf:2: ", "cannot be ::1 127.0.0.0/8"},
    {"[trust]\nlocal = fe80::/10/2\n", "waxwing.conf:2: ", "cannot be fe80::/10/2"},
    {"[filter]\nrspamd = https://127.0.0.1:11333\n", "waxwing.conf:2: ", "https is not spoken"},
    {"[filter]\nrspamd = 127.0.0.1:11333\n", "waxwing.conf:2: ", "a URL such as"},
    {"[filter]\nclamd = clamd.ctl\n", "waxwing.conf:2: ", "a socket's path"},
    {"[filter]\nclamd = 127.0.0.1:0\n", "waxwing.conf:2: ", "a socket's path"},
    {"[courier]\nroutes = example.org\n", "waxwing.conf:2: ", "cannot be example.org: it wants DOMAIN=HOST:PORT"},
    {"[courier]\nroutes = a.test=b.test, c.test=smtp://me@relay.test\n", "waxwing.conf:2: ", "cannot be relay.test:"},
    {"[courier]\nfallback = smtps://me:se%cret@relay.test\n",
     "waxwing.conf:2: ", "cannot be relay.test: it wants HOST"},
    {"[courier]\nfallback = https://relay.test\n", "waxwing.conf:2: ", "it wants HOST"},
    {"[dns]\nresolver = dns.example.org\n", "waxwing.conf:2: ", "system, recursive, or addresses"},
    {"[dns]\nresolver = 192.0.2.1, 192.0.2.2@0\n", "waxwing.conf:2: ", "cannot be 192.0.2.2@0"},
    {"[courier]\nrelay = smtp.example.org:99999\n", "waxwing.conf:2: ", "a port from 1 to 65535"},
    {"[courier]\nrelay = smtp://smtp.example.org\n", "waxwing.conf:2: ", "host, host:port"},
    {"[courier]\nrelay = [192.0.2.1\n", "waxwing.conf:2: ", "host, host:port"},
    {"[courier]\nsource = mail.example.org\n", "waxwing.conf:2: ", "addresses such as"},
    {"[reports]\nfrom = reports\n", "waxwing.conf:2: ", "name@domain"},
    {"[abuse]\noperator = @example.org\n", "waxwing.conf:2: ", "name@domain"},
    {"[server]\nhostname = a\033b\n", "waxwing.conf:2: ", "control character"},
};

static void networks_and_filters_are_read_in_every_form(void **state)
{
    static const char *const right[] = {
        "[trust]\nlocal = 10.0.0.0/8, ::1,fd00::/8 , 192.0.2.1\n[filter]\nrspamd = http://spam.example.org:11333/\n",
        "[trust]\nlocal =\n[filter]\nrspamd =\nclamd =\n",
        "[filter]\nrspamd = auto\nclamd = auto\n",
        "[dns]\nresolver = System\n[courier]\nrelay =\nsource =\n[reports]\nfrom =\n",
        "[dns]\nresolver = 192.0.2.1, ::1@5353\n[courier]\nrelay = smtp.example.org\nsource = 192.0.2.1, 2001:db8::1\n",
        "[courier]\nrelay = [2001:db8::1]:587\n[abuse]\noperator = me@example.org\n",
        "[courier]\nrelay = 2001:db8::1\n",
        "[courier]\nrelay = [192.0.2.1]\n",
        "[filter]\nrspamd = off\nclamd = 127.0.0.1:3310\n",
        "[filter]\nclamd = ::1:3310\n",
        "[filter]\nclamd = /run/clamav/clamd.ctl\n",
        "[courier]\nroutes = a.test=b.test, .c.test=[::1]:2525,d.test = smtps://me%40d.test:%2c%25@relay.test:4650\n",
        "[courier]\nroutes =\nfallback =\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        struct conf_error error;
        AUTO(conf) struct conf *conf = NULL;
        assert_int_equal(parse(right[i], &conf, &error), 0);
    }
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct conf_error error;
        struct conf *conf = NULL;
        assert_int_equal(parse(wrong[i].text, &conf, &error), -EINVAL);
        assert_null(conf);
        assert_memory_equal(error.text, wrong[i].place, strlen(wrong[i].place));
        assert_non_null(strstr(error.text, wrong[i].says));
    }
}

static void a_file_that_is_named_must_be_there(void **state)
{
    (void)state;
    struct conf_error error;
    struct conf *conf = NULL;
    assert_int_equal(conf_load("/nonexistent/waxwing.conf", &conf, &error), -ENOENT);
    assert_non_null(strstr(error.text, "/nonexistent/waxwing.conf"));
}

static void what_is_in_effect_is_filled_in(void **state)
{
    (void)state;
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    assert_int_equal(conf_load("/dev/null", &conf, &error), 0);
    assert_int_equal(conf->server_data[0], '/');
    assert_true(conf->server_hostname[0] != '\0');
    assert_int_equal(conf->server_port_offset, geteuid() == 0 ? 0 : 10000);
}

static void what_is_explained_can_be_read_again(void **state)
{
    (void)state;
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    AUTO(conf) struct conf *again = NULL;
    AUTO_BUF struct buf text;
    buf_init(&text, 65536);
    assert_int_equal(parse("[server]\nport_offset = 3\n[smtp]\nmessage_max = 1234567\n", &conf, &error), 0);
    assert_int_equal(conf_explain(conf, NULL, &text), 0);
    assert_int_equal(conf_parse(buf_span(&text), "again", &again, &error), 0);
    assert_int_equal(again->smtp_message_max, 1234567);
    assert_int_equal(again->log_segment_max, conf->log_segment_max);
}

static void no_password_is_shown(void **state)
{
    (void)state;
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    AUTO_BUF struct buf text;
    buf_init(&text, 65536);
    assert_int_equal(parse("[courier]\nrelay_password = hunter2\nroutes = a.test=smtp://me:hunter2@b.test\n"
                           "[filter]\nrspamd_password = hunter2\n",
                           &conf, &error),
                     0);
    assert_int_equal(conf_explain(conf, NULL, &text), 0);
    assert_true(span_find(buf_span(&text), SPAN("hunter2")) == buf_len(&text));
    assert_true(span_find(buf_span(&text), SPAN("# relay_password is set")) < buf_len(&text));
}

static void one_setting_can_be_asked_for(void **state)
{
    (void)state;
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    AUTO_BUF struct buf text;
    buf_init(&text, 65536);
    assert_int_equal(parse("", &conf, &error), 0);
    assert_int_equal(conf_explain(conf, "smtp.message_max", &text), 0);
    assert_true(span_find(buf_span(&text), SPAN("message_max = 50M\n")) < buf_len(&text));
    assert_true(span_find(buf_span(&text), SPAN("recipients_max")) == buf_len(&text));
    assert_int_equal(conf_explain(conf, "smtp.prot", &text), -ENOENT);
    assert_int_equal(conf_explain(conf, "", &text), -ENOENT);
}

static void words_of_a_list_come_one_by_one(void **state)
{
    (void)state;
    span_t rest = SPAN(" 127.0.0.1, ,::1,");
    span_t word;
    assert_true(conf_next_word(&rest, &word));
    assert_true(span_equal(word, SPAN("127.0.0.1")));
    assert_true(conf_next_word(&rest, &word));
    assert_true(span_equal(word, SPAN("::1")));
    assert_false(conf_next_word(&rest, &word));
}

static void options_stand_before_the_command(void **state)
{
    (void)state;
    char *words[] = {(char[]){"waxwing"}, (char[]){"-c"}, (char[]){"file"}, (char[]){"status"}, NULL};
    const char *path = NULL;
    int first = 0;
    assert_int_equal(conf_options(4, words, &path, &first), 0);
    assert_string_equal(path, "file");
    assert_int_equal(first, 3);
    assert_int_equal(conf_options(2, words, &path, &first), -EINVAL);
}

static void what_waits_for_a_restart_is_told_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name; /* NULL: a reload takes it over */
    } rows[] = {
        {"[smtp]\nmessage_max = 1M\n", NULL},
        {"[server]\nhostname = other.test\n", NULL},
        {"[imap]\ntls_port = 1993\n", "tls_port"},
        {"[server]\nlisten = 127.0.0.1\n", "listen"},
        {"[log]\nsync = 5\n", "sync"},
    };
    struct conf_error error;
    AUTO(conf) struct conf *before = NULL;
    assert_int_equal(conf_parse(SPAN(""), "x", &before, &error), 0);
    for (size_t at = 0; at < COUNT_OF(rows); at++) {
        const char *section = NULL;
        const char *name = NULL;
        AUTO(conf) struct conf *after = NULL;
        assert_int_equal(conf_parse(span_of_text(rows[at].text), "x", &after, &error), 0);
        assert_int_equal(conf_fixed_differs(before, after, &section, &name), rows[at].name != NULL);
        if (rows[at].name != NULL)
            assert_string_equal(name, rows[at].name);
    }
}

static void the_manual_has_every_setting_and_escapes_its_words(void **state)
{
    (void)state;
    AUTO_BUF struct buf text;
    buf_init(&text, 65536);
    assert_int_equal(manual_settings(&text), 0);
    for (size_t at = 0; at < conf_row_count; at++) {
        char entry[128];
        (void)snprintf(entry, sizeof(entry), ".TP\n\\fB%s\\fR\n", conf_rows[at].name);
        assert_true(span_find(buf_span(&text), span_of_text(entry)) < buf_len(&text));
    }
    buf_clear(&text);
    manual_entry(&text, ".a-b", "[-c]", "'tis a \\");
    assert_true(span_equal(buf_span(&text), SPAN(".TP\n\\fB\\&.a\\-b\\fR [\\-c]\n\\&'tis a \\\\\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_set_gives_every_default),
        cmocka_unit_test(settings_are_read_with_units_and_comments),
        cmocka_unit_test(networks_and_filters_are_read_in_every_form),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(a_file_that_is_named_must_be_there),
        cmocka_unit_test(what_is_in_effect_is_filled_in),
        cmocka_unit_test(what_is_explained_can_be_read_again),
        cmocka_unit_test(no_password_is_shown),
        cmocka_unit_test(one_setting_can_be_asked_for),
        cmocka_unit_test(words_of_a_list_come_one_by_one),
        cmocka_unit_test(options_stand_before_the_command),
        cmocka_unit_test(what_waits_for_a_restart_is_told_by_name),
        cmocka_unit_test(the_manual_has_every_setting_and_escapes_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
