-- What 30-surplus.lua promises. 2026-01-05 is a Monday.
local function cars(t, count, surplus)
  t.clock "2026-01-05T12:00:00Z"
  t.http("http://meter.example.org/meter", surplus and { status = 200, json = { surplus_w = surplus } } or { status = 500 })
  local found = {}
  for i = 1, count do
    found[i] = t.transaction { cp = "VISITOR-" .. i, idTag = "CAR-" .. i, connector = 1 }
    t.status("VISITOR-" .. i, 1, "Charging")
  end
  t.advance "2m"
  return found
end

local function limits(t, found)
  local amps = {}
  for i, tx in ipairs(found) do amps[i] = t.limit(tx) end
  return amps
end

test("one car gets what the roof gives", function(t)
  t.eq(limits(t, cars(t, 1, 11040)), { 16 })
end)

test("without sun the oldest goes on at the least there is, the newest waits", function(t)
  t.eq(limits(t, cars(t, 2, 0)), { 6, 0 })
end)

test("two cars share", function(t)
  t.eq(limits(t, cars(t, 2, 22080)), { 16, 16 })
end)

test("without the meter the fuse decides", function(t)
  t.eq(limits(t, cars(t, 2, nil)), { 32, 31 })
end)
