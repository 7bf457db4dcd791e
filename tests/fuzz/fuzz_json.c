/* Fuzzing the JSON code: whatever the reader takes is written, read again and equal, and the second
 * text is a fixed point. Build with clang and CB_FUZZ=ON, run `fuzz_json -max_len=4096 CORPUS`.
 *
 * Each input is handed over without a NUL behind it and in memory of its exact size, so that a step
 * over the end is seen. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Every span of the tree lies where the header says; touching them lets ASan check. */
static void visit(const struct json *node, const char *text, size_t size)
{
    must(node->raw.at >= text && node->raw.at + node->raw.len <= text + size);
    if (node->type == JSON_STRING) {
        must(strlen(node->text.at) == node->text.len);
        must(utf8_valid(node->text.at, node->text.len));
    }
    if (node->type == JSON_INT || node->type == JSON_NUMBER) {
        must(json_is_number(node->text));
        must(node->text.len == node->raw.len);
    }
    uint32_t count = 0;
    for (const struct json *child = node->child; child; child = child->next, count++) {
        must((child->key.at != NULL) == (node->type == JSON_OBJECT));
        must(!child->key.at || json_get(node, child->key.at) == child);
        visit(child, text, size);
    }
    must(count == node->count);
}

static void round_trip(struct arena *arena, const struct json *first)
{
    struct strbuf once = {0};
    struct strbuf twice = {0};
    json_write(&once, first);
    struct json *second = json_parse(arena, once.at, once.len, NULL, NULL);
    must(second != NULL);
    must(json_equal(first, second) && json_equal(second, first));
    must(json_equal(first, json_copy(arena, second)));
    json_write(&twice, second);
    must(once.len == twice.len && memcmp(once.at, twice.at, once.len) == 0);
    strbuf_clear(&once);
    strbuf_clear(&twice);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct arena arena = {0};
    struct reason why;
    size_t fault_at = 0;
    const char *text = (const char *)data;
    struct json *root = json_parse(&arena, text, size, &why, &fault_at);
    if (root) {
        visit(root, text, size);
        round_trip(&arena, root);
    } else {
        must(fault_at <= size && why.text[0] != '\0' && utf8_valid(why.text, strlen(why.text)));
    }
    arena_clear(&arena);
    return 0;
}
