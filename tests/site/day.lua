-- Twenty chargers of several kinds on one fuse of 100 A, from five in the morning for a whole day. Each has a car in
-- the morning and one in the afternoon, so that around noon all of them want power. The server is killed in between
-- by whoever reads "kill the server" in the log, and started again.
begin("05:00")
speed(tonumber(args.speed))

local FUSE_W = 100 * 230 * 3
local names, cars = {}, {}

for n = 1, 20 do
  local name = string.format("DEPOT-%02d", n)
  local dc = n > 17
  local c = charger(name, { kind = dc and "dc" or "ac", power = dc and 50000 or 22000, connectors = 1,
                            battery = 60000, meter_interval = 300 })
  local units = { "Current,Power", "Power", "Current" }
  c:configure("ChargingScheduleAllowedChargingRateUnit", dc and "Power" or units[n % 3 + 1])
  names[n] = c
end
for _, c in ipairs(names) do
  expect(wait(c, "accepted", "1h"), c:identity() .. " is accepted")
end

-- A car comes, stays some hours and goes. While it is there, how long does it stand without power although it wants
-- some?
local function visit(c, hours, soc)
  local car = { at = c:identity() .. " " .. now(), waits = 0, longest = 0, hours = hours }
  local before = c:connector(1).meterWh
  if not expect(c:plug(1, "CAR")) then return end
  c:soc(1, soc)
  local over = false
  at("+" .. hours .. "h", function() over = true end)
  while not over do
    sleep("1m")
    local place = c:connector(1)
    local stands = place.powerW == 0 and (place.soc or 100) < 100
    car.waits = stands and car.waits + 1 or 0
    car.longest = math.max(car.longest, car.waits)
    car.soc = place.soc
  end
  c:stop(1)
  c:unplug(1)
  car.kwh = (c:connector(1).meterWh - before) / 1000
  cars[#cars + 1] = car
end

-- math.random has the seed of the simulator.
for n, c in ipairs(names) do
  local morning = 6 * 60 + math.random(0, 150)
  local noon = 13 * 60 + math.random(0, 90)
  at(string.format("%02d:%02d", morning // 60, morning % 60), function() visit(c, 4, math.random(20, 60)) end)
  at(string.format("%02d:%02d", noon // 60, noon % 60), function() visit(c, 8, math.random(30, 70)) end)
  if n % 5 == 0 then -- a line that is bad in the evening
    at("17:30", function()
      c:network(false)
      sleep("40m")
      c:network(true)
    end)
  end
end

at("15:10", function() log("kill the server") end)

at("04:50", function()
  local figures = figures()
  expect(figures.peakW <= FUSE_W, string.format("never above the fuse, not %d W of %d W", figures.peakW, FUSE_W))
  expect(figures.peakW > FUSE_W * 0.9, string.format("the fuse is used, not only %d W", figures.peakW))
  expect(#cars == 40, "40 cars came and went, not " .. #cars)
  for _, car in ipairs(cars) do
    expect(car.longest <= 180, string.format("%s: nobody stands for %d minutes", car.at, car.longest))
    expect(car.soc >= 100 or car.kwh >= car.hours * 1.2, string.format("%s: got %.1f kWh in %d h", car.at, car.kwh, car.hours))
  end
  table.sort(cars, function(a, b) return a.longest > b.longest end)
  log(string.format("peak %d W, energy %.0f kWh, longest wait %d min, chargers offline %d", figures.peakW,
                    figures.energyWh / 1000, cars[1] and cars[1].longest or -1, 20 - figures.online))
  for _, car in ipairs(cars) do
    log(string.format("%s: %.1f kWh in %d h, soc %.0f, stood %d min", car.at, car.kwh, car.hours, car.soc, car.longest))
  end
  finish()
end)
