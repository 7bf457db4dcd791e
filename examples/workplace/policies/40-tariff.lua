-- Staff pay night or day energy, and for a place that they keep after the car is full; fleet and visitors pay nothing.
local DAY, NIGHT, IDLE, IDLE_FREE = 0.48, 0.29, 0.10, 30   -- EUR/kWh, EUR/kWh, EUR/min, minutes
local PAYS = { STAFF = true, NIGHT = true }

function on.price(tx)
  if not PAYS[tx.parentIdTag or ""] then return { currency = "EUR", tariff = "free", energy = 0 } end
  local energy = 0
  for q in tx:slices "15m" do                              -- metered quarter hours in site time
    local night = q.hour >= 22 or q.hour < 6
    energy = energy + q.kwh * (night and NIGHT or DAY)
  end
  local idle = math.max(0, tx.idle_minutes - IDLE_FREE) * IDLE
  return { currency = "EUR", tariff = "2026-11", energy = energy, idle = idle }
end
