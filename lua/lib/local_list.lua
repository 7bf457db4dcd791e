-- Making a charger's local list be what is wanted (C9): which update, in how many parts, which version.
--
-- local_list.set(cpid, entries, by) returns what was done, or nil and a function that answers why not.
-- A difference is sent only where the charger tells the version that our last change ended with and our
-- record is still what it was then; anything else may be a list that we do not know: it gets everything.
local rest = require "rest"
local ask = require "ask"

local local_list = {}

local function store_failed(status, why)
  return function() return problem(status, why) end
end

-- What we know that the charger has: its version (nil: unknown) and its entries by tag.
function local_list.known(cpid)
  local rows, _, status, why = rest.query("local_list", { cpid = cpid })
  if not rows then return nil, store_failed(status, why) end
  local known = { version = rows[1] and rows[1].version, knownMs = rows[1] and rows[1].knownMs, entries = {}, count = 0 }
  local cursor
  repeat
    rows, cursor, status, why = rest.query("local_list_tags", { cpid = cpid, limit = 1000, cursor = cursor })
    if not rows then return nil, store_failed(status, why) end
    for _, row in ipairs(rows) do
      known.entries[string.upper(row.idTag)] = row
      known.count = known.count + 1
    end
  until not cursor
  return known
end

-- How long a list and one update may be. A charger that never told is asked, as far as it likes to say.
local MOST, MOST_AT_ONCE = "LocalAuthListMaxLength", "SendLocalListMaxLength"

local function limits(cpid, by)
  local told = {}
  for _, key in ipairs { MOST, MOST_AT_ONCE } do
    local rows, _, status, why = rest.query("configuration", { cpid = cpid, key = key })
    if not rows then return nil, store_failed(status, why) end
    told[key] = rows[1]
  end
  if not told[MOST_AT_ONCE] then
    local result = ask.command(cpid, { action = "GetConfiguration", payload = { key = { MOST, MOST_AT_ONCE } }, by = by })
    if result.status ~= "accepted" and result.status ~= "error" then return nil, select(2, ask.payload(result)) end
    for _, entry in ipairs(result.response and result.response.configurationKey or {}) do told[entry.key] = entry end
  end
  local function number(key) return told[key] and math.tointeger(tonumber(told[key].value)) end
  return { most = number(MOST), at_once = number(MOST_AT_ONCE) }
end

local function same(a, b)
  for name, value in pairs(a) do if b[name] ~= value then return false end end
  for name in pairs(b) do if a[name] == nil then return false end end
  return true
end

-- The entries that turn `known` into `wanted`: new and changed ones, and bare tags that go.
local function difference(known, wanted)
  local changes, stays = {}, {}
  for _, entry in ipairs(wanted) do
    local tag = string.upper(entry.idTag)
    local before = known.entries[tag]
    stays[tag] = true
    if not before or before.idTag ~= entry.idTag or not same(before.idTagInfo or {}, entry.idTagInfo) then
      changes[#changes + 1] = entry
    end
  end
  for tag, before in pairs(known.entries) do
    if not stays[tag] then changes[#changes + 1] = { idTag = before.idTag } end
  end
  return changes
end

-- One change at a time for each charger: two at once would number their parts alike. A change that was
-- cut off frees its charger when none of its parts can be under way any more.
local BUSY_FOR = minutes(5)
local busy = {}

local function step(plan) busy[string.upper(plan.cpid)] = now() end

-- Sends in parts; the first as `kind`, the others as Differential, each with the next version.
-- The status of the last answer, or nil and why.
local function send(plan, kind, entries)
  local from = 1
  repeat
    local part = { table.unpack(entries, from, math.min(from + plan.size - 1, #entries)) }
    plan.version, plan.sent = plan.version + 1, plan.sent + 1
    step(plan)
    local answer, failed = ask.payload(ask.command(plan.cpid, {
      action = "SendLocalList", by = plan.by,
      payload = {
        listVersion = plan.version, updateType = kind, localAuthorizationList = #part > 0 and json.array(part) or nil,
      },
    }))
    if not answer then return nil, failed end
    if answer.status ~= "Accepted" then return answer.status end
    from, kind = from + plan.size, "Differential"
    core.pause()
  until from > #entries
  return "Accepted"
end

local function charger_version(cpid, by)
  local answer, failed = ask.payload(ask.command(cpid, { action = "GetLocalListVersion", by = by }))
  if not answer then return nil, failed end
  if answer.listVersion == -1 then
    return nil, function() return problem(409, "the charge point has no local list (its version is -1)") end
  end
  return answer.listVersion
end

-- What our last change that was taken whole ended with.
local function ended_key(cpid) return "chargebridge/local-list-ended/" .. string.sub(string.upper(cpid), 1, 200) end

local function is_ours(cpid, version, known)
  local ended = store.get(ended_key(cpid)) or {}
  return version > 0 and version == known.version and version == ended.version and known.count == ended.size
end

local DONE = { "cpid", "version", "size", "sent" }

local function done(plan, wanted)
  store.set(ended_key(plan.cpid), { version = plan.version, size = #wanted })
  return json.ordered(DONE, { cpid = plan.cpid, version = plan.version, size = #wanted, sent = plan.sent })
end

-- What to send, and what the charger's list is now taken for.
local function plan_of(cpid, wanted, by)
  local limit, failed = limits(cpid, by)
  if not limit then return nil, failed end
  if limit.most and #wanted > limit.most then
    return nil, function() return problem(409, string.format("the charge point's list holds %d entries", limit.most)) end
  end
  local known, version
  known, failed = local_list.known(cpid)
  if not known then return nil, failed end
  version, failed = charger_version(cpid, by)
  if not version then return nil, failed end
  return {
    cpid = cpid, by = by, sent = 0, version = math.max(version, known.version or 0, 0),
    size = math.max(1, limit.at_once or #wanted),
    known = is_ours(cpid, version, known) and known or nil,
  }
end

local function set(cpid, wanted, by, whole)
  local plan, failed = plan_of(cpid, wanted, by)
  if not plan then return nil, failed end
  local changes = not whole and plan.known and difference(plan.known, wanted)
  local status
  if changes and #changes < math.max(#wanted, 1) then
    if #changes == 0 then return done(plan, wanted) end
    status, failed = send(plan, "Differential", changes)
    if not status then return nil, failed end
  end
  if status ~= "Accepted" and status ~= "NotSupported" then -- Failed, VersionMismatch: everything once more
    status, failed = send(plan, "Full", wanted)
    if not status then return nil, failed end
  end
  if status == "Accepted" then return done(plan, wanted) end
  return nil, function()
    return problem(409, string.format("the charger answered %s", tostring(status)), { response = { status = status } })
  end
end

function local_list.set(cpid, wanted, by, whole)
  local place = string.upper(cpid)
  if busy[place] and now() - busy[place] < BUSY_FOR then
    return nil, function() return problem(409, "its local list is being changed already") end
  end
  busy[place] = now()
  local result, failed = set(cpid, wanted, by, whole)
  busy[place] = nil
  return result, failed
end

return local_list
