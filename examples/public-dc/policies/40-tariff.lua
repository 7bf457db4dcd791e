-- What a session costs: energy by the time of day, and idle time after the car is full. A session that the station broke off
-- before it was worth anything costs nothing.
local tariff = require "tariff"

local OUR_FAULT = { EmergencyStop = true, PowerLoss = true, HardReset = true, OtherError = true }
local WORTH_KWH = 1

local function energy(tx)
  local sum = 0
  for q in tx:slices "15m" do                          -- metered quarter hours in site time
    local night = q.hour >= 22 or q.hour < 6
    sum = sum + q.kwh * (night and tariff.night_per_kwh or tariff.per_kwh)
  end
  return sum
end

function on.price(tx)
  if OUR_FAULT[tx.stop_reason or ""] and (tx.kwh or 0) < WORTH_KWH then
    return { currency = tariff.currency, tariff = tariff.name, waived = 0, why = tx.stop_reason }
  end
  local idle = math.max(0, tx.idle_minutes - tariff.idle_free) * tariff.idle_per_minute
  return { currency = tariff.currency, tariff = tariff.name, energy = energy(tx), idle = idle }
end
