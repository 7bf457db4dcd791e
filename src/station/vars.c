/* vars: names and JSON texts, with an eye on how long they are as one object.
 *
 * `bytes` is the exact length of what vars_write() would write, so the bound holds for what the
 * store has to keep, escapes included. Values are JSON by contract: nothing here parses them but
 * vars_read(), which splits a stored object. */
#include "station/vars.h"

#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"

/* `"name":json`, and the comma or brace that comes with it. */
static size_t entry_bytes(const char *name, const char *json)
{
    struct strbuf quoted = {0};
    json_write_string(&quoted, span_of(name));
    size_t bytes = quoted.len + 1 + strlen(json) + 1;
    strbuf_clear(&quoted);
    return bytes;
}

static void forget_values(struct vars *vars)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&vars->values, &at)) != NULL) {
        xfree(entry->value);
    }
    map_clear(&vars->values);
    vars->bytes = 0;
}

void vars_clear(struct vars *vars)
{
    forget_values(vars);
    vars->dirty = false;
}

const char *vars_get(const struct vars *vars, const char *name)
{
    return map_gets(&vars->values, name);
}

bool vars_set(struct vars *vars, const char *name, const char *json, struct reason *why)
{
    const char *old = vars_get(vars, name);
    if (text_is(old, json)) { /* both absent counts as equal */
        return true;
    }
    size_t before = old != NULL ? entry_bytes(name, old) : 0;
    size_t after = json != NULL ? entry_bytes(name, json) : 0;
    if (after > before && vars->bytes - before + after + 1 > VARS_MAX) {
        return reason_set(why, "vars would exceed %d bytes with \"%s\"", VARS_MAX, name);
    }
    char *gone = json != NULL ? map_put(&vars->values, span_of(name), xstrdup(json))
                              : map_remove(&vars->values, span_of(name));
    xfree(gone);
    vars->bytes = vars->bytes - before + after;
    vars->dirty = true;
    return true;
}

void vars_write(const struct vars *vars, struct strbuf *out)
{
    struct json_out o = {.to = out};
    json_open(&o, '{');
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&vars->values, &at)) != NULL) {
        json_key(&o, entry->key);
        json_put_raw(&o, span_of(entry->value));
    }
    json_close(&o, '}');
}

bool vars_read(struct vars *vars, const char *json_object)
{
    struct arena arena = {0};
    const struct json *object =
        json_object != NULL ? json_parse(&arena, json_object, strlen(json_object), NULL, NULL)
                            : NULL;
    bool ok = object != NULL && object->type == JSON_OBJECT;
    if (ok) {
        forget_values(vars);
        for (const struct json *member = object->child; member != NULL; member = member->next) {
            char *value = xstrndup(member->raw.at, member->raw.len);
            vars->bytes += entry_bytes(member->key.at, value);
            xfree(map_put(&vars->values, member->key, value));
        }
        vars->dirty = false;
    }
    arena_clear(&arena);
    return ok;
}
