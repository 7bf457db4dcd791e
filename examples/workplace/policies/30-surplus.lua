-- Sun first: the cars share what the roof makes and the house does not need; never less than they need to go on charging,
-- never more than the fuse. The meter is an HTTP service: GET …/meter answers {"surplus_w": 7400}.
local METER = "http://meter.example.org/meter"             -- policies.http_hosts = meter.example.org
local MIN = 6                                              -- A; IEC 61851 has nothing between 0 and 6 A
local OLD = minutes(2)                                     -- a reading is no longer believed after so long

site "workplace" { chargers = "*", fuse = 63, phases = 3, failsafe = 6 }

every("15s", function()
  local answer, err = http.get(METER, { timeout = "3s" })
  local watts = answer and answer.status == 200 and answer.json and tonumber(answer.json.surplus_w)
  if not watts then return log.warn("roof meter: %s", err or answer.status) end
  site("workplace").vars.surplus = { watts = watts, at = now() }
end)

-- Amps per phase that all cars together may have.
local function room(here)
  local surplus = here.vars.surplus
  if not surplus or now() - surplus.at > OLD then return here.fuse - here.base_load end      -- no meter: the fuse decides
  local amps = surplus.watts / (here.voltage * here.phases)
  return math.min(math.max(amps, MIN), here.fuse - here.base_load)
end

function on.rebalance(here)
  local cars = here:charging()                             -- oldest first
  local left = room(here)
  for i = #cars, 1, -1 do                                  -- the newest is the first to wait
    local amps = math.min(cars[i].max_amps, left // i)
    if amps < MIN then amps = 0 end
    cars[i]:limit { amps = amps }
    left = left - amps
  end
end
