-- What goes on right now: connectors and open transactions. Kept from the existing system.
local rest = require "rest"

local SESSION = { "cpid", "connectorId", "idTag", "transactionId", "startTime", "vehicleId", "mac", "lastSample" }
local SAMPLE = { "timestamp", "energyWh", "powerW", "soc", "voltage", "current", "temperature" }
local STATUS = { "cpid", "connectorId", "status" }
local OVERVIEW = { "cpid", "connectorId", "status", "online", "active", "pending" }

local function session_of(tx)
  local sample = tx.sample
  if sample then
    sample.voltage, sample.current, sample.temperature = sample.voltageV, sample.currentA, sample.temperatureC
    sample.voltageV, sample.currentA, sample.temperatureC = nil, nil, nil
    tx.sample, tx.lastSample = nil, rest.item(sample, SAMPLE, { timestampMs = "timestamp" })
  end
  return rest.vehicle(rest.item(tx, SESSION, { startMs = "startTime" }))
end

local function sessions(cpid)
  local active = core.active(cpid)
  for _, tx in ipairs(active) do session_of(tx) end
  return active
end

route("GET /api/v1/active", { query = { cpid = "string?" }, doc = "Open transactions, oldest first." },
function(req)
  return 200, { sessions = sessions(req.query.cpid) }
end)

-- Connector 0 is the charge point itself, not a place to charge.
local function places(cpid)
  local found = json.array()
  for _, connector in ipairs(core.connectors(cpid)) do
    if connector.connectorId > 0 then found[#found + 1] = connector end
  end
  return found
end

route("GET /api/v1/status", { query = { cpid = "string?" }, doc = "The status of every connector." },
function(req)
  local connectors = places(req.query.cpid)
  return 200, { connectors = rest.items(connectors, STATUS, { statusMs = "since" }) }
end)

route("GET /api/v1/overview", { query = { cpid = "string?" }, doc = "Connectors with what charges there." },
function(req)
  local by_place = {}
  for _, session in ipairs(sessions(req.query.cpid)) do
    by_place[session.cpid .. "/" .. session.connectorId] = session
  end
  local connectors = places(req.query.cpid)
  for _, connector in ipairs(connectors) do
    connector.active = by_place[connector.cpid .. "/" .. connector.connectorId]
    rest.item(connector, OVERVIEW, { statusMs = "since" })
  end
  return 200, { connectors = connectors }
end)
