/* Who may charge, as far as the charger knows by itself: the local list and the cache.
 *
 * The list comes from the central system (C9) and is changed as a whole: a SendLocalList that
 * cannot be taken changes nothing. The cache remembers answers to Authorize, StartTransaction and
 * StopTransaction for tags that are not in the list [16 3.5]. An entry whose expiryDate has passed
 * counts as Expired (A3). Both survive reboots. Tags compare without case (A1). */
#include <string.h>

#include "base/mem.h"
#include "base/timetext.h"
#include "sim/line.h"

enum { CACHE_MAX = 500 };

struct auth_entry {
    char status[16];
    char *parent;   /* NULL: none */
    wall_t expires; /* INT64_MAX: never */
};

struct auth {
    struct map list, cache;
    int64_t version; /* of the list */
};

/* ---- entries ---- */

static void entry_free(struct auth_entry *entry)
{
    if (!entry)
        return;
    xfree(entry->parent);
    xfree(entry);
}

static struct auth_entry *entry_new(const struct json *id_tag_info)
{
    struct auth_entry *entry = xcalloc(1, sizeof(*entry));
    const char *parent = json_gets(id_tag_info, "parentIdTag");
    const char *status = json_gets(id_tag_info, "status");
    text_copy(entry->status, sizeof(entry->status), span_of(status ? status : "Invalid"));
    entry->parent = parent && *parent ? xstrdup(parent) : NULL;
    const char *expiry = json_gets(id_tag_info, "expiryDate");
    if (!expiry || !timetext_parse(span_of(expiry), 0, &entry->expires))
        entry->expires = INT64_MAX;
    return entry;
}

static struct auth_entry *entry_copy(const struct auth_entry *from)
{
    struct auth_entry *entry = xcalloc(1, sizeof(*entry));
    *entry = *from;
    entry->parent = xstrdup_or_null(from->parent);
    return entry;
}

static void clear_entries(struct map *map)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(map, &at)))
        entry_free(entry->value);
    map_clear(map);
    map->ignore_case = true;
}

static const char *verdict_of(const struct auth_entry *entry)
{
    if (text_is(entry->status, "Accepted") && entry->expires <= wall_now())
        return "Expired";
    return entry->status;
}

/* In the list first. NULL: in neither, or what there is does not count now. */
static const struct auth_entry *find(const struct charger *charger, const char *id_tag)
{
    const struct auth *auth = charger->auth;
    const struct auth_entry *entry = NULL;
    if (!id_tag)
        return NULL;
    if (config_bool(charger, "LocalAuthListEnabled"))
        entry = map_gets(&auth->list, id_tag);
    if (!entry && config_bool(charger, "AuthorizationCacheEnabled"))
        entry = map_gets(&auth->cache, id_tag);
    return entry;
}

/* ---- what the place asks ---- */

/* Connected, only an entry that lets in spares the question; without a connection it must do. */
const char *auth_local_verdict(struct charger *charger, const char *id_tag)
{
    const struct auth_entry *entry = find(charger, id_tag);
    if (charger_may_send(charger)) {
        bool enough = entry && config_bool(charger, "LocalPreAuthorize") &&
                      text_is(verdict_of(entry), "Accepted");
        return enough ? "Accepted" : NULL;
    }
    if (!config_bool(charger, "LocalAuthorizeOffline"))
        return "Invalid";
    if (entry)
        return verdict_of(entry);
    return config_bool(charger, "AllowOfflineTxForUnknownId") ? "Accepted" : "Invalid";
}

const char *auth_parent(struct charger *charger, const char *id_tag)
{
    const struct auth_entry *entry = find(charger, id_tag);
    return entry ? entry->parent : NULL;
}

/* N3: the list let in what the central system refuses, or the other way; it should send it anew. */
static void tell_conflict(struct charger *charger)
{
    struct strbuf payload = {0};
    struct json_out out = {.to = &payload};
    char at[48];
    charger_time_text(charger, wall_now(), at);
    json_open(&out, '{');
    json_key(&out, "connectorId");
    json_put_int(&out, 0);
    json_key(&out, "errorCode");
    json_put_string(&out, "LocalListConflict");
    json_key(&out, "status");
    json_put_string(&out, connector_status_text(charger, 0));
    json_key(&out, "timestamp");
    json_put_string(&out, at);
    json_close(&out, '}');
    charger_call(charger, "StatusNotification", strbuf_take(&payload, NULL));
}

/* The oldest one goes when the cache is full. */
static void make_room(struct map *cache)
{
    size_t at = 0;
    const struct map_entry *oldest;
    if (cache->count < CACHE_MAX || !(oldest = map_next(cache, &at)))
        return;
    char *key = xstrdup(oldest->key);
    entry_free(map_remove(cache, span_of(key)));
    xfree(key);
}

