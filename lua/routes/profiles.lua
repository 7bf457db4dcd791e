-- Charging profiles: what each charger accepted, the limit that all of it makes, and setting a plain
-- limit without spelling a profile. Anything finer: POST …/commands/SetChargingProfile.
local rest = require "rest"
local ask = require "ask"

local PROFILE = {
  "cpid", "connectorId", "chargingProfileId", "stackLevel", "purpose", "transactionId", "acceptedAt", "profile",
}
local PURPOSES = "ChargePointMaxProfile|TxDefaultProfile|TxProfile"
local LAST, ID_MAX = "chargebridge/profiles/last", 2147483647
local HOURS, HOURS_MAX = 1, 7 * 24

-- All profiles of a charge point: nil and a problem when the store fails.
local function all_of(cpid)
  local found, cursor = json.array(), nil
  repeat
    local rows, next, status, why = rest.query("profiles", { cpid = cpid, limit = 1000, cursor = cursor })
    if not rows then return nil, function() return problem(status, why) end end
    for _, row in ipairs(rows) do found[#found + 1] = row end
    cursor = next
  until not cursor
  return found
end

route("GET /api/v1/profiles", {
  query = { cpid = "string?", connectorId = "integer?", purpose = PURPOSES .. "?", limit = "limit", cursor = "string?" },
  doc = "Charging profiles that chargers accepted, newest first.", answers = { [200] = rest.page_of "Profile" },
}, function(req)
  local q = req.query
  local rows, next, status, why = rest.query("profiles", {
    cpid = rest.identity(q.cpid), connectorId = q.connectorId, purpose = q.purpose, limit = q.limit, cursor = q.cursor,
  })
  if not rows then return problem(status, why) end
  return rest.page(rest.items(rows, PROFILE, { acceptedMs = "acceptedAt" }), next)
end)

-- Where the limit is asked for: the connector, and the transaction that TxProfiles belong to.
local function place_of(cpid, connectorId)
  local place = { connectorId = connectorId }
  for _, tx in ipairs(core.active { cpid = cpid }) do
    if tx.connectorId == connectorId then place.transactionId, place.sessionStartMs = tx.transactionId, tx.startMs end
  end
  return place
end

local COMPOSITE = { "connectorId", "from", "duration", "chargingSchedule" }

route("GET /api/v1/chargepoints/{cpid}/profiles", {
  query = { hours = "integer?", unit = "A|W?" },
  doc = "The profiles of a charge point and, for each connector (0: the whole), the limit that they make from now on "
     .. "(composite; computed here, from what the charger accepted). chargingSchedule is null without any limit.",
  answers = { [200] = "ChargePointProfiles" },
}, function(req)
  local hours, cp = req.query.hours or HOURS, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  if hours < 1 or hours > HOURS_MAX then return problem(400, "hours is 1 to 168") end
  local rows, failed = all_of(cp.cpid)
  if not rows then return failed() end
  local from, profiles, composite = core.now_ms(), {}, json.array()
  for i, row in ipairs(rows) do profiles[i] = { connectorId = row.connectorId, profile = row.profile } end
  for i, connector in ipairs(cp.connectors) do
    local place = place_of(cp.cpid, connector.connectorId)
    composite[i] = json.ordered(COMPOSITE, {
      connectorId = connector.connectorId, from = core.time(from), duration = hours * 3600,
      chargingSchedule = core.composite(profiles, place, from, hours * 3600, req.query.unit or "W"),
    })
  end
  rest.items(rows, PROFILE, { acceptedMs = "acceptedAt" })
  return 200, json.ordered({ "items", "composite" }, { items = rows, composite = composite })
end)

-- ---- a plain limit ----

local LIMIT = {
  connectorId = "integer", limitW = "number?", limitA = "number?", purpose = PURPOSES .. "?", stackLevel = "integer?",
  chargingProfileId = "integer?", validTo = "time?",
}

-- The units that the charger told it takes; what is not known is taken for both.
local function units_of(cpid)
  local rows, _, status, why = rest.query("configuration", { cpid = cpid, key = "ChargingScheduleAllowedChargingRateUnit" })
  if not rows then return nil, function() return problem(status, why) end end
  local told = rows[1] and rows[1].value or ""
  local amperes, watts = string.find(told, "Current", 1, true), string.find(told, "Power", 1, true)
  return { A = amperes ~= nil or not watts, W = watts ~= nil or not amperes }
end

local WATTS_PER_AMPERE = 3 * 230                        -- numberPhases is not given: three

-- Unit and limit, in a unit that the charger takes (Q28), with one decimal, never more than was asked (P3).
local function limit_of(body, units)
  local unit, limit = body.limitW and "W" or "A", body.limitW or body.limitA
  if not units[unit] then
    unit, limit = unit == "W" and "A" or "W", unit == "W" and limit / WATTS_PER_AMPERE or limit * WATTS_PER_AMPERE
  end
  return unit, math.floor(limit * 10 + 1e-6) / 10
end

local LIMIT_MAX = 1000000000

-- Why such a body makes no sense, as pointer and message (P1).
local function fault_of(body, purpose)
  local limit = body.limitW or body.limitA
  if limit < 0 or limit > LIMIT_MAX then
    return body.limitW and "/limitW" or "/limitA", "expected a number from 0 to " .. LIMIT_MAX
  end
  if body.connectorId < 0 then return "/connectorId", "expected an integer from 0 on" end
  if body.stackLevel and body.stackLevel < 0 then return "/stackLevel", "expected an integer from 0 on" end
  if body.validTo and parse_time(body.validTo) <= now() then return "/validTo", "is past" end
  if purpose == "ChargePointMaxProfile" and body.connectorId ~= 0 then
    return "/connectorId", "ChargePointMaxProfile is for connector 0"
  end
  if purpose == "TxProfile" and body.connectorId == 0 then return "/connectorId", "TxProfile is for one connector" end
end

-- The profile of such a body, and nil; or nil and a function that answers why there is none (P1, P3).
local function profile_of(body, cpid)
  local purpose = body.purpose or (body.connectorId == 0 and "ChargePointMaxProfile" or "TxDefaultProfile")
  local pointer, message = fault_of(body, purpose)
  if pointer then return nil, function() return rest.unfit(pointer, message) end end
  local units, failed = units_of(cpid)
  if not units then return nil, failed end
  local unit, limit = limit_of(body, units)
  local profile = {
    chargingProfileId = body.chargingProfileId, stackLevel = body.stackLevel or 0, chargingProfilePurpose = purpose,
    chargingProfileKind = "Relative", validTo = body.validTo and timestamp(parse_time(body.validTo)),
    chargingSchedule = { chargingRateUnit = unit, chargingSchedulePeriod = { { startPeriod = 0, limit = limit } } },
  }
  if purpose == "ChargePointMaxProfile" then             -- has no session to be relative to
    profile.chargingProfileKind, profile.chargingSchedule.startSchedule = "Absolute", timestamp(now() - 60)
  elseif purpose == "TxProfile" then
    profile.transactionId = place_of(cpid, body.connectorId).transactionId
    if not profile.transactionId then
      return nil, function() return problem(409, "no transaction runs on this connector") end
    end
  end
  return profile
end

-- An id of our own that no profile of this charge point has: the same id would replace it (P2).
local function free_id(cpid)
  local rows, failed = all_of(cpid)
  if not rows then return nil, failed end
  local taken, id = {}, store.get(LAST) or 0
  for _, row in ipairs(rows) do taken[row.chargingProfileId] = true end
  repeat id = id % ID_MAX + 1 until not taken[id]
  store.set(LAST, id)
  return id
end

local SET = { "chargingProfileId", "status", "profile" }

route("PUT /api/v1/chargepoints/{cpid}/profiles", {
  query = {}, body = LIMIT, answers = { [200] = "ProfileSet" },
  doc = "Sets a constant limit, limitW or limitA, in the unit that the charger is known to take: for the charge point (connectorId 0), for every session of a "
     .. "connector, or with purpose TxProfile for the one that runs. 409 unless the charger accepts.",
}, function(req)
  local body, cp = req.json, core.chargepoint(req.path.cpid)
  if not cp then return problem(404, "unknown charge point") end
  if (body.limitW == nil) == (body.limitA == nil) then return problem(422, "give either limitW or limitA") end
  local profile, failed = profile_of(body, cp.cpid)
  if not profile then return failed() end
  if not profile.chargingProfileId then
    profile.chargingProfileId, failed = free_id(cp.cpid)
    if not profile.chargingProfileId then return failed() end
  end
  local answer
  answer, failed = ask.word(ask.command(cp.cpid, {
    action = "SetChargingProfile", payload = { connectorId = body.connectorId, csChargingProfiles = profile }, by = req.key,
  }), "Accepted")
  if not answer then return failed() end
  return 200, json.ordered(SET, { chargingProfileId = profile.chargingProfileId, status = answer.status, profile = profile })
end)

route("DELETE /api/v1/chargepoints/{cpid}/profiles", {
  query = { chargingProfileId = "integer?", connectorId = "integer?", purpose = PURPOSES .. "?", stackLevel = "integer?" },
  doc = "Clears the profiles that fit all that is given (chargingProfileId alone decides where it is given); without "
     .. "anything all of them. 404 when the charger has none that fits.",
  answers = { [200] = "Ok" },
}, function(req)
  local q = req.query
  local answer, failed = ask.word(ask.command(req.path.cpid, {
    action = "ClearChargingProfile", by = req.key,
    payload = {
      id = q.chargingProfileId, connectorId = q.connectorId, chargingProfilePurpose = q.purpose, stackLevel = q.stackLevel,
    },
  }), "Accepted", "Unknown")
  if not answer then return failed() end
  if answer.status == "Unknown" then return problem(404, "the charger has no such profile") end
  return 200, { ok = true }
end)
