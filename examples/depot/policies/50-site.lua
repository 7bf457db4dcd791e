-- Shares the fuse of a depot between the cars that want power.
--
-- Try it:   chargebridge check examples/depot/policies
-- Run it:   chargebridge --policies examples/depot/policies   (or copy this file into your own folder)
--
-- The core does the careful part: it sends a lower limit at once, raises another only when the first car had time
-- to follow, sends nothing that is the same, and sends it all again to a charger that was away. What is left here
-- is who gets how much.
--
-- failsafe is what a connector may have while the server is away. Twenty connectors at 6 A would be more than this
-- fuse carries, so cars that come then wait for the server (0); those that charge already keep what they have.
site "depot" { chargers = "*", fuse = 100, failsafe = 0 }

local LEAST = 6    -- amps; IEC 61851 has nothing between 0 and 6 A
local MOST = 32    -- amps; what the cables of this depot carry
local TURN = 1.0   -- kWh; if there are too many cars, one that waits takes its turn when it is so far behind

-- Too many cars for 6 A each: those that had least so far charge, the others wait. Who charges already goes on
-- until it is TURN ahead, so that they do not change places all the time.
local function choose(cars, seats)
  local behind = {}
  for _, tx in ipairs(cars) do
    behind[tx.id] = (tx.kwh or 0) - ((tx.limit_amps or 0) > 0 and TURN or 0)
  end
  table.sort(cars, function(a, b)
    if behind[a.id] ~= behind[b.id] then return behind[a.id] < behind[b.id] end
    return a.id < b.id
  end)
  local chosen = {}
  for place, tx in ipairs(cars) do chosen[tx.id] = place <= seats end
  return chosen
end

function on.rebalance(site)
  local cars = site:charging()
  local room = site.fuse - site.base_load
  local seats = math.max(0, room // LEAST)
  local chosen = choose(cars, seats)
  table.sort(cars, function(a, b) return a.id < b.id end)

  local left = math.min(#cars, seats)
  for _, tx in ipairs(cars) do
    local amps = 0
    if chosen[tx.id] then
      amps = math.min(tx.max_amps, MOST, room // left)
      room, left = room - amps, left - 1
    end
    tx:limit { amps = amps }
  end

  -- A full car may go on with something small (preconditioning) if nobody else needs it.
  for _, tx in ipairs(site:idle()) do
    local amps = room >= LEAST and LEAST or 0
    room = room - amps
    tx:limit { amps = amps }
  end
end
