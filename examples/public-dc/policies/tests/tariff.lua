-- What 40-tariff.lua promises.
local function charge(t, at)
  t.clock(at)
  t.tag { idTag = "CARD", status = "Accepted" }
  return t.transaction { cp = "CP1", idTag = "CARD" }
end

local function lines(tx)
  local found = {}
  for _, line in ipairs(tx.price.lines) do found[line.name] = line.amount end
  return found
end

test("day energy, and which prices it were", function(t)
  local tx = charge(t, "2026-01-05T12:00:00Z")
  t.meter(tx, { power = 60000, every = "5m", count = 6 })
  t.stop(tx)
  t.eq(tx.price.total, 21000)
  t.eq(tx.price.currency, "SEK")
  t.eq(tx.price.tariff, "2026-11")
end)

test("each quarter hour has the price of its time of day", function(t)
  local tx = charge(t, "2026-01-05T21:30:00Z")
  t.meter(tx, { power = 60000, every = "5m", count = 12 })          -- 30 kWh by day, 30 by night
  t.stop(tx)
  t.eq(tx.price.total, 21000 + 16500)
  tx = charge(t, "2026-01-06T05:30:00Z")
  t.meter(tx, { power = 60000, every = "5m", count = 12 })
  t.stop(tx)
  t.eq(tx.price.total, 16500 + 21000)
end)

test("who keeps the place after the car is full pays for it, after ten minutes", function(t)
  local tx = charge(t, "2026-01-05T12:00:00Z")
  t.meter(tx, { power = 60000, every = "5m", count = 6 })
  t.meter(tx, { power = 0, every = "5m", count = 2 })
  t.stop(tx)
  t.eq(lines(tx).idle, 0)
  tx = charge(t, "2026-01-05T14:00:00Z")
  t.meter(tx, { power = 60000, every = "5m", count = 6 })
  t.meter(tx, { power = 0, every = "1m", count = 18 })
  t.stop(tx)
  t.eq(lines(tx).idle, 1200)
end)

test("what the station broke off costs nothing, unless it was worth something", function(t)
  local tx = charge(t, "2026-01-05T12:00:00Z")
  t.meter(tx, { power = 30000, every = "1m" })
  t.stop(tx, { reason = "PowerLoss" })
  t.eq(tx.price.total, 0)
  tx = charge(t, "2026-01-05T13:00:00Z")
  t.meter(tx, { power = 60000, every = "1m", count = 2 })
  t.stop(tx, { reason = "PowerLoss" })
  t.eq(tx.price.total, 1400)
  tx = charge(t, "2026-01-05T14:00:00Z")
  t.meter(tx, { power = 30000, every = "1m" })
  t.stop(tx, { reason = "Local" })
  t.eq(tx.price.total, 350)
end)
