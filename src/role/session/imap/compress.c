#include "proto/imap/deflate.h"
#include "role/session/imap/imap.h"

/* RFC 4978 §3. It begins behind the tagged OK, so what has come before that cannot have been meant compressed. */
int imap_do_compress(struct task *task, struct run *run)
{
    (void)task;
    struct client *client = run->client;
    if (!span_equal_nocase(run->command->compress.algorithm, SPAN("DEFLATE")))
        return run_bad(run, "DEFLATE is the only algorithm");
    if (client->deflate != NULL)
        return run_no(run, "[COMPRESSIONACTIVE] DEFLATE is active");
    if (client->followed)
        return run_bad(run, "Nothing may follow COMPRESS before its answer");
    int result = imap_deflate_new(&client->deflate_next);
    return result < 0 ? result : run_ok(run, "DEFLATE from here on");
}
