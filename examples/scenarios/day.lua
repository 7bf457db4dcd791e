-- A day at a site: a DC charger for visitors, an AC charger for those who work there. Commuters charge
-- all day, visitors come and go, a lost card is refused, a car stalls, a connector is broken for half an
-- hour, and the power fails once. Afterwards the central system must know all of it.
--
--     ./examples/quickstart.sh                                                 # in one terminal
--     chargebridge-sim --scenario examples/scenarios/day.lua --control-port 0  # in another
--
-- --arg rest=http://127.0.0.1:8080 and --arg key=… if they differ; --arg speed=600 is ten hours a minute.
-- Exit status 0: everything was as expected.
local rest = args.rest or "http://127.0.0.1:8080"
local key = { ["X-API-Key"] = args.key or "changeme-123" }

begin("07:00") -- of the last day that is over
speed(tonumber(args.speed or 600))

local function api(path)
  local answer = http.get(rest .. "/api/v1" .. path, key)
  expect(answer.status == 200, path .. ": " .. (answer.error or answer.body))
  return answer.json or {}
end

-- The cards of the site, and one that was lost.
local cards = {
  COMMUTER1 = "Accepted", COMMUTER2 = "Accepted", VISITOR1 = "Accepted", VISITOR2 = "Accepted", LOST1 = "Blocked",
}
for card, status in pairs(cards) do
  local answer = http.put(rest .. "/api/v1/tags/" .. card, { status = status }, key)
  expect(answer.status == 200 or answer.status == 201, "card " .. card .. ": " .. (answer.error or answer.body))
end

local dc = charger("Site-DC-1", { kind = "dc", power = 150000, meter_interval = 60 })
local ac = charger("Site-AC-1", { kind = "ac", power = 22000, battery = 60000, meter_interval = 300 })
for _, c in ipairs { dc, ac } do
  expect(wait(c, "accepted", "10m"), c:identity() .. " is accepted")
end

local sessions = {} -- transaction id → the card

-- Plugs in with a card and says whether a session began.
local function arrive(c, connector, card, soc)
  if not expect(c:plug(connector, card)) then return end
  if soc then c:soc(connector, soc) end
  local started = wait(c, "started", "5m", connector)
  if expect(started, card .. " starts") then
    sessions[started.detail] = card
    log(now(), card, "charges at", c:identity(), connector)
  end
  return started
end

local function leave(c, connector)
  local energy = c:connector(connector).meterWh
  expect(c:unplug(connector))
  expect(wait(c, "status", "5m", connector, "Available"), "connector " .. connector .. " is free again")
  log(now(), "leaves", c:identity(), connector, "meter", energy)
end

-- Those who work here: from morning to evening, with the power cut in between.
local function commuter(connector, card)
  return function()
    if not arrive(ac, connector, card, 30) then return end
    local stopped = wait(ac, "stopped", "10h", connector)
    expect(stopped, card .. " loses its session in the power cut")
    expect(wait(ac, "accepted", "10m"), "the AC charger is back")
    sleep("1m")
    ac:unplug(connector)
    sleep("2m")
    arrive(ac, connector, card)
  end
end
at("07:30", commuter(1, "COMMUTER1"))
at("08:05", commuter(2, "COMMUTER2"))

-- A visitor who stops with the card at 80 percent.
at("09:15", function()
  if not arrive(dc, 1, "VISITOR1", 15) then return end
  repeat sleep("1m") until (dc:connector(1).soc or 100) >= 80
  expect(dc:stop(1))
  expect(wait(dc, "stopped", "5m", 1) or not dc:connector(1).transactionId, "VISITOR1 stops")
  leave(dc, 1)
end)

-- A lost card: plugged in, presented, refused.
at("10:00", function()
  expect(dc:plug(2, "LOST1"))
  expect(not wait(dc, "started", "3m", 2), "a blocked card starts nothing")
  leave(dc, 2)
end)

-- A car that takes nothing for ten minutes, then goes on.
at("11:00", function()
  if not arrive(dc, 1, "VISITOR2", 20) then return end
  sleep("5m")
  expect(dc:connector(1).powerW > 0, "VISITOR2 draws power")
  expect(dc:stall(1))
  sleep("10m")
  expect(dc:connector(1).powerW == 0, "a stalled car draws nothing")
  expect(dc:stall(1, -1))
  sleep("5m")
  expect(dc:connector(1).powerW > 0, "VISITOR2 draws power again")
  leave(dc, 1)
end)

-- The power fails.
at("13:00", function()
  log(now(), "power cut")
  ac:power_cycle()
end)

-- Connector 2 of the DC charger is broken for half an hour.
at("15:00", function()
  expect(dc:fault(2, "GroundFailure"))
  expect(wait(dc, "status", "1m", 2, "Faulted"), "a broken connector is faulted")
  sleep("30m")
  expect(dc:clear_fault(2))
  expect(wait(dc, "status", "1m", 2, "Available"), "it is repaired")
end)

at("16:30", function() leave(ac, 1) end)
at("16:45", function() leave(ac, 2) end)

-- What the central system knows at the end.
at("17:30", function()
  local count = 0
  for id, card in pairs(sessions) do
    local tx = api("/transactions/" .. id)
    expect(tx.idTag == card, "transaction " .. id .. " is of " .. card .. ", not " .. tostring(tx.idTag))
    expect((tx.energy or tx.energyWh or 0) > 0, "transaction " .. id .. " has energy")
    count = count + 1
  end
  expect(count == 6, "six sessions, not " .. count)
  for _, session in ipairs(api("/active").sessions or {}) do
    expect(session.cpid ~= "Site-DC-1" and session.cpid ~= "Site-AC-1", "nobody of this site charges any more")
  end
  log(now(), "the day is over:", count, "sessions")
end)
