/* See bytecode.h. The format is that of ldump.c, the opcodes those of lopcodes.h of Lua 5.4; the
 * version byte, the format byte and the sizes in the header are checked, so another Lua is refused
 * here instead of being misread.
 *
 * A global `x` is GETTABUP or SETTABUP on the upvalue that holds _ENV. In functions with many
 * constants it is GETUPVAL, LOADK, GETTABLE or SETTABLE instead: registers that hold _ENV or a text
 * are followed through straight code. */
#include "policy/bytecode.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

enum {
    OP_LOADK = 3,
    OP_LOADKX = 4,
    OP_GETUPVAL = 9,
    OP_GETTABUP = 11,
    OP_GETTABLE = 12,
    OP_GETFIELD = 14,
    OP_SETTABUP = 15,
    OP_SETTABLE = 16,
    OP_SETFIELD = 18,
    OP_SELF = 20,
    REGISTERS = 256,
    LINE_IS_ABSOLUTE = -0x80,
    NO_UPVALUE = -1,
    DEPTH_MAX = 250 /* the parser allows 200 */
};

struct reader {
    const unsigned char *at, *end;
    bool bad;
    bytecode_found found;
    void *ctx;
    int depth;
};

struct function {
    const unsigned char *code;
    size_t code_count;
    char **texts; /* of the constants; NULL for other types */
    size_t text_count;
    int env; /* index of the upvalue that is the file's _ENV, or NO_UPVALUE */
    int line_defined;
    const signed char *lines;
    size_t line_count;
    const unsigned char *absolute; /* pairs of numbers */
};

static const unsigned char *take(struct reader *r, size_t len)
{
    if (r->bad || (size_t)(r->end - r->at) < len) {
        r->bad = true;
        return NULL;
    }
    const unsigned char *at = r->at;
    r->at += len;
    return at;
}

static unsigned take_byte(struct reader *r)
{
    const unsigned char *at = take(r, 1);
    return at ? *at : 0;
}

static size_t take_size(struct reader *r)
{
    size_t value = 0;
    for (;;) {
        unsigned byte = take_byte(r);
        if (r->bad || value > SIZE_MAX >> 7) {
            r->bad = true;
            return 0;
        }
        value = value << 7 | (byte & 0x7f);
        if (byte & 0x80)
            return value;
    }
}

/* A count of things of at least `each` bytes: never more than there is room for. */
static size_t take_count(struct reader *r, size_t each)
{
    size_t count = take_size(r);
    if (!r->bad && count > (size_t)(r->end - r->at) / each)
        r->bad = true;
    return r->bad ? 0 : count;
}

static struct span take_text(struct reader *r)
{
    size_t size = take_size(r);
    if (size == 0 || r->bad)
        return (struct span){NULL, 0};
    const unsigned char *at = take(r, size - 1);
    return (struct span){(const char *)at, at ? size - 1 : 0};
}

/* ---- one function ---- */

static void take_constants(struct reader *r, struct function *f)
{
    f->text_count = take_count(r, 1);
    f->texts = xcalloc(f->text_count, sizeof(*f->texts));
    for (size_t i = 0; i < f->text_count && !r->bad; i++) {
        switch (take_byte(r)) {
        case 0x00: /* nil, false, true */
        case 0x01:
        case 0x11:
            break;
        case 0x03: /* integer, float */
        case 0x13:
            take(r, 8);
            break;
        case 0x04: /* short and long strings */
        case 0x14: {
            struct span text = take_text(r);
            if (text.at)
                f->texts[i] = xstrndup(text.at, text.len);
            break;
        }
        default:
            r->bad = true;
        }
    }
}

/* The file's _ENV comes down from the main chunk; a local _ENV of the author's is not ours. */
static void take_upvalues(struct reader *r, struct function *f, int env_of_parent, bool is_main)
{
    size_t count = take_count(r, 3);
    f->env = is_main && count > 0 ? 0 : NO_UPVALUE;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *three = take(r, 3);
        if (three && !is_main && three[0] == 0 && three[1] == env_of_parent)
            f->env = (int)i;
    }
}

static void take_lines(struct reader *r, struct function *f)
{
    f->line_count = take_count(r, 1);
    f->lines = (const signed char *)take(r, f->line_count);
    size_t count = take_count(r, 2);
    f->absolute = r->at;
    for (size_t i = 0; i < 2 * count; i++)
        take_size(r);
    count = take_count(r, 3); /* local variables */
    for (size_t i = 0; i < count; i++) {
        take_text(r);
        take_size(r);
        take_size(r);
    }
    count = take_count(r, 1); /* names of upvalues */
    for (size_t i = 0; i < count; i++)
        take_text(r);
}

/* ---- what it does ---- */

struct walk {
    struct reader *r;
    const struct function *f;
    int line;
    struct reader absolute;
    bool has_env[REGISTERS];
    const char *text[REGISTERS];
    const char *global[REGISTERS]; /* the name of the global that it holds */
};

static uint32_t instruction(const struct function *f, size_t pc)
{
    uint32_t i;
    memcpy(&i, f->code + pc * sizeof(i), sizeof(i));
    return i;
}

static unsigned op_of(uint32_t i)
{
    return i & 0x7f;
}

static unsigned a_of(uint32_t i)
{
    return i >> 7 & 0xff;
}

static unsigned b_of(uint32_t i)
{
    return i >> 16 & 0xff;
}

static unsigned c_of(uint32_t i)
{
    return i >> 24;
}

