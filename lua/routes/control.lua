-- The endpoints of the first system: start, stop, release, availability, reset; its documented curl
-- lines work word for word. They answer what the charger said: `ok` means that it accepted.
--
-- hash: SHA-256 of cpid|connectorId|idTag|transactionId|timestamp|vid|kv, "-" for what is absent, kv
-- as sorted k=v joined by commas without a key `hash`. A request may bring its own; a wrong one is
-- logged. Where a policy says store.set("chargebridge/require_hash", true), a wrong or missing one is
-- refused with 422.
local rest = require "rest"
local ask = require "ask"

-- The charge point if it is connected; else nil and an answer.
local function connected(cpid)
  local cp = core.chargepoint(cpid)
  if cp and cp.online then return cp end
  return nil, function() return problem(404, string.format("ChargePoint '%s' not connected", cpid)) end
end

-- ---- the hash ----

-- { a = "1", b = "2" } of kv = "a=1,b=2" and of kvMap; the map wins.
local function pairs_of(body)
  local found
  for name, value in string.gmatch(body.kv or "", "([^=,]+)=([^,]*)") do
    found = found or {}
    found[string.match(name, "^%s*(.-)%s*$")] = value
  end
  for name, value in pairs(body.kvMap or {}) do
    found = found or {}
    found[name] = type(value) == "table" and json.encode(value) or tostring(value)
  end
  return found
end

