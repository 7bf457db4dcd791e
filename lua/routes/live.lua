-- What goes on right now: connectors and open transactions. Kept from the existing system, where each is one
-- answer for the whole site: it is gathered in slices, so that chargers are served in between.
local rest = require "rest"

local SESSION = { "cpid", "connectorId", "idTag", "transactionId", "startTime", "vehicleId", "mac", "lastSample" }
local SAMPLE = { "timestamp", "energyWh", "powerW", "soc", "voltage", "current", "temperature" }
local STATUS = { "cpid", "connectorId", "status" }
local OVERVIEW = { "cpid", "connectorId", "status", "online", "active", "pending" }
local PENDING = { "station_id", "connector_id", "id_tag", "vid", "mac", "created_at" }
local SLICE = 200

local function session_of(tx)
  local sample = tx.sample
  if sample then
    sample.voltage, sample.current, sample.temperature = sample.voltageV, sample.currentA, sample.temperatureC
    sample.voltageV, sample.currentA, sample.temperatureC = nil, nil, nil
    tx.sample, tx.lastSample = nil, rest.item(sample, SAMPLE, { timestampMs = "timestamp" })
  end
  return rest.vehicle(rest.item(tx, SESSION, { startMs = "startTime" }))
end

-- All of what `slice(after)` gives in parts: a list, and where to go on.
local function gathered(slice, each)
  local all, after = json.array(), nil
  repeat
    local part
    part, after = slice(after)
    for _, item in ipairs(part) do
      item = each(item)
      if item then all[#all + 1] = item end
    end
    if after then core.pause() end
  until not after
  return all
end

local function sessions(cpid)
  return gathered(function(after) return core.active { cpid = cpid, after = after, limit = SLICE } end, session_of)
end

-- Connector 0 is the charge point itself, not a place to charge.
local function places(cpid, each)
  return gathered(function(after) return core.connectors { cpid = cpid, after = after, limit = SLICE } end,
    function(connector) return connector.connectorId > 0 and each(connector) or nil end)
end

-- With what it would cost if it ended now; on.price is the operator's, so others get their turn in between.
local COSTED = 20
local function with_costs(all)
  for i, session in ipairs(all) do
    session.cost = rest.cost(core.cost(session.transactionId))
    if i % COSTED == 0 then core.pause() end
  end
  return all
end

route("GET /api/v1/active", {
  query = { cpid = "string?", cost = "boolean?" }, answers = { [200] = "Active" },
  doc = "Open transactions, oldest first; cost=true: with what each would cost if it ended now, by on.price.",
}, function(req)
  local all = sessions(req.query.cpid)
  return 200, { sessions = req.query.cost and with_costs(all) or all }
end)

route("GET /api/v1/status", {
  query = { cpid = "string?" }, doc = "The status of every connector.", answers = { [200] = "Status" },
}, function(req)
  return 200, { connectors = places(req.query.cpid, function(connector)
    return rest.item(connector, STATUS, { statusMs = "since" })
  end) }
end)

-- ---- starts that wait for their vehicle ----

local function pending_of(start)
  local session = rest.vehicle { idTag = start.idTag, vars = start.vars }
  return json.ordered(PENDING, {
    station_id = start.cpid, connector_id = start.connectorId, id_tag = start.idTag, vid = session.vehicleId,
    mac = session.mac, created_at = core.time(start.createdMs),
  })
end

route("GET /api/v1/pending", {
  query = { cpid = "string?" }, answers = { [200] = { "Pending" } },
  doc = "Remote starts that the charger accepted and that wait for their transaction, oldest first.",
}, function(req)
  local all = json.array()
  for i, start in ipairs(core.pending(req.query.cpid)) do all[i] = pending_of(start) end
  return 200, all
end)

route("GET /api/v1/overview", {
  query = { cpid = "string?" }, doc = "Connectors with what charges there, or waits to.", answers = { [200] = "Overview" },
}, function(req)
  local charging, waiting, cpid = {}, {}, req.query.cpid
  for _, session in ipairs(sessions(cpid)) do charging[session.cpid .. "/" .. session.connectorId] = session end
  for _, start in ipairs(core.pending(cpid)) do
    waiting[start.cpid .. "/" .. (start.connectorId or "")] = pending_of(start)
  end
  return 200, { connectors = places(cpid, function(connector)
    local place = connector.cpid .. "/" .. connector.connectorId
    connector.active, connector.pending = charging[place], waiting[place]
    return rest.item(connector, OVERVIEW, { statusMs = "since" })
  end) }
end)
