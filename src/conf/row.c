#include "conf/row.h"

#define AT(section, name) offsetof(struct conf, section##_##name)

const struct conf_row conf_rows[] = {
#define TEXT(section, name, default_, sentence)                                                                        \
    {#section, #name, CONF_TEXT, AT(section, name), default_, NULL, 0, 0, 0, sentence},
#define CHOICE(section, name, default_, allowed, sentence)                                                             \
    {#section, #name, CONF_CHOICE, AT(section, name), default_, allowed, 0, 0, 0, sentence},
#define NUMBER(section, name, default_, min, max, sentence)                                                            \
    {#section, #name, CONF_NUMBER, AT(section, name), NULL, NULL, default_, min, max, sentence},
#define SIZE(section, name, default_, min, max, sentence)                                                              \
    {#section, #name, CONF_SIZE, AT(section, name), NULL, NULL, default_, min, max, sentence},
#define SECONDS(section, name, default_, min, max, sentence)                                                           \
    {#section, #name, CONF_SECONDS, AT(section, name), NULL, NULL, default_, min, max, sentence},
#include "conf/settings.def"
#undef TEXT
#undef CHOICE
#undef NUMBER
#undef SIZE
#undef SECONDS
};

const size_t conf_row_count = COUNT_OF(conf_rows);

bool conf_row_is_fixed(const struct conf_row *row)
{
    static const size_t fixed[] = {
#define TEXT(section, name, default_, sentence)
#define CHOICE(section, name, default_, allowed, sentence)
#define NUMBER(section, name, default_, min, max, sentence)
#define SIZE(section, name, default_, min, max, sentence)
#define SECONDS(section, name, default_, min, max, sentence)
#define AT_START(section, name) AT(section, name),
#include "conf/settings.def"
    };
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (fixed[i] == row->offset)
            return true;
    }
    return false;
}

char **conf_text_at(struct conf *conf, const struct conf_row *row)
{
    return (char **)(void *)((char *)conf + row->offset);
}

uint64_t *conf_number_at(struct conf *conf, const struct conf_row *row)
{
    return (uint64_t *)(void *)((char *)conf + row->offset);
}
