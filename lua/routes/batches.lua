-- Batches: one command to all charge points of a filter, at a pace.
--
-- A batch is one value in the scripts' store: what to send, to whom, how far it has come. Once a
-- second a step asks its share, in portions: each notes first how far it goes and waits until that is
-- on disk. After a crash some charge point may have been left out, none is asked twice (C3); so a
-- batch goes on over reloads and restarts. While a step waits, the batch may be cancelled, or the
-- next generation of policies may go on with it: the value is read again after every wait.
local rest = require "rest"
local ask = require "ask"

local PREFIX, RUNNING = "chargebridge/batches/", "chargebridge/batches/running"
local FIRST, LAST = "chargebridge/batches/first", "chargebridge/batches/last"
local KEPT_FOR, PACE, PACE_MAX, LIST_MAX, VALUE_MAX = "7d", 10, 1000, 1000, 60 * 1024
local PORTION = 25

local FILTER = { ["cpids?"] = { "string" }, state = "online|offline|pending|blocked?", vendor = "string?", model = "string?" }

local function keep(id, batch) store.set(PREFIX .. id, batch, { ttl = KEPT_FOR }) end

-- ---- who is asked ----

local function fits(cp, filter)
  return (not filter.state or cp.state == filter.state) and (not filter.vendor or cp.vendor == filter.vendor)
     and (not filter.model or cp.model == filter.model)
end

-- Up to `count` charge points behind `after`, and the place from which to go on (nil at the end).
local function next_ones(filter, after, count)
  local found = json.array()
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

