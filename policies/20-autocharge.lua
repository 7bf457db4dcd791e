-- Autocharge: a charger that knows its car by the MAC of the charging cable tells it in a DataTransfer
-- "MacID", right before it presents a card. The car is noted on the session, whatever card pays for it.
-- Where the car is its own card ("VID:" and the MAC), the allow-list has a line for it like for any card.
local FRESH = minutes(5)       -- how long what was told may wait for its session

-- "VID:02A0C0000001", "02A0C0000001" and "02:a0:c0:00:00:01" are the same car.
local function mac_of(data)
  local hex = string.gsub(string.gsub(string.upper(data or ""), "^VID:", ""), "[:%-]", "")
  return #hex == 12 and not string.find(hex, "%X") and hex or nil
end

-- The connector of a remote start that waits here and knows no car yet.
local function waiting(cp)
  for id in pairs(cp.connectors) do
    local start = cp:pending(id)
    if start and not start.vars.vehicleId then return id end
  end
end

function on.DataTransfer(cp, req)
  if req.messageId ~= "MacID" then return end                -- no opinion: UnknownVendorId
  local mac = mac_of(req.data)
  if not mac then
    log.warn("%s told a MacID that is none: %s", cp.id, req.data)
    return "Rejected"
  end
  local car = { vehicleId = "VID:" .. mac, mac = mac }
  local connector = waiting(cp)
  if connector then
    cp:note_pending(connector, car)
  else
    cp.vars.car = { vehicleId = car.vehicleId, mac = mac, at = now() }
  end
  return "Accepted"
end

function on.start(tx)
  local car = tx.cp.vars.car
  if not car then return end
  tx.cp.vars.car = nil                                       -- one car, one session
  if tx.vars.vehicleId or now() - car.at > FRESH then return end
  tx.vars.vehicleId, tx.vars.mac = car.vehicleId, car.mac
end
