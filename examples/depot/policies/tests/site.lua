-- Twenty connectors behind 100 A.
local function cars(t, count)
  local list = {}
  for n = 1, count do
    list[n] = t.transaction { cp = "CP" .. n, idTag = "CAR" .. n }
    t.status("CP" .. n, 1, "Charging")
  end
  t.advance("1m")
  return list
end

local function sum(t, list)
  local amps = 0
  for _, tx in ipairs(list) do amps = amps + t.limit(tx) end
  return amps
end

local function waiting(t, list)
  local count = 0
  for _, tx in ipairs(list) do count = count + (t.limit(tx) == 0 and 1 or 0) end
  return count
end

test("a few cars get what the cables carry", function(t)
  for _, tx in ipairs(cars(t, 3)) do t.eq(t.limit(tx), 32) end
end)

test("more cars share the fuse", function(t)
  local list = cars(t, 8)
  for _, tx in ipairs(list) do t.ok(t.limit(tx) == 12 or t.limit(tx) == 13, "a fair share") end
  t.eq(sum(t, list), 100)
end)

test("nobody gets less than 6 A: with twenty cars four wait", function(t)
  local list = cars(t, 20)
  t.ok(sum(t, list) <= 100, "the fuse holds")
  t.eq(waiting(t, list), 4)
end)

test("who waited takes a turn when it is a kWh behind", function(t)
  local list = cars(t, 20)
  local last = list[20]
  t.eq(t.limit(last), 0)
  for n = 1, 16 do t.meter(list[n], { power = 6 * 230 * 3, every = "1m", count = 16 }) end
  t.advance("2m")
  t.ok(t.limit(last) >= 6, "the last one charges")
  t.eq(waiting(t, list), 4)
  t.ok(sum(t, list) <= 100, "the fuse holds")
end)

test("they do not change places for less", function(t)
  local list = cars(t, 20)
  local before = #t.sent(nil, "SetChargingProfile")
  for n = 1, 16 do t.meter(list[n], { power = 6 * 230 * 3, every = "1m", count = 5 }) end
  t.advance("2m")
  for n = 1, 16 do t.ok(t.limit(list[n]) > 0, "car " .. n .. " goes on") end
  t.eq(#t.sent(nil, "SetChargingProfile"), before)
end)

test("without the server nobody begins", function(t)
  t.connect("CP1")
  t.advance("1s")
  local profile = t.called("CP1", "SetChargingProfile").csChargingProfiles
  t.eq(profile.chargingProfilePurpose, "TxDefaultProfile")
  t.eq(profile.chargingSchedule.chargingSchedulePeriod[1].limit, 0)
end)

test("a car that ends leaves its share to the others", function(t)
  local list = cars(t, 4)
  for _, tx in ipairs(list) do t.eq(t.limit(tx), 25) end
  t.stop(table.remove(list))
  t.advance("1m")
  for _, tx in ipairs(list) do t.eq(t.limit(tx), 32) end
end)

test("a full car makes room, and keeps 6 A only if they are left", function(t)
  local list = cars(t, 4)
  t.status("CP1", 1, "SuspendedEV")
  t.advance("1m")
  t.eq(t.limit(list[1]), 0, "nothing is left")
  t.status("CP1", 1, "SuspendedEVSE")
  t.advance("1m")
  t.eq(t.limit(list[1]), 0, "a pause of ours does not make it hungry")
  t.stop(list[4])
  t.stop(list[3])
  t.advance("1m")
  t.eq(t.limit(list[1]), 6)
  t.eq(t.limit(list[2]), 32)
end)

test("the building's load comes first", function(t)
  local list = cars(t, 4)
  site "depot".base_load = 60
  t.advance("1m")
  t.eq(sum(t, list), 40)
  site "depot".base_load = 0
  t.advance("1m")
  t.eq(sum(t, list), 100)
end)

test("an unchanged limit sends nothing", function(t)
  cars(t, 3)
  local before = #t.sent(nil, "SetChargingProfile")
  t.advance("1h")
  t.eq(#t.sent(nil, "SetChargingProfile"), before)
end)

test("a charger that comes back is told again", function(t)
  cars(t, 2)
  local before = #t.sent("CP1", "SetChargingProfile")
  t.disconnect("CP1")
  t.connect("CP1")
  t.advance("10s")
  t.eq(#t.sent("CP1", "SetChargingProfile"), before + 2, "the failsafe and the limit")
end)

test("chargers that only know watts get watts, rounded down", function(t)
  t.answers("GetConfiguration", function(cp, request)
    return { configurationKey = { { key = "ChargingScheduleAllowedChargingRateUnit", readonly = true, value = "Power" } } }
  end)
  local list = cars(t, 6)
  local watts, unit = t.limit(list[1])
  t.eq(unit, "W")
  t.eq(watts, 16 * 230 * 3)
end)

test("a raise waits until another car is down", function(t)
  local list = cars(t, 3) -- 32, 32, 32
  t.answers("SetChargingProfile", "timeout")
  local fourth = t.transaction { cp = "CP4", idTag = "CAR4" }
  t.advance("5s")
  t.eq(t.limit(fourth), nil, "nobody has made room yet")
  t.answers("SetChargingProfile", { status = "Accepted" })
  t.advance("5m")
  t.eq(t.limit(fourth), 25)
  t.eq(sum(t, list), 75)
end)

test("every car that gets in may charge", function(t)
  t.eq(t.authorize("ANYBODY", "CP1"), "Accepted")
end)
