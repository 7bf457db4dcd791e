-- Sessions by hand: bookkeeping without OCPP, for places that have no charger we speak to. Kept from
-- the first system. One value in the scripts' store for each connector in use, one for each vehicle.
local rest = require "rest"

local LAST = "chargebridge/sessions/last"
local OPEN, VEHICLE = "chargebridge/sessions/open/", "chargebridge/sessions/vehicle/"
local HISTORY, NAME_MAX = 100, 128
local SESSION = { "transactionId", "connectorId", "vehicleId", "startTime", "stopTime", "kWhDelivered" }

local function shown(session)
  return session and json.ordered(SESSION, {
    transactionId = session.transactionId, connectorId = session.connectorId, vehicleId = session.vehicleId,
    startTime = core.time(session.startMs), stopTime = core.time(session.stopMs), kWhDelivered = session.kWhDelivered,
  })
end

-- Without what JSON would have to escape: a hundred sessions must fit into one value.
local function is_name(text) return #text >= 1 and #text <= NAME_MAX and not string.find(text, '[%c"\\]') end
local NAME_RULE = "1 to 128 bytes without control characters, \" and \\"

route("POST /api/v1/sessions/{connectorId}/start", {
  query = {}, body = { vehicleId = "string" }, idempotent = true, answers = { [200] = "SessionStarted" },
  doc = "Notes that a vehicle charges at a place of yours; without OCPP.",
}, function(req)
  local place, vehicleId = req.path.connectorId, req.json.vehicleId
  if not is_name(place) then return problem(404, "a connector's name has " .. NAME_RULE) end
  if not is_name(vehicleId) then return rest.unfit("/vehicleId", "expected " .. NAME_RULE) end
  if store.get(OPEN .. place) then return problem(409, "Connector has active session") end
  local vehicle = store.get(VEHICLE .. vehicleId) or { history = json.array() }
  if vehicle.current then return problem(409, "Vehicle has active session") end
  local id = (store.get(LAST) or 0) + 1
  local session = { transactionId = id, connectorId = place, vehicleId = vehicleId, startMs = core.now_ms() }
  store.set(LAST, id)
  store.set(OPEN .. place, session)
  vehicle.current = session
  store.set(VEHICLE .. vehicleId, vehicle)
  return 200, { transactionId = id }
end)

route("POST /api/v1/sessions/{connectorId}/stop", {
  query = {}, body = { kWhDelivered = "number" }, idempotent = true, answers = { [200] = "SessionStopped" },
  doc = "Notes that it is done, and the energy.",
}, function(req)
  local place = req.path.connectorId
  local session = is_name(place) and store.get(OPEN .. place)
  if not session then return problem(404, "No active session for this connector") end
  if req.json.kWhDelivered < 0 then return rest.unfit("/kWhDelivered", "expected a number from 0 on") end
  session.stopMs, session.kWhDelivered = core.now_ms(), req.json.kWhDelivered
  local vehicle = store.get(VEHICLE .. session.vehicleId) or { history = {} }
  local history = json.array { session }                -- newest first
  for i = 1, math.min(#vehicle.history, HISTORY - 1) do history[i + 1] = vehicle.history[i] end
  store.set(VEHICLE .. session.vehicleId, { history = history })
  store.set(OPEN .. place, nil)
  return 200, { session = shown(session) }
end)

route("GET /api/v1/sessions/{vehicleId}", {
  query = {}, answers = { [200] = "VehicleSessions" }, doc = "What a vehicle does now and did before, newest first.",
}, function(req)
  local vehicle = is_name(req.path.vehicleId) and store.get(VEHICLE .. req.path.vehicleId)
  if not vehicle then return problem(404, "No session for this vehicle") end
  local history = json.array()
  for i, session in ipairs(vehicle.history) do history[i] = shown(session) end
  return 200, json.ordered({ "current", "history" }, { current = shown(vehicle.current), history = history })
end)