/* ConcurrentTx says something about now, not about the tag (A5). */
void auth_remember(struct charger *charger, const char *id_tag, const struct json *id_tag_info)
{
    struct auth *auth = charger->auth;
    const char *status = json_gets(id_tag_info, "status");
    if (!id_tag || !status || text_is(status, "ConcurrentTx"))
        return;
    const struct auth_entry *listed =
        config_bool(charger, "LocalAuthListEnabled") ? map_gets(&auth->list, id_tag) : NULL;
    if (listed) {
        if (text_is(verdict_of(listed), "Accepted") != text_is(status, "Accepted"))
            tell_conflict(charger);
        return;
    }
    if (!config_bool(charger, "AuthorizationCacheEnabled"))
        return;
    if (!map_gets(&auth->cache, id_tag))
        make_room(&auth->cache);
    entry_free(map_put(&auth->cache, span_of(id_tag), entry_new(id_tag_info)));
}

/* ---- answers ---- */

enum ocpp_error answer_clear_cache(struct charger *charger, const struct json *request,
                                   struct json_out *out)
{
    (void)request;
    if (!config_bool(charger, "AuthorizationCacheEnabled"))
        return answer_status(out, "Rejected");
    clear_entries(&charger->auth->cache);
    return answer_status(out, "Accepted");
}

int64_t auth_list_version(const struct charger *charger)
{
    const struct auth *auth = charger->auth;
    if (!config_bool(charger, "LocalAuthListEnabled"))
        return -1;
    return auth->list.count ? auth->version : 0;
}

enum ocpp_error answer_get_local_list_version(struct charger *charger, const struct json *request,
                                              struct json_out *out)
{
    (void)request;
    json_open(out, '{');
    json_key(out, "listVersion");
    json_put_int(out, auth_list_version(charger));
    json_close(out, '}');
    return OCPP_OK;
}

/* No tag twice, and in a full list each with its idTagInfo. */
static bool entries_usable(const struct json *entries, bool full)
{
    struct map seen = {.ignore_case = true};
    bool usable = true;
    for (const struct json *at = entries ? entries->child : NULL; at && usable; at = at->next) {
        usable = !map_put(&seen, span_of(json_gets(at, "idTag")), &seen) &&
                 (!full || json_get(at, "idTagInfo"));
    }
    map_clear(&seen);
    return usable;
}

/* Applies `entries` to `list`: without idTagInfo one is deleted. */
static void apply(struct map *list, const struct json *entries)
{
    for (const struct json *at = entries ? entries->child : NULL; at; at = at->next) {
        const struct json *info = json_get(at, "idTagInfo");
        struct span tag = span_of(json_gets(at, "idTag"));
        entry_free(info ? map_put(list, tag, entry_new(info)) : map_remove(list, tag));
    }
}

static struct map copy_list(const struct map *from)
{
    struct map copy = {.ignore_case = true};
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(from, &at)))
        map_put(&copy, (struct span){entry->key, entry->key_len}, entry_copy(entry->value));
    return copy;
}

static const char *take_list(struct charger *charger, const struct json *request)
{
    struct auth *auth = charger->auth;
    const struct json *entries = json_get(request, "localAuthorizationList");
    bool full = text_is(json_gets(request, "updateType"), "Full");
    int64_t version = 0;
    json_int(json_get(request, "listVersion"), &version);
    if (!config_bool(charger, "LocalAuthListEnabled"))
        return "NotSupported";
    if (version < 1) /* 0 and -1 have meanings of their own [16e 3.52] */
        return "Failed";
    if (!full && version <= auth_list_version(charger))
        return "VersionMismatch";
    if (entries && entries->count > config_int(charger, "SendLocalListMaxLength"))
        return "Failed";
    if (!entries_usable(entries, full))
        return "Failed";
    struct map list = full ? (struct map){.ignore_case = true} : copy_list(&auth->list);
    apply(&list, entries);
    bool fits = (int64_t)list.count <= config_int(charger, "LocalAuthListMaxLength");
    clear_entries(fits ? &auth->list : &list);
    if (!fits)
        return "Failed";
    auth->list = list;
    auth->version = version;
    return "Accepted";
}

enum ocpp_error answer_send_local_list(struct charger *charger, const struct json *request,
                                       struct json_out *out)
{
    return answer_status(out, take_list(charger, request));
}

/* ---- life ---- */

void auth_open(struct charger *charger)
{
    charger->auth = xcalloc(1, sizeof(*charger->auth));
    charger->auth->list.ignore_case = charger->auth->cache.ignore_case = true;
}

void auth_close(struct charger *charger)
{
    if (!charger->auth)
        return;
    clear_entries(&charger->auth->list);
    clear_entries(&charger->auth->cache);
    XFREE(charger->auth);
}
