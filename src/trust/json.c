#include "trust/json.h"

static bool is_shallow(span_t json, size_t depth_max)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t at = 0; at < json.len; at++) {
        uint8_t byte = json.at[at];
        if (in_text) {
            at += byte == '\\' ? 1 : 0;
            in_text = byte != '"';
        } else if (byte == '"') {
            in_text = true;
        } else if (byte == '[' || byte == '{') {
            if (++depth > depth_max)
                return false;
        } else if (byte == ']' || byte == '}') {
            depth -= depth > 0 ? 1 : 0;
        }
    }
    return true;
}

json_t *json_read(span_t text, size_t size_max, size_t depth_max)
{
    if (text.len > size_max || !is_shallow(text, depth_max))
        return NULL;
    return json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
}
