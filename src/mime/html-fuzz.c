#include <assert.h>

#include "mime/html.h"
#include "mime/term.h"
#include "mime/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf text;
    AUTO_BUF struct buf folded;
    buf_init(&text, size * 16 + 256);
    buf_init(&folded, size * 512 + 1024);
    if (mime_html_text(span_of(data, size), &text) < 0)
        return 0;
    int result = mime_text_fold(buf_span(&text), &folded);
    assert(result == 0);
    struct mime_terms terms;
    struct mime_term term;
    mime_terms_init(&terms, buf_span(&folded));
    size_t count = 0;
    while (mime_terms_next(&terms, &term)) {
        assert(term.text.len > 0 && term.text.len <= MIME_TERM_MAX);
        assert(term.text.at >= buf_span(&folded).at);
        assert(term.text.at + term.text.len <= buf_span(&folded).at + buf_len(&folded));
        count++;
    }
    assert(count <= buf_len(&folded));
    return 0;
}
