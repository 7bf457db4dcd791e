/* Pages of the lists behind `core`: the `limit` smallest names behind a cursor, found in one walk.
 */
#include <string.h>

#include "base/mem.h"
#include "policy/api_rest.h"

static int compare_names(const char *a, const char *b)
{
    int order = strcasecmp(a, b);
    return order ? order : strcmp(a, b);
}

void page_init(lua_State *L, struct page *page, const char *function, int options)
{
    static const char *const names[] = {"after", "limit", "state", "cpid", NULL};
    api_check_members(L, function, options, names);
    page->after = api_opt_string(L, function, options, "after");
    int64_t limit = api_opt_integer(L, function, options, "limit", 100);
    if (limit < 1 || limit > 1000)
        api_raise(L, "%s: limit must be from 1 to 1000", function);
    page->limit = (size_t)limit;
    page->count = 0;
    page->items = xcalloc(page->limit + 1, sizeof(*page->items));
    page->names = xcalloc(page->limit + 1, sizeof(*page->names));
}

void page_offer(struct page *page, const char *name, const void *item)
{
    if (page->after && compare_names(name, page->after) <= 0)
        return;
    size_t most = page->limit + 1;
    if (page->count == most && compare_names(name, page->names[most - 1]) >= 0)
        return;
    size_t low = 0, high = page->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_names(page->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (page->count < most)
        page->count++;
    size_t moved = page->count - 1 - low;
    memmove(&page->items[low + 1], &page->items[low], moved * sizeof(*page->items));
    memmove(&page->names[low + 1], &page->names[low], moved * sizeof(*page->names));
    page->items[low] = item;
    page->names[low] = name;
}

size_t page_count(const struct page *page)
{
    return page->count > page->limit ? page->limit : page->count;
}

const char *page_next(const struct page *page)
{
    return page->count > page->limit ? page->names[page->limit - 1] : NULL;
}

static void page_free(struct page *page)
{
    XFREE(page->items);
    XFREE(page->names);
}

/* Pushes with `fn`, then frees the page, whatever happens. */
int page_push(lua_State *L, struct page *page, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, page);
    int status = lua_pcall(L, 1, 2, 0);
    page_free(page);
    return status == LUA_OK ? 2 : lua_error(L);
}
