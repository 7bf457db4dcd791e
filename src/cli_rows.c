/* See cli_rows.h. The server names rows, an editor shows lines: cells with line ends, empty lines
 * and items of several lines lie between them. CSV is read as lua/lib/csv.lua reads it; whether the
 * text is well-formed behind the row does not matter here. */
#include "cli_rows.h"

#include <string.h>

/* The line that the byte `at` stands on; CR LF, LF and CR each end one. */
static size_t line_of(struct span text, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++)
        line += text.at[i] == '\n' ||
                (text.at[i] == '\r' && !(i + 1 < text.len && text.at[i + 1] == '\n'));
    return line;
}

static size_t behind_mark(struct span text)
{
    return span_starts(text, "\xEF\xBB\xBF") ? 3 : 0;
}

/* ---- CSV ---- */

/* Behind the cell at `at`: at its comma, line end, or the end of the text. */
static size_t cell_end(struct span text, size_t at)
{
    if (at < text.len && text.at[at] == '"') {
        for (at++; at < text.len; at++) {
            if (text.at[at] != '"')
                continue;
            if (at + 1 == text.len || text.at[at + 1] != '"')
                break;
            at++; /* "" is a quote of the text */
        }
    }
    while (at < text.len && !memchr(",\r\n", text.at[at], 3))
        at++;
    return at;
}

/* Behind the row at `at` and its line end; `*empty`: nothing is in it. */
static size_t row_end(struct span text, size_t at, bool *empty)
{
    size_t end = cell_end(text, at), len = end - at;
    *empty = len == 0 || (len == 2 && memcmp(text.at + at, "\"\"", 2) == 0);
    while (end < text.len && text.at[end] == ',') {
        end = cell_end(text, end + 1);
        *empty = false;
    }
    if (end + 1 < text.len && text.at[end] == '\r' && text.at[end + 1] == '\n')
        return end + 2;
    return end < text.len ? end + 1 : end;
}

size_t cli_rows_csv_line(struct span text, size_t row)
{
    size_t at = behind_mark(text), next, found = 0;
    bool empty;
    for (bool first = true; at < text.len; at = next, first = false) {
        next = row_end(text, at, &empty);
        if (empty && !first)
            continue;
        if (found++ == row)
            return line_of(text, at);
    }
    return 0;
}

/* ---- JSON ---- */

/* Behind the string whose opening quote is at `at`. */
static size_t string_end(struct span text, size_t at)
{
    for (at++; at < text.len && text.at[at] != '"'; at++)
        at += text.at[at] == '\\';
    return at + 1;
}

size_t cli_rows_json_line(struct span text, size_t row)
{
    size_t depth = 0, found = 0;
    bool begins = false; /* the next thing is an item */
    for (size_t at = behind_mark(text); at < text.len;) {
        char c = text.at[at];
        if (memchr(" \t\r\n", c, 4)) {
            at++;
            continue;
        }
        if (begins && c != ']' && ++found == row)
            return line_of(text, at);
        depth += c == '[' || c == '{';
        depth -= depth > 0 && (c == ']' || c == '}');
        begins = depth == 1 && (c == ',' || c == '[');
        at = c == '"' ? string_end(text, at) : at + 1;
    }
    return 0;
}