local function sorted(kv)
  local parts = {}
  for name, value in pairs(kv or {}) do
    if name ~= "hash" then parts[#parts + 1] = name .. "=" .. value end
  end
  table.sort(parts)
  return #parts > 0 and table.concat(parts, ",") or nil
end

-- An integer stays one as text, whatever number type JSON made of it.
local function text_of(value)
  if value == nil or value == "" then return "-" end
  local whole = type(value) == "number" and math.tointeger(value)
  return tostring(whole or value)
end

local function hash_of(asked, kv)
  return core.sha256(table.concat({
    text_of(asked.cpid), text_of(asked.connectorId), text_of(asked.idTag), text_of(asked.transactionId),
    text_of(asked.timestamp), text_of(asked.vid), text_of(sorted(kv)),
  }, "|"))
end

-- False: the request's own hash is wrong and must not be. `hash` is that of the answer; `as_asked` that of
-- the request where it names less.
local function hash_fits(body, hash, as_asked)
  local given = body.hash and string.lower(body.hash)
  if given and (given == hash or given == as_asked) then return true end
  if store.get("chargebridge/require_hash") then return false end
  if body.hash then log.warn("request for %s: its hash is wrong, expected %s", tostring(body.cpid), hash) end
  return true
end

-- ---- start ----

local START = {
  cpid = "string", connectorId = "integer?", id_tag = "string?", idTag = "string?", transactionId = "any?",
  timestamp = "any?", vid = "string?", kv = "string?", kvMap = "object?", hash = "string?",
}
local STARTED = { "ok", "hash", "message" }

-- What the transaction that comes of it will know (tx.vars): the vehicle, and the caller's own pairs.
local function vars_of(body, kv)
  local vars = { vehicleId = body.vid, mac = body.vid and string.match(string.upper(body.vid), "^VID:(%x+)$"), kv = kv }
  return next(vars) and vars
end

route("POST /api/v1/start", {
  query = {}, body = START, idempotent = true, answers = { [200] = "Started" },
  doc = "Starts charging from afar; 200 once the charger accepted.",
}, function(req)
  local body = req.json
  local idTag = body.idTag or body.id_tag
  if not idTag then return rest.unfit("/id_tag", "missing") end
  local kv = pairs_of(body)
  local hash = hash_of({
    cpid = body.cpid, connectorId = body.connectorId, idTag = idTag, transactionId = body.transactionId,
    timestamp = body.timestamp, vid = body.vid,
  }, kv)
  if not hash_fits(body, hash) then return rest.unfit("/hash", "does not fit the request") end
  local cp, absent = connected(body.cpid)
  if not cp then return absent() end
  local result = ask.command(cp.cpid, {
    action = "RemoteStartTransaction", by = req.key, vars = vars_of(body, kv),
    payload = { connectorId = body.connectorId, idTag = idTag },
  })
  local answer, failed = ask.word(result, "Accepted")
  if not answer then return failed() end
  return 200, json.ordered(STARTED, { ok = true, hash = hash, message = "RemoteStartTransaction sent" })
end)

-- ---- stop ----

local STOP = {
  cpid = "string?", transactionId = "integer?", connectorId = "integer?", id_tag = "string?", idTag = "string?",
  timestamp = "any?", vid = "string?", kv = "string?", kvMap = "object?", hash = "string?",
}

local function same_tag(a, b) return not a or (b and string.upper(a) == string.upper(b)) end
local function same_cp(a, b) return not a or string.upper(a) == string.upper(b) end

-- The open transaction that is meant, by its number, its place or its tag.
local function meant(body, idTag)
  if body.transactionId then
    local tx = core.transaction(body.transactionId)
    return tx and same_cp(body.cpid, tx.cpid) and tx or nil
  end
  for _, tx in ipairs(core.active { cpid = body.cpid }) do
    if (not body.connectorId or tx.connectorId == body.connectorId) and same_tag(idTag, tx.idTag) then return tx end
  end
end

-- Asks the charger to end `tx`; nil, or a function that answers why it did not.
local function stop(tx, key)
  local result = ask.command(tx.cpid, {
    action = "RemoteStopTransaction", payload = { transactionId = tx.transactionId }, by = key,
  })
  local answer, failed = ask.word(result, "Accepted")
  return not answer and failed or nil
end

route("POST /api/v1/stop", {
  query = {}, body = STOP, idempotent = true, answers = { [200] = "Stopped" },
  doc = "Ends a transaction from afar: by cpid and transactionId, by cpid and connectorId, or by idTag.",
}, function(req)
  local body = req.json
  local idTag = body.idTag or body.id_tag
  if not body.transactionId and not idTag and not (body.cpid and body.connectorId) then
    return problem(422, "which one? give transactionId, or cpid and connectorId, or idTag")
  end
  local tx = meant(body, idTag)
  if not tx then return problem(404, "No matching active transaction") end
  local kv, asked = pairs_of(body), {
    cpid = body.cpid, connectorId = body.connectorId, idTag = idTag, transactionId = body.transactionId,
    timestamp = body.timestamp, vid = body.vid,
  }
  local as_asked = hash_of(asked, kv)
  asked.cpid, asked.transactionId = body.cpid or tx.cpid, tx.transactionId
  local hash = hash_of(asked, kv)
  if not hash_fits(body, hash, as_asked) then return rest.unfit("/hash", "does not fit the request") end
  local failed = stop(tx, req.key)
  if failed then return failed() end
  return 200, json.ordered({ "ok", "transactionId", "hash", "message" }, {
    ok = true, transactionId = tx.transactionId, hash = hash, message = "RemoteStopTransaction sent",
  })
end)

local PLACE = { cpid = "string", connectorId = "integer" }

route("POST /charge/stop", {
  query = {}, body = PLACE, idempotent = true, answers = { [200] = "StoppedAt" },
  doc = "Ends the transaction of a connector.",
}, function(req)
  local tx = meant({ cpid = req.json.cpid, connectorId = req.json.connectorId })
  if not tx then return problem(404, "No active transaction for this connector") end
  local failed = stop(tx, req.key)
  if failed then return failed() end
  return 200, json.ordered({ "ok", "transactionId", "message" }, {
    ok = true, transactionId = tx.transactionId, message = "RemoteStopTransaction sent",
  })
end)

-- ---- release, availability, reset ----

route("POST /api/v1/release", {
  query = {}, body = PLACE, idempotent = true, answers = { [200] = "Sent" },
  doc = "Unlocks a connector and forgets its pending start; 400 while a transaction runs.",
}, function(req)
  local cpid, connectorId = req.json.cpid, req.json.connectorId
  if connectorId < 1 then return rest.unfit("/connectorId", "expected an integer from 1 on") end
  local cp, absent = connected(cpid)
  if not cp then return absent() end
  if meant { cpid = cpid, connectorId = connectorId } then return problem(400, "Connector has active transaction") end
  core.pending_drop(cp.cpid, connectorId)
  local result = ask.command(cp.cpid, { action = "UnlockConnector", payload = { connectorId = connectorId }, by = req.key })
  local answer, failed = ask.word(result, "Unlocked")
  if not answer then return failed() end
  return 200, json.ordered({ "ok", "message" }, { ok = true, message = "UnlockConnector sent" })
end)

route("POST /api/v1/availability", {
  query = {}, body = { cpid = "string", connectorId = "integer", available = "boolean" }, idempotent = true,
  answers = { [200] = "Scheduled" }, doc = "Takes a connector (0: all) out of service, or back.",
}, function(req)
  local body = req.json
  if body.connectorId < 0 then return rest.unfit("/connectorId", "expected an integer from 0 on") end
  local cp, absent = connected(body.cpid)
  if not cp then return absent() end
  local result = ask.command(cp.cpid, {
    action = "ChangeAvailability", by = req.key,
    payload = { connectorId = body.connectorId, type = body.available and "Operative" or "Inoperative" },
  })
  local answer, failed = ask.word(result, "Accepted", "Scheduled")
  if not answer then return failed() end
  return 200, json.ordered({ "ok", "status" }, { ok = true, status = answer.status })
end)

route("POST /api/v1/reset", {
  query = {}, body = { cpid = "string", type = "string" }, idempotent = true, answers = { [200] = "Scheduled" },
  doc = "Restarts a charge point: Soft ends its transactions first, Hard does not.",
}, function(req)
  local kind = req.json.type
  if kind ~= "Hard" and kind ~= "Soft" then return problem(400, 'type is "Hard" or "Soft"') end
  local cp, absent = connected(req.json.cpid)
  if not cp then return absent() end
  local answer, failed = ask.word(ask.command(cp.cpid, { action = "Reset", payload = { type = kind }, by = req.key }), "Accepted")
  if not answer then return failed() end
  return 200, json.ordered({ "ok", "status" }, { ok = true, status = answer.status })
end)
