-- Stations: names that operators give to places. Kept from the existing system, where they are no
-- charge points; a station named like one shows its connectors. Persistent in the scripts' store.
local rest = require "rest"

local STATION = { "id", "name", "location", "connectors" }
local LAST, PREFIX, TEXT_MAX = "chargebridge/stations/last", "chargebridge/stations/", 255

local function connectors_of(name)
  local found = json.array()
  for _, connector in ipairs(core.connectors(name)) do
    if connector.connectorId > 0 then
      found[#found + 1] = json.ordered({ "id", "status" }, { id = connector.connectorId, status = connector.status })
    end
  end
  return found
end

local function station_of(id)
  local kept = id and store.get(PREFIX .. id)
  if not kept then return nil end
  return json.ordered(STATION, {
    id = id, name = kept.name, location = kept.location, connectors = connectors_of(kept.name),
  })
end

local function id_of(req)
  return string.match(req.path.id, "^%d+$") and math.tointeger(tonumber(req.path.id)) or nil
end

route("POST /api/v1/stations", {
  query = {}, body = { name = "string", location = "string?" }, idempotent = true, doc = "Adds a station.",
  answers = { [200] = "Station" },
}, function(req)
  if #req.json.name < 1 or #req.json.name > TEXT_MAX then return rest.unfit("/name", "expected 1 to 255 bytes") end
  if #(req.json.location or "") > TEXT_MAX then return rest.unfit("/location", "expected up to 255 bytes") end
  local id = (store.get(LAST) or 0) + 1
  store.set(PREFIX .. id, { name = req.json.name, location = req.json.location })
  store.set(LAST, id)
  return 200, station_of(id)
end)

route("GET /api/v1/stations", {
  key = false, query = {}, doc = "All stations.", answers = { [200] = { "Station" } },
}, function()
  local all = json.array()
  for id = 1, store.get(LAST) or 0 do all[#all + 1] = station_of(id) end
  return 200, all
end)

route("GET /api/v1/stations/{id}", {
  key = false, query = {}, doc = "One station.", answers = { [200] = "Station" },
}, function(req)
  local station = station_of(id_of(req))
  if not station then return problem(404, "Station not found") end
  return 200, station
end)

route("DELETE /api/v1/stations/{id}", { query = {}, doc = "Removes a station.", answers = { [200] = "Ok" } }, function(req)
  local id = id_of(req)
  if not station_of(id) then return problem(404, "Station not found") end
  store.set(PREFIX .. id, nil)
  return 200, { ok = true }
end)
