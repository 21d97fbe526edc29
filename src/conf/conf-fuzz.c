#include "conf/conf.h"

#include <errno.h>

/* Any bytes at all as a settings file: parsed or refused, and what was parsed can be explained. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_error error;
    AUTO(conf) struct conf *conf = NULL;
    if (conf_parse(span_of(data, size), "fuzz", &conf, &error) < 0)
        return 0;
    AUTO_BUF struct buf text;
    buf_init(&text, (size_t)1024 * 1024);
    if (conf_explain(conf, NULL, &text) == -ENOENT)
        __builtin_trap();
    return 0;
}
