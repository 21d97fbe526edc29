#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Letters as people write them, more or less: words of a made-up language by Zipf's law, a fourth of them answers to
 * earlier ones, a fourth with an HTML part. The same COUNT gives the same letters. Every thousandth has the word
 * "zebrafish" in it, and nearly every one the word "the".
 *
 *   letters FOLDER COUNT
 *
 * writes FOLDER/000000, FOLDER/000001 …, with CRLF.
 */
#define WORDS 50000
#define LETTER_MAX 16384

struct letter {
    char text[LETTER_MAX];
    size_t len;
};

static char words[WORDS][16];
static double chances[WORDS]; /* that a word is this one or one before it */
static unsigned long long state = 42;

static unsigned roll(unsigned below)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)((state >> 33) % below);
}

static void make_words(void)
{
    double sum = 0;
    for (int i = 0; i < WORDS; i++) {
        int syllables = 1 + (int)roll(4);
        size_t at = 0;
        for (int s = 0; s < syllables; s++) {
            words[i][at++] = "bcdfghklmnprstvwz"[roll(17)];
            words[i][at++] = "aeiou"[roll(5)];
            if (roll(3) == 0)
                words[i][at++] = "nrslt"[roll(5)];
        }
        sum += 1.0 / (i + 4);
        chances[i] = sum;
    }
    memcpy(words[0], "the", 4);
}

static const char *word(void)
{
    double at = chances[WORDS - 1] * roll(1U << 30) / (1U << 30);
    int low = 0;
    int high = WORDS - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (chances[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return words[low];
}

static void put(struct letter *letter, const char *text)
{
    size_t len = strlen(text);
    if (letter->len + len < LETTER_MAX) {
        memcpy(letter->text + letter->len, text, len);
        letter->len += len;
    }
}

static void put_words(struct letter *letter, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        put(letter, i == 0 ? "" : i % 11 == 10 ? "\r\n" : " ");
        put(letter, word());
        put(letter, roll(12) == 0 ? "." : "");
    }
}

static void put_head(struct letter *letter, unsigned number)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    char line[256];
    unsigned who = roll(500);
    (void)snprintf(line, sizeof(line), "From: %s %s <person%u@firm%u.example>\r\n", words[100 + who], words[700 + who],
                   who, who % 40);
    put(letter, line);
    (void)snprintf(line, sizeof(line), "To: User <user0@demo.test>\r\nDate: %s, %u Nov 2025 %02u:%02u:%02u +0000\r\n",
                   days[number % 7], 3 + number % 7, number / 3600 % 24, number / 60 % 60, number % 60);
    put(letter, line);
    (void)snprintf(line, sizeof(line), "Message-ID: <letter.%u@firm.example>\r\n", number);
    put(letter, line);
    if (number > 10 && roll(4) == 0) {
        unsigned parent = number - 1 - roll(10);
        (void)snprintf(line, sizeof(line),
                       "In-Reply-To: <letter.%u@firm.example>\r\nReferences: <letter.%u@firm.example>\r\n", parent,
                       parent);
        put(letter, line);
    }
    put(letter, "Subject: ");
    unsigned count = 2 + roll(6);
    for (unsigned i = 0; i < count; i++) {
        put(letter, i == 0 ? "" : " ");
        put(letter, word());
    }
    put(letter, "\r\nMIME-Version: 1.0\r\n");
}

static void put_body(struct letter *letter, unsigned number)
{
    unsigned count = 60 + roll(300);
    bool both = roll(4) == 0;
    put(letter, both ? "Content-Type: multipart/alternative; boundary=\"=_part\"\r\n\r\n--=_part\r\n" : "");
    put(letter, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    put_words(letter, count);
    put(letter, number % 1000 == 7 ? " zebrafish\r\n" : "\r\n");
    if (!both)
        return;
    put(letter, "--=_part\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>");
    put_words(letter, count);
    put(letter, "</p></body></html>\r\n--=_part--\r\n");
}

int main(int count, char **arguments)
{
    static struct letter letter;
    if (count != 3) {
        (void)fprintf(stderr, "usage: letters FOLDER COUNT\n");
        return 2;
    }
    make_words();
    for (unsigned number = 0; number < (unsigned)atoi(arguments[2]); number++) {
        char path[512];
        letter.len = 0;
        put_head(&letter, number);
        put_body(&letter, number);
        (void)snprintf(path, sizeof(path), "%s/%06u", arguments[1], number);
        FILE *file = fopen(path, "w");
        if (file == NULL || fwrite(letter.text, 1, letter.len, file) != letter.len || fclose(file) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
