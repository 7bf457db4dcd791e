-- The smallest scenario: one charger, one car, one session.
--
--     chargebridge-sim --scenario examples/scenarios/hello.lua --control-port 0
--
-- Needs a central system on port 9000 that knows the card (./examples/quickstart.sh is one). What a
-- scenario may call: src/sim/scenario.h; what a charger can do: src/sim/scenario_charger.c.
speed(60)

local c = charger("Hello-1", { kind = "dc", meter_interval = 60 })
expect(wait(c, "accepted", "5m"), "the central system accepts the charger")

expect(c:plug(1, "VID:FCA47A147858"))
local started = wait(c, "started", "2m", 1)
if expect(started, "the session starts") then
  log("transaction", started.detail)
  sleep("10m")
  expect(c:connector(1).powerW > 0, "the car draws power")
  log("energy", c:connector(1).meterWh, "Wh")
end
expect(c:unplug(1))
wait(c, "status", "1m", 1, "Available")
sleep("5s")
