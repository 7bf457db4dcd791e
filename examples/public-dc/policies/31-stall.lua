-- Stalled, or full: less than 1 % in 20 minutes at less than 1.5 kW. The driver is told, five minutes later it stops.
local notify = require "notify"

local SPAN, LOW_W, GRACE = "20m", 1500, minutes(5)

local function is_stalled(tx)
  local soc, power = tx:window("soc", SPAN), tx:window("power", SPAN)
  if not power or power.seconds < duration(SPAN) - 120 then return false end      -- not known for long enough
  return power.mean < LOW_W and (not soc or soc.delta < 1)
end

function on.meter(tx)
  local stalled = is_stalled(tx)
  if stalled == (tx.vars.stalled or false) then return end
  tx.vars.stalled = stalled
  tx:remind("stalled", stalled and GRACE or nil)                                  -- nil takes it back
  if stalled then notify(tx, "The car takes no power; the session stops in 5 minutes") end
end

function on.reminder(tx, name)
  if name == "stalled" then tx:stop "stalled" end
end