static const char *text_at(const struct function *f, size_t index)
{
    return index < f->text_count ? f->texts[index] : NULL;
}

/* `name.field` and `name:field`, when they follow at once. */
static const char *field_after(const struct function *f, size_t pc, unsigned reg)
{
    if (pc + 1 >= f->code_count)
        return NULL;
    uint32_t next = instruction(f, pc + 1);
    bool gets = op_of(next) == OP_GETFIELD || (op_of(next) == OP_SELF && (next >> 15 & 1));
    return gets && b_of(next) == reg ? text_at(f, c_of(next)) : NULL;
}

static void tell(struct walk *w, const char *name, const char *field, bool write)
{
    if (!name)
        return;
    struct bytecode_name found = {.name = name, .field = field, .line = w->line, .write = write};
    w->r->found(w->r->ctx, &found);
}

static void tell_set(struct walk *w, const char *name, const char *field)
{
    if (!name || !field)
        return;
    struct bytecode_name found = {.name = name, .field = field, .line = w->line};
    found.sets_field = true;
    w->r->found(w->r->ctx, &found);
}

static void tell_method(struct walk *w, const char *name)
{
    if (!name)
        return;
    struct bytecode_name found = {.name = name, .line = w->line, .method = true};
    w->r->found(w->r->ctx, &found);
}

static void step_line(struct walk *w, size_t pc)
{
    if (pc >= w->f->line_count)
        return;
    if (w->f->lines[pc] == LINE_IS_ABSOLUTE) {
        take_size(&w->absolute); /* its pc */
        w->line = (int)take_size(&w->absolute);
    } else {
        w->line += w->f->lines[pc];
    }
}

static void step(struct walk *w, size_t pc)
{
    const struct function *f = w->f;
    uint32_t i = instruction(f, pc);
    unsigned a = a_of(i), b = b_of(i), c = c_of(i);
    bool sets_env = false;
    const char *sets_text = NULL, *sets_global = NULL;
    switch (op_of(i)) {
    case OP_GETTABUP:
        if ((int)b == f->env) {
            sets_global = text_at(f, c);
            tell(w, sets_global, field_after(f, pc, a), false);
        }
        break;
    case OP_SETFIELD:
        tell_set(w, w->global[a], text_at(f, b));
        return;
    case OP_SETTABUP:
        if ((int)a == f->env)
            tell(w, text_at(f, b), NULL, true);
        return; /* sets no register */
    case OP_GETTABLE:
        if (w->has_env[b])
            tell(w, w->text[c], field_after(f, pc, a), false);
        break;
    case OP_SETTABLE:
        if (w->has_env[a])
            tell(w, w->text[b], NULL, true);
        return;
    case OP_SELF:
        if ((i >> 15 & 1) && !w->global[b])
            tell_method(w, text_at(f, c));
        break;
    case OP_GETUPVAL:
        sets_env = (int)b == f->env;
        break;
    case OP_LOADK:
        sets_text = text_at(f, i >> 15);
        break;
    case OP_LOADKX:
        if (pc + 1 < f->code_count)
            sets_text = text_at(f, instruction(f, pc + 1) >> 7);
        break;
    default:
        break;
    }
    w->has_env[a] = sets_env;
    w->text[a] = sets_text;
    w->global[a] = sets_global;
}

static void walk_code(struct reader *r, const struct function *f)
{
    struct walk *w = xcalloc(1, sizeof(*w));
    w->r = r;
    w->f = f;
    w->line = f->line_defined;
    w->absolute = (struct reader){.at = f->absolute, .end = r->end};
    for (size_t pc = 0; pc < f->code_count; pc++) {
        step_line(w, pc);
        step(w, pc);
    }
    xfree(w);
}

static void take_function(struct reader *r, int env_of_parent, bool is_main)
{
    if (r->bad || r->depth >= DEPTH_MAX) {
        r->bad = true;
        return;
    }
    struct function f = {.env = NO_UPVALUE};
    take_text(r); /* source */
    f.line_defined = (int)take_size(r);
    take_size(r); /* last line */
    take(r, 3);   /* parameters, varargs, stack size */
    f.code_count = take_count(r, 4);
    f.code = take(r, f.code_count * 4);
    take_constants(r, &f);
    take_upvalues(r, &f, env_of_parent, is_main);
    size_t inner = take_count(r, 1);
    r->depth++;
    for (size_t i = 0; i < inner && !r->bad; i++)
        take_function(r, f.env, false);
    r->depth--;
    take_lines(r, &f);
    if (!r->bad)
        walk_code(r, &f);
    for (size_t i = 0; i < f.text_count; i++)
        xfree(f.texts[i]);
    xfree(f.texts);
}

bool bytecode_scan(const void *dump, size_t len, bytecode_found found, void *ctx)
{
    static const char head[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    struct reader r = {.at = dump, .found = found, .ctx = ctx};
    r.end = r.at + len;
    const unsigned char *have = take(&r, sizeof(head) - 1);
    if (!have || memcmp(have, head, sizeof(head) - 1) != 0)
        return false;
    static const int64_t test_integer = 0x5678;
    static const double test_number = 370.5;
    const unsigned char *integer = take(&r, 8), *number = take(&r, 8);
    if (r.bad || memcmp(integer, &test_integer, 8) != 0 || memcmp(number, &test_number, 8) != 0)
        return false;
    take_byte(&r); /* number of upvalues */
    take_function(&r, NO_UPVALUE, true);
    return !r.bad && r.at == r.end;
}
