/* What the parts of the `core` table share (api_rest*.c). Private to them. */
#ifndef POLICY_API_REST_H
#define POLICY_API_REST_H

#include "policy/api_parts.h"

/* Lists (api_rest_page.c) are walked in order of their key, from behind a cursor: the `limit`
 * smallest keys behind it, whatever order the owner keeps. */
struct page {
    const char *after; /* NULL: from the start */
    size_t limit;
    const void **items; /* of limit + 1, sorted by name */
    const char **names;
    size_t count;
};
void page_init(lua_State *L, struct page *page, const char *function, int options);
void page_offer(struct page *page, const char *name, const void *item);
/* The cursor of the next page, or NULL. */
const char *page_next(const struct page *page);
size_t page_count(const struct page *page); /* without the one that only shows that there is more */

/* Frees the page after `fn` (a page as light userdata → list, cursor) has pushed it. */
int page_push(lua_State *L, struct page *page, lua_CFunction fn);

/* A change that is answered when it is on disk: begin, start it with done and ctx, end. */
struct change_wait {
    struct task_ref ref;
    change_done done;
    void *ctx;
};
struct change_wait rest_change_begin(lua_State *L, const char *what);
/* `begun` false: the change was refused, `nil, err` with that code. */
int rest_change_end(lua_State *L, struct change_wait *wait, bool begun, const char *code,
                    const char *why);

/* Instead of the end: nothing was begun and nothing is waited for. */
void rest_change_drop(struct change_wait *wait);

/* api_rest_live.c */
const char *rest_state_of(const struct charge_point *cp);
int rest_stored(lua_State *L);
int rest_transaction(lua_State *L);
int rest_close(lua_State *L);
int rest_cost(lua_State *L);
int rest_charge_points(lua_State *L);
int rest_charge_point(lua_State *L);
int rest_connectors(lua_State *L);
int rest_active(lua_State *L);
/* api_rest_webhooks.c */
int rest_webhooks(lua_State *L);
int rest_webhook_retry(lua_State *L);
/* api_rest_policies.c */
int rest_policies(lua_State *L);
int rest_policy_errors(lua_State *L);
int rest_reload(lua_State *L);
int rest_check(lua_State *L);
int rest_rollback(lua_State *L);
/* api_rest_trust.c */
int rest_eval(lua_State *L);
int rest_shadow(lua_State *L);
int rest_shadow_start(lua_State *L);
int rest_shadow_stop(lua_State *L);
int rest_canary(lua_State *L);
int rest_canary_start(lua_State *L);
int rest_canary_promote(lua_State *L);
int rest_canary_stop(lua_State *L);
/* api_rest_policies.c: pushes the tree, then frees its arena, whatever happens. */
int rest_push_tree(lua_State *L, struct arena *arena, const struct json *tree);
/* api_rest_tags.c */
int rest_tags(lua_State *L);
int rest_tag(lua_State *L);
int rest_put_tag(lua_State *L);
int rest_delete_tag(lua_State *L);
int rest_import_tags(lua_State *L);
/* api_rest_command.c */
int rest_command(lua_State *L);
int rest_command_start(lua_State *L);
int rest_pending(lua_State *L);
int rest_pending_drop(lua_State *L);
/* api_rest_figures.c */
int rest_figures(lua_State *L);
int rest_routes(lua_State *L);
/* api_rest_charging.c */
int rest_composite(lua_State *L);
/* api_rest_files.c */
int rest_events(lua_State *L);
int rest_file_source(lua_State *L);
int rest_files(lua_State *L);
int rest_file_keep(lua_State *L);
int rest_file_discard(lua_State *L);
int rest_file_remove(lua_State *L);
int rest_file_link(lua_State *L);
int rest_file_link_find(lua_State *L);
int rest_file_link_use(lua_State *L);

/* api_rest_policies.c: the server's policies, or raises where there is no server. */
struct policy *rest_policy_of(lua_State *L, const char *what);
/* A task_push: the struct policy_report as the routes answer it. */
int rest_push_report(lua_State *L, void *arg);

#endif