-- Each once, whatever its spelling.
local function distinct(cpids)
  local seen, list = {}, json.array()
  for _, cpid in ipairs(cpids) do
    local name = string.upper(cpid)
    if not seen[name] then list[#list + 1] = cpid end
    seen[name] = true
  end
  return list
end

-- ---- those that run ----

local function running() return store.get(RUNNING) or json.array() end

local function leave(id)
  local left = json.array()
  for _, other in ipairs(running()) do
    if other ~= id then left[#left + 1] = other end
  end
  store.set(RUNNING, #left > 0 and left or nil)
  return left
end

local function enter(id)
  local all = leave(id)
  all[#all + 1] = id
  store.set(RUNNING, all)
end

local function finish(id, batch)
  batch.ended = true
  keep(id, batch)
  leave(id)
end

-- ---- a portion ----

-- Closes what was noted: if its commands were not asked, because the handler was cancelled or the store
-- takes no writes, they are the next ones.
local NOTED = {
  __close = function(noted)
    local batch = not noted.asked and store.get(PREFIX .. noted.id)
    if not batch then return end
    batch.back = batch.back or json.array()
    for _, cpid in ipairs(noted.cpids) do batch.back[#batch.back + 1] = cpid end
    batch.asked = batch.asked - #noted.cpids
    batch.ended = batch.cancelled
    keep(noted.id, batch)
    if not batch.cancelled then enter(noted.id) end
  end,
}

-- Why a command was not even queued, for people: "CP1: invalid, /type expected …".
local function what_of(cpid, result)
  local fault = result.errors and result.errors[1]
  local detail = fault and fault.pointer .. " " .. fault.message or result.why
  return string.format("%s: %s%s", cpid, result.status, detail and ", " .. detail or "")
end

-- Without a wait. How many were refused, and why the first was.
local function ask_all(id, batch, cpids)
  local refused, why = 0, nil
  for _, cpid in ipairs(cpids) do
    local result = core.command_start(cpid, {
      action = batch.action, payload = batch.payload, timeout = batch.timeout, by = batch.by, batch = id,
    })
    if not result.id then refused, why = refused + 1, why or what_of(cpid, result) end
  end
  return refused, why
end

-- Asks up to `most` more. False: it has ended, or cannot go on now.
local function portion(id, most)
  local batch = store.get(PREFIX .. id)
  if not batch or batch.ended then return leave(id) and false end
  local found = batch.back
  batch.back = nil
  if not found and not batch.listed then
    found, batch.after = next_ones(batch.filter, batch.after, most)
    batch.listed = not batch.after
  end
  if not found then return finish(id, batch) and false end
  batch.asked = batch.asked + #found
  keep(id, batch)
  local noted <close> = setmetatable({ id = id, cpids = found }, NOTED)
  if not core.stored() then return false end
  batch = store.get(PREFIX .. id)
  if not batch or batch.cancelled then return false end
  noted.asked = true
  local refused, why = ask_all(id, batch, found)
  batch.refused, batch.why = batch.refused + refused, batch.why or why
  if batch.listed and not batch.back then return finish(id, batch) and false end
  keep(id, batch)
  return true
end

-- One second's share of a batch.
local function step(id)
  local batch = store.get(PREFIX .. id)
  if not batch then return leave(id) end
  batch.credit = math.min(batch.credit + batch.pace, math.max(batch.pace, 1))
  local share = batch.credit // 1 | 0
  batch.credit = batch.credit - share
  keep(id, batch)
  while share > 0 and portion(id, math.min(share, PORTION)) do share = share - PORTION end
end

every("1s", function()
  for _, id in ipairs(running()) do step(id) end
end)

-- ---- routes ----

route("POST /api/v1/commands/{Action}", {
  query = {}, idempotent = true, scope = "operate",
  body = { filter = FILTER, payload = "object?", pace = "number?", timeout = "integer?" },
  doc = "One command to every charge point of a filter, `pace` a second (10), in the background. An empty filter "
     .. "is all of them.",
  answers = { [202] = "BatchStarted" },
}, function(req)
  local body = req.json
  local pace, filter = body.pace or PACE, body.filter
  if pace < 0.01 or pace > PACE_MAX then return rest.unfit("/pace", "expected a number from 0.01 to 1000") end
  if body.timeout and (body.timeout < 1 or body.timeout > 600) then return rest.unfit("/timeout", "expected 1 to 600 seconds") end
  if filter.cpids and #filter.cpids > LIST_MAX then return rest.unfit("/filter/cpids", "at most 1000; use more batches") end
  if filter.cpids then filter.cpids = distinct(filter.cpids) end
  local batch = {
    action = req.path.Action, filter = filter, payload = body.payload or {}, pace = pace, timeout = body.timeout,
    by = req.key, count = count(filter), asked = 0, refused = 0, credit = 0, startedMs = core.now_ms(),
  }
  if #json.encode(batch) > VALUE_MAX then return problem(413, "filter and payload together have more than 60 KiB") end
  local number = (store.get(LAST) or 0) + 1
  local id = tostring(number)
  store.set(LAST, number)
  keep(id, batch)
  enter(id)
  return 202, json.ordered({ "batch", "count" }, { batch = id, count = batch.count }),
         { Location = "/api/v1/batches/" .. id }
end)

local BATCH = {
  "batch", "action", "count", "asked", "refused", "why", "ended", "cancelled", "pace", "askedBy", "startedAt", "states",
}

local function shown(id, batch, states)
  return rest.item({
    batch = id, action = batch.action, count = batch.count, asked = batch.asked, refused = batch.refused, why = batch.why,
    ended = batch.ended or false, cancelled = batch.cancelled or false, pace = batch.pace, askedBy = batch.by,
    startedMs = batch.startedMs, states = states,
  }, BATCH, { startedMs = "startedAt" })
end

-- The batch of a path; nil and its id if there is none.
local function find(text)
  local id = string.match(text, "^%d+$") and #text < 20 and text
  return id and store.get(PREFIX .. id), id
end

-- How many commands of it are in which state; nil and the arguments of problem().
local function states_of(id)
  local states, cursor = {}, nil
  repeat
    local rows, next, status, why = rest.query("commands", { batch = id, limit = 200, cursor = cursor })
    if not rows then return nil, status, why end
    for _, row in ipairs(rows) do states[row.state] = (states[row.state] or 0) + 1 end
    cursor = next
  until not cursor
  return states
end

-- The oldest that may still be kept: those before it are not looked for again.
local function first()
  local number, last = store.get(FIRST) or 1, store.get(LAST) or 0
  local begun = number
  while number <= last and not store.get(PREFIX .. number) do number = number + 1 end
  if number ~= begun then store.set(FIRST, number) end
  return number
end

route("GET /api/v1/batches", {
  query = { limit = "limit", cursor = "integer?" }, answers = { [200] = rest.page_of "Batch" },
  doc = "Batches of the last week, newest first; states is null here.",
}, function(req)
  local limit, oldest, items = req.query.limit, first(), json.array()
  local number = store.get(LAST) or 0
  if req.query.cursor then number = math.min(number, req.query.cursor - 1) end
  while number >= oldest and #items < limit do
    local batch = store.get(PREFIX .. number)
    if batch then items[#items + 1] = shown(tostring(number), batch) end
    number = number - 1
  end
  return rest.page(items, number >= oldest and tostring(number + 1) or nil)
end)

route("GET /api/v1/batches/{batch}", {
  query = {}, doc = "How far a batch is: how many commands are in which state.", answers = { [200] = "Batch" },
}, function(req)
  local batch, id = find(req.path.batch)
  if not batch then return problem(404, "unknown batch") end
  local states, status, why = states_of(id)
  if not states then return problem(status, why) end
  return 200, shown(id, batch, states)
end)

route("GET /api/v1/batches/{batch}/commands", {
  query = { state = ask.STATES, limit = "limit", cursor = "string?" },
  doc = "What became of each command of a batch, newest first. Those that were refused before they were commands are not here.",
  answers = { [200] = rest.page_of "Command" },
}, function(req)
  local batch, id = find(req.path.batch)
  if not batch then return problem(404, "unknown batch") end
  local q = req.query
  local rows, next, status, why = rest.query("commands", { batch = id, state = q.state, limit = q.limit, cursor = q.cursor })
  if not rows then return problem(status, why) end
  return rest.page(ask.commands(rows), next)
end)

route("POST /api/v1/batches/{batch}/cancel", {
  query = {}, idempotent = true, answers = { [200] = "Batch" },
  doc = "Ends a batch: who was not asked yet is not asked. Commands that were asked go on.",
}, function(req)
  local batch, id = find(req.path.batch)
  if not batch then return problem(404, "unknown batch") end
  if batch.ended then return problem(409, "the batch has ended") end
  batch.cancelled = true
  finish(id, batch)
  local states, status, why = states_of(id)           -- it is on disk by then
  if not states then return problem(status, why) end
  return 200, shown(id, store.get(PREFIX .. id) or batch, states)
end)
