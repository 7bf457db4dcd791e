/* Prints the API rows: lua/meta/chargebridge.lua (types for editors, LuaLS) and lua/API.md.
 *
 * Both are checked in and compared by a test; nothing in them is written by hand but the words
 * around the rows. */
#include <string.h>

#include "policy/api_parts.h"
#include "policy/limits.h"
#include "policy/sandbox.h"

/* ---- types for editors ---- */

static void add_doc(struct strbuf *out, const char *indent, const char *doc, bool waits)
{
    strbuf_addf(out, "%s---%s%s\n", indent, doc, waits ? " **Waits.**" : "");
}

static void print_class(struct strbuf *out, const struct api_table *table)
{
    strbuf_addf(out, "---%s\n---@class %s\n", table->class_doc, table->on);
    for (const struct api_row *row = table->rows; row->name; row++)
        strbuf_addf(out, "---@field %s %s %s%s\n", row->name, row->signature, row->doc,
                    row->waits ? " **Waits.**" : "");
    if (table->called)
        strbuf_addf(out, "---@operator call%s\n", table->called);
    if (!table->object)
        strbuf_addf(out, "%s = {}\n", table->on);
    strbuf_addc(out, '\n');
}

static void print_globals(struct strbuf *out, const struct api_table *table)
{
    for (const struct api_row *row = table->rows; row->name; row++) {
        add_doc(out, "", row->doc, row->waits);
        strbuf_addf(out, "---@type %s\n%s = nil\n\n", row->signature, row->name);
    }
}

static void print_events(struct strbuf *out)
{
    strbuf_adds(out,
                "---Events: define a function and it is called. Lower-case names are events of "
                "ChargeBridge, CamelCase names are raw OCPP actions (on.DataTransfer).\n"
                "---@class on\n");
    for (const struct hook_row *row = hook_rows; row->name; row++)
        strbuf_addf(out, "---@field %s %s %s\n", row->name, row->signature, row->doc);
    strbuf_adds(out, "---@field [string] fun(cp: cp, req: table): table? A raw OCPP action.\n"
                     "on = {}\n\n");
}

static void print_types(struct strbuf *out)
{
    strbuf_adds(out, "---@meta\n-- Generated from the API rows (src/policy/api_*.c) by "
                     "`chargebridge api`. Do not edit.\n\n"
                     "---@alias route_body string|table|fun(emit: fun(text: string): boolean)\n"
                     "---@alias route_handler fun(req: req): integer, route_body?, "
                     "table<string, string>?\n\n");
    print_events(out);
    for (size_t i = 0; api_tables[i]; i++) {
        if (api_tables[i]->privileged)
            continue;
        if (api_tables[i]->on[0])
            print_class(out, api_tables[i]);
        else
            print_globals(out, api_tables[i]);
    }
}

/* ---- the manual ---- */

/* Signatures hold `|`, which a table would take for a border. */
static void add_cell(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            strbuf_addc(out, '\\');
        strbuf_addc(out, *text);
    }
}

static void print_row(struct strbuf *out, const char *prefix, const struct api_row *row)
{
    strbuf_addf(out, "| `%s%s` | `", prefix, row->name);
    add_cell(out, row->signature);
    strbuf_adds(out, "` | ");
    add_cell(out, row->doc);
    strbuf_adds(out, row->waits ? " **Waits.** |\n" : " |\n");
}

static void print_manual_table(struct strbuf *out, const struct api_table *table)
{
    char prefix[64] = "";
    struct strbuf text = {.cap = sizeof(prefix) - 1};
    if (table->on[0])
        strbuf_addf(&text, "%s.", table->on);
    text_copy(prefix, sizeof(prefix), span_of(strbuf_text(&text)));
    strbuf_clear(&text);
    if (table->on[0])
        strbuf_addf(out, "## %s\n\n%s\n\n", table->on, table->class_doc);
    else
        strbuf_addf(out, "## %s\n\n", table->class_doc);
    if (table->rows[0].name)
        strbuf_adds(out, "| name | type | what |\n| --- | --- | --- |\n");
    for (const struct api_row *row = table->rows; row->name; row++)
        print_row(out, prefix, row);
    if (table->rows[0].name)
        strbuf_addc(out, '\n');
}

static void print_manual_events(struct strbuf *out)
{
    strbuf_adds(out, "## on\n\nEvents: define a function and it is called, in name order of the "
                     "files; the first answer wins. CamelCase names are raw OCPP actions: "
                     "`function on.DataTransfer(cp, req)`.\n\n"
                     "| name | type | what |\n| --- | --- | --- |\n");
    for (const struct hook_row *row = hook_rows; row->name; row++) {
        struct api_row like = {row->name, NULL, row->signature, row->doc, false};
        print_row(out, "on.", &like);
    }
    strbuf_addc(out, '\n');
}

static void print_manual(struct strbuf *out)
{
    strbuf_adds(
        out, "# What policies may use\n\n"
             "Generated from the API rows (src/policy/api_*.c) by `chargebridge api --manual`. Do "
             "not edit.\n\n"
             "Times are seconds since 1970; a duration is a text such as \"15m\" or a number of "
             "seconds. What may fail at run time gives `nil, err`; wrong use is an error with "
             "file and line. A function marked **Waits.** lets other events run meanwhile: read "
             "again afterwards what you tested before. Nothing that waits or changes something "
             "can be used while a file loads.\n\n");
    print_manual_events(out);
    for (size_t i = 0; api_tables[i]; i++) {
        if (!api_tables[i]->privileged)
            print_manual_table(out, api_tables[i]);
    }
    sandbox_print(out);
    limits_print(out);
}

void policy_api_print(struct strbuf *out, bool manual)
{
    if (manual)
        print_manual(out);
    else
        print_types(out);
}
