-- Making a charger's local list be what is wanted (C9): which update, in how many parts, which version.
--
-- local_list.set(cpid, entries, by) returns what was done, or nil and a function that answers why not.
-- What the charger has is what it accepted before (the store's record) as long as it still tells the
-- same version; otherwise it gets everything.
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

local function number_of(cpid, key)
  local rows = rest.query("configuration", { cpid = cpid, key = key })
  local value = rows and rows[1] and rows[1].value
  return value and math.tointeger(tonumber(value)) or nil
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

-- Sends in parts; the first as `kind`, the others as Differential, each with the next version.
-- The status of the last answer and the version it made, or nil and why.
local function send(plan, kind, entries)
  local from = 1
  repeat
    local part = { table.unpack(entries, from, math.min(from + plan.size - 1, #entries)) }
    plan.version, plan.calls = plan.version + 1, plan.calls + 1
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

local DONE = { "cpid", "version", "updateType", "calls", "size" }

local function done(plan, kind, wanted)
  return json.ordered(DONE, { cpid = plan.cpid, version = plan.version, updateType = kind, calls = plan.calls, size = #wanted })
end

function local_list.set(cpid, wanted, by, whole)
  local most = number_of(cpid, "LocalAuthListMaxLength")
  if most and #wanted > most then
    return nil, function() return problem(409, string.format("the charge point's list holds %d entries", most)) end
  end
  local known, failed = local_list.known(cpid)
  if not known then return nil, failed end
  local version
  version, failed = charger_version(cpid, by)
  if not version then return nil, failed end
  local plan = {
    cpid = cpid, by = by, calls = 0, version = math.max(version, known.version or 0, 0),
    size = math.max(1, number_of(cpid, "SendLocalListMaxLength") or math.max(1, #wanted)),
  }
  local changes = not whole and version > 0 and version == known.version and difference(known, wanted)
  local status
  if changes and #changes < math.max(#wanted, 1) then
    if #changes == 0 then return done(plan, "None", wanted) end
    status, failed = send(plan, "Differential", changes)
    if not status then return nil, failed end
    if status == "Accepted" then return done(plan, "Differential", wanted) end
  end
  if status ~= "NotSupported" then                       -- Failed, VersionMismatch: everything once more
    status, failed = send(plan, "Full", wanted)
    if not status then return nil, failed end
  end
  if status == "Accepted" then return done(plan, "Full", wanted) end
  return nil, function()
    return problem(409, string.format("the charger answered %s", tostring(status)), { response = { status = status } })
  end
end

return local_list
