-- Local lists: the cards that a charge point knows by itself, for when the line is down (C9, N3).
local rest = require "rest"
local local_list = require "local_list"

local LIST = { "cpid", "version", "size", "knownAt", "items", "next" }
local ENTRY = { "idTag", "idTagInfo" }
local TAG_MAX = 20

route("GET /api/v1/local-lists/{cpid}", {
  query = { limit = "limit", cursor = "string?" },
  doc = "The local list of a charge point as it accepted it; version null: nothing is known.",
  answers = { [200] = "LocalList" },
}, function(req)
  local cp, q = core.chargepoint(req.path.cpid), req.query
  if not cp then return problem(404, "unknown charge point") end
  local lists, _, status, why = rest.query("local_list", { cpid = cp.cpid })
  if not lists then return problem(status, why) end
  local rows, next
  rows, next, status, why = rest.query("local_list_tags", { cpid = cp.cpid, limit = q.limit, cursor = q.cursor })
  if not rows then return problem(status, why) end
  local list = lists[1] or { size = 0 }
  return 200, rest.item({
    cpid = cp.cpid, version = list.version, size = list.size, knownMs = list.knownMs,
    items = rest.items(rows, ENTRY, {}), next = next,
  }, LIST, { knownMs = "knownAt" })
end)

-- The entries of a body, checked: tags of 1 to 20 characters, none twice, each with a status.
local function entries_of(list)
  local entries, seen = {}, {}
  for i, entry in ipairs(list) do
    local at = "/localAuthorizationList/" .. i - 1
    if type(entry) ~= "table" or type(entry.idTag) ~= "string" then return nil, at .. "/idTag", "expected a string" end
    local length, tag = utf8.len(entry.idTag), string.upper(entry.idTag)
    if not length or length < 1 or length > TAG_MAX then return nil, at .. "/idTag", "expected 1 to 20 characters" end
    if seen[tag] then return nil, at .. "/idTag", "is there twice" end
    if type(entry.idTagInfo) ~= "table" or type(entry.idTagInfo.status) ~= "string" then
      return nil, at .. "/idTagInfo/status", "missing"
    end
    seen[tag], entries[i] = true, entry
    if i % 500 == 0 then core.pause() end
  end
  return entries
end

-- The tags of GET /tags as entries.
local function entries_of_tags()
  local entries, after = {}, nil
  repeat
    local page
    page, after = core.tags { after = after, limit = 500 }
    for _, tag in ipairs(page) do
      entries[#entries + 1] = { idTag = tag.idTag, idTagInfo = {
        status = tag.status, parentIdTag = tag.parentIdTag, expiryDate = core.time(tag.expiryMs),
      } }
    end
    core.pause()
  until not after
  return entries
end

route("PUT /api/v1/local-lists/{cpid}", {
  query = {}, body = { localAuthorizationList = "array?", fromTags = "boolean?", full = "boolean?" },
  doc = "Makes the charger's list be this one, or with fromTags the tags of /api/v1/tags. The server chooses between the "
     .. "difference and the whole (full=true: always the whole) and sends in parts that the charger takes.",
  answers = { [200] = "LocalListSet" },
}, function(req)
  local body, cp = req.json, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  if (body.localAuthorizationList ~= nil) == (body.fromTags == true) then
    return problem(422, "give either localAuthorizationList or fromTags: true")
  end
  local entries, pointer, message
  if body.fromTags then
    entries = entries_of_tags()
  else
    entries, pointer, message = entries_of(body.localAuthorizationList)
    if not entries then return rest.unfit(pointer, message) end
  end
  local done, failed = local_list.set(cp.cpid, entries, req.key, body.full)
  if not done then return failed() end
  return 200, done
end)

-- ---- a charger that lost its list ----

local function resend(cpid)
  local known = local_list.known(cpid)
  if not known or not known.version or known.version < 1 then return end
  local entries = {}
  for _, entry in pairs(known.entries) do
    entries[#entries + 1] = { idTag = entry.idTag, idTagInfo = entry.idTagInfo }
  end
  local done, failed = local_list.set(cpid, entries, "server", true)
  if done then return log.info("%s: LocalListConflict, its list of %d entries was sent again", cpid, #entries) end
  local _, answer = failed()
  log.warn("%s: LocalListConflict, its list could not be sent again: %s", cpid, answer.detail)
end

-- Who said LocalListConflict on its controller from `from` on, before `to`.
local function conflicts(from, to)
  local found, cursor = {}, nil
  repeat
    local rows, next = core.query("statuses", { connectorId = 0, from = from, to = to, limit = 1000, cursor = cursor })
    if not rows then return nil end
    for _, row in ipairs(rows) do
      if row.errorCode == "LocalListConflict" then found[row.cpid] = true end
    end
    cursor = next
    core.pause()
  until not cursor
  return found
end

local DUE, RESENT = "chargebridge/local-lists-due", "chargebridge/local-list-resent/"
local OVERLAP = 5000                                    -- a status may be on disk later than it came
local looked_until                                      -- nil after a load: the minute before that is looked at too

-- Those that are to get their list again, the new ones noted: at most once in ten minutes each, so that
-- one which always says so is no endless loop.
local function due()
  local to, all = core.now_ms(), json.array(store.get(DUE))
  local found = conflicts((looked_until or to - 120000) - OVERLAP, to)
  if not found then return all end                      -- the store fails: it is looked at again
  looked_until = to
  for cpid in pairs(found) do
    local key = RESENT .. string.sub(cpid, 1, 200)
    if not store.get(key) then
      store.set(key, true, { ttl = "10m" })
      all[#all + 1] = cpid
    end
  end
  store.set(DUE, all)
  return all
end

-- N3: its list is sent again, whole, within a minute.
every("1m", function()
  local all = due()
  while #all > 0 do
    local cpid = table.remove(all)
    store.set(DUE, all)                                 -- a charger with which this fails is tried once
    resend(cpid)
  end
end)
