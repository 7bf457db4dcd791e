-- The configuration of charge points: what they told, what they are asked to change. What is kept is
-- the charger's word alone; secret keys are kept without their value.
local rest = require "rest"
local ask = require "ask"

local ENTRY = { "key", "value", "readonly", "unknown", "rebootRequired", "knownAt" }
local SLICE = 20                                      -- keys a question, until GetConfigurationMaxKeys is known

local function shown(row)
  row.rebootRequired, row.reboot, row.unknown = row.reboot or false, nil, row.unknown or false
  return rest.item(row, ENTRY, { knownMs = "knownAt" })
end

-- Everything that is known of a charge point, or of one key, as rows by key in capitals (keys have no case),
-- and the keys in their order; nil and a problem.
local function known(cpid, key)
  local by_key, order, cursor = {}, {}, nil
  repeat
    local rows, next, status, why = rest.query("configuration", { cpid = cpid, key = key, limit = 1000, cursor = cursor })
    if not rows then return nil, function() return problem(status, why) end end
    for _, row in ipairs(rows) do by_key[string.upper(row.key)], order[#order + 1] = row, row.key end
    cursor = next
  until not cursor
  return by_key, order
end

local function get(cpid, keys, by)
  return ask.payload(ask.command(cpid, {
    action = "GetConfiguration", payload = { key = keys and json.array(keys) }, by = by,
  }))
end

-- Asks for everything (C5): first without keys, then for what was known before and did not come, in
-- slices that the charger takes. nil, or a function that answers why not.
local function refresh(cpid, by)
  local before, order = known(cpid)
  if not before then return order end
  local answer, failed = get(cpid, nil, by)
  if not answer then return failed end
  local came = {}
  for _, entry in ipairs(answer.configurationKey or {}) do came[string.upper(entry.key)] = entry end
  local most = came.GETCONFIGURATIONMAXKEYS or before.GETCONFIGURATIONMAXKEYS
  local size = math.max(1, math.min(SLICE, math.tointeger(tonumber(most and most.value)) or SLICE))
  local missing = {}
  for _, key in ipairs(order) do
    local name = string.upper(key)
    if not came[name] and not before[name].unknown then missing[#missing + 1] = key end
  end
  for from = 1, #missing, size do
    answer, failed = get(cpid, { table.unpack(missing, from, math.min(from + size - 1, #missing)) }, by)
    if not answer then return failed end
  end
end

route("GET /api/v1/chargepoints/{cpid}/configuration", {
  query = { refresh = "boolean?", limit = "limit", cursor = "string?" },
  doc = "The configuration keys that a charge point told, in their order; refresh=true asks it again first.",
  answers = { [200] = rest.page_of "ConfigurationKey" },
}, function(req)
  local q, cp = req.query, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  local failed = q.refresh and not q.cursor and refresh(cp.cpid, req.key)
  if failed then return failed() end
  local rows, next, status, why = rest.query("configuration", { cpid = cp.cpid, limit = q.limit, cursor = q.cursor })
  if not rows then return problem(status, why) end
  for _, row in ipairs(rows) do shown(row) end
  return rest.page(rows, next)
end)

route("GET /api/v1/chargepoints/{cpid}/configuration/{key}", {
  query = { refresh = "boolean?" }, doc = "One key; refresh=true asks the charge point first.",
  answers = { [200] = "ConfigurationKey" },
}, function(req)
  local cp, key = core.chargepoint(req.path.cpid), req.path.key
  if not cp then return problem(404, "unknown charge point") end
  if req.query.refresh then
    local answer, failed = get(cp.cpid, { key }, req.key)
    if not answer then return failed() end
  end
  local rows, failed = known(cp.cpid, key)
  if not rows then return failed() end
  local row = rows[string.upper(key)]
  if not row then return problem(404, "nothing is known of this key; ?refresh=true asks the charge point") end
  return 200, shown(row)
end)

local WRITTEN = { "key", "value", "status", "sent" }

-- Writes one key if its value is another than the one we know (Q14). The outcome, or nil and a
-- function that answers why there is none.
local function write(cpid, row, key, value, force, by)
  if row and row.value == value and not row.reboot and not force then
    return json.ordered(WRITTEN, { key = key, value = value, status = "Accepted", sent = false })
  end
  local answer, failed = ask.payload(ask.command(cpid, {
    action = "ChangeConfiguration", payload = { key = key, value = value }, by = by,
  }))
  if not answer then return nil, failed end
  return json.ordered(WRITTEN, { key = key, value = value, status = answer.status, sent = true })
end

local FORCE = { force = "boolean?" }

route("PUT /api/v1/chargepoints/{cpid}/configuration/{key}", {
  query = FORCE, body = { value = "string" }, answers = { [200] = "ConfigurationWritten" },
  doc = "Changes one key if it is known to have another value (force=true: in any case). status: Accepted or "
     .. "RebootRequired; 409 when the charger says Rejected or NotSupported.",
}, function(req)
  local cp, key = core.chargepoint(req.path.cpid), req.path.key
  if not cp then return problem(404, "unknown charge point") end
  local rows, failed = known(cp.cpid, key)
  if not rows then return failed() end
  local written
  written, failed = write(cp.cpid, rows[string.upper(key)], key, req.json.value, req.query.force, req.key)
  if not written then return failed() end
  if written.status ~= "Accepted" and written.status ~= "RebootRequired" then
    return problem(409, "the charger answered " .. tostring(written.status), { response = { status = written.status } })
  end
  return 200, written
end)

route("PUT /api/v1/chargepoints/{cpid}/configuration", {
  query = FORCE, body = "json", answers = { [200] = "ConfigurationWrittenAll" },
  doc = "Changes several keys, { key: value, … }, those that are known to differ; what the charger said to each. "
     .. "Ends at the first that gets no answer.",
}, function(req)
  local cp, names = core.chargepoint(req.path.cpid), {}
  if not cp then return problem(404, "unknown charge point") end
  for key, value in pairs(req.json) do
    if type(key) ~= "string" then return rest.unfit("", "expected an object of texts by key") end
    if type(value) ~= "string" then return rest.unfit("/" .. key, "expected a string") end
    names[#names + 1] = key
  end
  table.sort(names)
  local rows, failed = known(cp.cpid)
  if not rows then return failed() end
  local items = json.array()
  for i, key in ipairs(names) do
    items[i], failed = write(cp.cpid, rows[string.upper(key)], key, req.json[key], req.query.force, req.key)
    if not items[i] then return failed() end
  end
  return 200, { items = items }
end)
