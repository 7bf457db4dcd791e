/* See syntax_hint.h. */
#include "policy/syntax_hint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

enum { WORD_SIZE = 32 };

static const char *const keywords[] = {
    "and",   "break", "do",  "else", "elseif", "end",    "false", "for",  "function", "goto", "if",
    "local", "nil",   "not", "or",   "repeat", "return", "then",  "true", "until",    "while"};

static const struct {
    const char *word, *meant;
} other_languages[] = {{"elif", "elseif"},  {"elsif", "elseif"}, {"func", "function"},
                       {"def", "function"}, {"fn", "function"},  {"var", "local"},
                       {"let", "local"},    {"const", "local"},  {"try", "pcall"},
                       {"foreach", "for"}};

static const struct {
    const char *part, *near; /* of the message */
    const char *hint;
} signs[] = {
    {"'then' expected", "near '='", "equal is written =="},
    {"'do' expected", "near '='", "equal is written =="},
    {"", "near '!'", "not equal is written ~=, and not x instead of !x"},
    {"", "near '&'", "write and instead of &&"},
    {"", "near '|'", "write or instead of ||"},
    {"", "near '+'", "write x = x + 1 instead of x += 1 or x++"},
    {"", "near '?'", "write a and b or c instead of a ? b : c"},
    {"'}' expected", "near '='", "in a table, names with other signs are written [\"a-b\"] = 1"},
    {"", "near '/", "a comment begins with --"},
    {"", "near '#'", "a comment begins with --"},
    {"", "near '<\\226>'", "a quote or a dash of a word processor: write \" and -"},
    {"'}' expected", "", "a comma, a quote or a } is missing before it"},
    {"']' expected", "", "a quote or a ] is missing before it"}};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static const char *meant(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (strcmp(keywords[i], word) == 0)
            return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(other_languages); i++) {
        if (strcmp(other_languages[i].word, word) == 0)
            return other_languages[i].meant;
    }
    return strlen(word) < 3 ? NULL
                            : text_nearest(word, keywords, ARRAY_LEN(keywords), sizeof(*keywords));
}

static bool tell(const char *word, char *out, size_t size)
{
    const char *near = meant(word);
    if (near)
        snprintf(out, size, "did you mean %s instead of %s?", near, word);
    return near != NULL;
}

/* The word that ends right before `at`, blanks and line ends left out. */
static void word_before(const char *source, const char *at, char out[WORD_SIZE])
{
    while (at > source && isspace((unsigned char)at[-1]))
        at--;
    const char *begin = at;
    while (begin > source && is_word(begin[-1]))
        begin--;
    text_copy(out, WORD_SIZE, (struct span){begin, (size_t)(at - begin)});
}

static const char *line_at(const char *source, const char *end, int64_t line)
{
    while (line > 1 && source < end) {
        const char *next = memchr(source, '\n', (size_t)(end - source));
        if (!next)
            return end;
        source = next + 1;
        line--;
    }
    return source;
}

/* Of "10-a.lua:3: syntax error near 'x'": 3, and x. */
static bool read_message(const char *message, int64_t *line, char token[WORD_SIZE])
{
    const char *near = strstr(message, " near '");
    const char *colon = strstr(message, ": ");
    if (!near || !colon)
        return false;
    const char *digits = colon;
    while (digits > message && isdigit((unsigned char)digits[-1]))
        digits--;
    const char *text = near + strlen(" near '");
    const char *end = strrchr(text, '\'');
    if (!end || !span_int((struct span){digits, (size_t)(colon - digits)}, line))
        return false;
    text_copy(token, WORD_SIZE, (struct span){text, (size_t)(end - text)});
    return token[0] != '\0';
}

static bool hint_of_words(const char *source, size_t len, int64_t line, const char *token,
                          char *out, size_t size)
{
    const char *end = source + len, *begin = line_at(source, end, line);
    const char *line_end = memchr(begin, '\n', (size_t)(end - begin));
    size_t token_len = strlen(token);
    line_end = line_end ? line_end : end;
    for (const char *at = begin; at + token_len <= line_end; at++) {
        char word[WORD_SIZE];
        if (memcmp(at, token, token_len) != 0 || (at > source && is_word(at[-1])))
            continue;
        word_before(source, at, word);
        if (word[0] && tell(word, out, size))
            return true;
    }
    return is_word(token[0]) && tell(token, out, size);
}

bool syntax_hint(const char *source, size_t len, const char *message, char *out, size_t size)
{
    int64_t line;
    char token[WORD_SIZE];
    if (!read_message(message, &line, token))
        return false;
    if (hint_of_words(source, len, line, token, out, size))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (strstr(message, signs[i].part) && strstr(message, signs[i].near)) {
            snprintf(out, size, "%s", signs[i].hint);
            return true;
        }
    }
    return false;
}
