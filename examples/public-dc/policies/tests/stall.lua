-- What 31-stall.lua promises.
local function start(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  return t.transaction { cp = "CP1", idTag = "CARD" }
end

test("a car that takes nothing for 20 minutes is told, and stopped 5 minutes later", function(t)
  local tx = start(t)
  t.meter(tx, { power = 50000, soc = 80, every = "1m", count = 10 })
  t.meter(tx, { power = 500, soc = 80, every = "1m", count = 19 })
  t.eq(t.called("CP1", "DataTransfer"), nil)
  t.meter(tx, { power = 500, soc = 80, every = "1m", count = 3 })
  t.eq(#t.sent("CP1", "DataTransfer"), 1)
  t.ok(tx.active)
  t.meter(tx, { power = 500, soc = 80, every = "1m", count = 6 })
  t.eq(tx.stop_reason, "stalled")
end)

test("a car that goes on in time is not stopped", function(t)
  local tx = start(t)
  t.meter(tx, { power = 500, soc = 80, every = "1m", count = 20 })
  t.eq(#t.sent("CP1", "DataTransfer"), 1)
  t.meter(tx, { power = 50000, soc = 81, every = "1m", count = 20 })
  t.ok(tx.active)
end)

test("slow is not stalled while the battery fills, nor at 1.5 kW", function(t)
  local tx = start(t)
  for soc = 50, 56 do t.meter(tx, { power = 1000, soc = soc, every = "5m", count = 2 }) end
  t.ok(tx.active)
  t.meter(tx, { power = 1600, soc = 56, every = "1m", count = 60 })
  t.ok(tx.active)
end)
