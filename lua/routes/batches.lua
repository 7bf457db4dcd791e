-- Batches: one command to all charge points of a filter, at a pace.
--
-- A batch is one value in the scripts' store: what to send, to whom, how far it has come. Once a
-- second a step sends its share and notes first how far it went: after a crash some charge point may
-- have been left out, none is asked twice (C3). So a batch goes on over reloads and restarts.
local rest = require "rest"

local PREFIX, RUNNING, LAST = "chargebridge/batches/", "chargebridge/batches/running", "chargebridge/batches/last"
local KEPT_FOR, PACE, PACE_MAX, LIST_MAX = "7d", 10, 1000, 1000

local FILTER = { cpids = { "string" }, state = "online|offline|pending|blocked?", vendor = "string?", model = "string?" }

local function fits(cp, filter)
  return (not filter.state or cp.state == filter.state) and (not filter.vendor or cp.vendor == filter.vendor)
     and (not filter.model or cp.model == filter.model)
end

-- Up to `count` charge points behind `after`, and the place from which to go on (nil at the end).
local function next_ones(filter, after, count)
  local found = {}
  if filter.cpids then
    local at = math.tointeger(tonumber(after or 0))
    for i = at + 1, math.min(at + count, #filter.cpids) do
      local cp = core.chargepoint(filter.cpids[i])
      if not cp or fits(cp, filter) then found[#found + 1] = filter.cpids[i] end
    end
    return found, at + count < #filter.cpids and tostring(at + count) or nil
  end
  local page, next = core.chargepoints { after = after, limit = count, state = filter.state }
  for _, cp in ipairs(page) do
    if fits(cp, filter) then found[#found + 1] = cp.cpid end
  end
  return found, next
end

local function count(filter)
  local total, after = 0, nil
  repeat
    local found
    found, after = next_ones(filter, after, 200)
    total = total + #found
    core.pause()
  until not after
  return total
end

local function running() return store.get(RUNNING) or {} end

local function finish(id)
  local left = json.array()
  for _, other in ipairs(running()) do
    if other ~= id then left[#left + 1] = other end
  end
  store.set(RUNNING, #left > 0 and left or nil)
end

-- Why a command was not even queued, for people: "CP1: invalid, /type expected …".
local function what_of(cpid, result)
  local fault = result.errors and result.errors[1]
  local detail = fault and fault.pointer .. " " .. fault.message or result.why
  return string.format("%s: %s%s", cpid, result.status, detail and ", " .. detail or "")
end

-- One second's share of a batch.
local function step(id)
  local batch = store.get(PREFIX .. id)
  if not batch or batch.ended then return finish(id) end
  batch.credit = math.min(batch.credit + batch.pace, math.max(batch.pace, 1))
  local share = batch.credit // 1 | 0
  if share < 1 then return store.set(PREFIX .. id, batch, { ttl = KEPT_FOR }) end
  local found, after = next_ones(batch.filter, batch.after, share)
  batch.credit, batch.after, batch.ended = batch.credit - share, after, not after
  batch.asked = batch.asked + #found
  store.set(PREFIX .. id, batch, { ttl = KEPT_FOR })
  local refused, why = 0, batch.why
  for i, cpid in ipairs(found) do
    local result = core.command_start(cpid, {
      action = batch.action, payload = batch.payload, timeout = batch.timeout, by = batch.by, batch = id,
    })
    if not result.id then refused, why = refused + 1, why or what_of(cpid, result) end
    if i % 50 == 0 then core.pause() end
  end
  if refused > 0 then
    batch.refused, batch.why = batch.refused + refused, why
    store.set(PREFIX .. id, batch, { ttl = KEPT_FOR })
  end
  if batch.ended then finish(id) end
end

every("1s", function()
  for _, id in ipairs(running()) do step(id) end
end)

route("POST /api/v1/commands/{Action}", {
  query = {}, idempotent = true, scope = "operate",
  body = { filter = FILTER, payload = "object?", pace = "number?", timeout = "integer?" },
  doc = "One command to every charge point of a filter, `pace` a second (10), in the background. An empty filter "
     .. "is all of them.",
  answers = { [202] = "BatchStarted" },
}, function(req)
  local body = req.json
  local pace = body.pace or PACE
  if pace < 0.01 or pace > PACE_MAX then return rest.unfit("/pace", "expected a number from 0.01 to 1000") end
  if body.timeout and (body.timeout < 1 or body.timeout > 600) then return rest.unfit("/timeout", "expected 1 to 600 seconds") end
  local filter = body.filter
  if not filter then return rest.unfit("/filter", "missing; {} is every charge point") end
  if filter.cpids and #filter.cpids > LIST_MAX then return rest.unfit("/filter/cpids", "at most 1000; use more batches") end
  local total = count(filter)
  local number = (store.get(LAST) or 0) + 1
  local id = tostring(number)
  store.set(LAST, number)
  store.set(PREFIX .. id, {
    action = req.path.Action, filter = filter, payload = body.payload or {}, pace = pace, timeout = body.timeout,
    by = req.key, count = total, asked = 0, refused = 0, credit = 0, startedMs = core.now_ms(),
  }, { ttl = KEPT_FOR })
  local all = json.array(running())
  all[#all + 1] = id
  store.set(RUNNING, all)
  return 202, json.ordered({ "batch", "count" }, { batch = id, count = total }), { Location = "/api/v1/batches/" .. id }
end)

local BATCH = { "batch", "action", "count", "asked", "refused", "why", "ended", "pace", "askedBy", "startedAt", "states" }

route("GET /api/v1/batches/{batch}", {
  query = {}, doc = "How far a batch is: how many commands are in which state.", answers = { [200] = "Batch" },
}, function(req)
  local id = req.path.batch
  local batch = string.match(id, "^%d+$") and #id < 20 and store.get(PREFIX .. id)
  if not batch then return problem(404, "unknown batch") end
  local states, cursor = {}, nil
  repeat
    local rows, next, status, why = rest.query("commands", { batch = id, limit = 1000, cursor = cursor })
    if not rows then return problem(status, why) end
    for _, row in ipairs(rows) do states[row.state] = (states[row.state] or 0) + 1 end
    cursor = next
  until not cursor
  return 200, rest.item({
    batch = id, action = batch.action, count = batch.count, asked = batch.asked, refused = batch.refused, why = batch.why,
    ended = batch.ended or false, pace = batch.pace, askedBy = batch.by, startedMs = batch.startedMs, states = states,
  }, BATCH, { startedMs = "startedAt" })
end)
