-- Soft cap: after three hours a session ends, unless the car still makes progress. The driver is told ten minutes before.
local notify = require "notify"

local CAP, WARNING, GRACE = hours(3), minutes(10), minutes(5)
local RATED_W = 120000                     -- of a connector, where the charge point has no ratingW

-- Any of: 1 % in 15 minutes; a mean of 8 % of the rating (1 kW at least), or 6 % of the rating as energy, in 10 minutes.
local function progresses(tx)
  local rated = tx.cp.rating_w or RATED_W
  local soc, power, energy = tx:window("soc", "15m"), tx:window("power", "10m"), tx:window("energy", "10m")
  return soc and soc.delta >= 1
      or power and power.mean >= math.max(0.08 * rated, 1000)
      or energy and energy.delta >= 0.06 * rated or false
end

function on.start(tx)
  tx:remind("cap warning", CAP - WARNING)
  tx:remind("cap", CAP)
end

function on.reminder(tx, name)
  if name == "cap warning" then
    if not progresses(tx) then notify(tx, "This session ends in 10 minutes") end
  elseif name == "cap" and not progresses(tx) then
    tx:remind("cap over", GRACE)
    notify(tx, "The session is over; it stops in 5 minutes")
  elseif name == "cap over" and not progresses(tx) then
    tx:stop "soft cap"
  elseif name == "cap" or name == "cap over" then
    tx:remind("cap", "1m")                 -- it makes progress: as long as it does
  end
end
