-- What 30-soft-cap.lua promises. Chargers here are rated 120 kW: 9.6 kW is progress, 3 kW is not.
local function charge(t, how)
  t.tag { idTag = "CARD", status = "Accepted" }
  local tx = t.transaction { cp = "CP1", idTag = "CARD" }
  t.meter(tx, { power = how.power, soc = how.soc, every = "5m", count = how.minutes // 5 })
  return tx
end

test("a slow session is warned at 2:50 and stops at 3:05", function(t)
  local tx = charge(t, { power = 3000, minutes = 165 })
  t.eq(t.called("CP1", "DataTransfer"), nil)
  t.meter(tx, { power = 3000, every = "5m", count = 2 })
  t.eq(#t.sent("CP1", "DataTransfer"), 1)
  t.meter(tx, { power = 3000, every = "2m", count = 4 })
  t.ok(tx.active, "grace")
  t.eq(#t.sent("CP1", "DataTransfer"), 2)
  t.meter(tx, { power = 3000, every = "2m", count = 2 })
  t.eq(tx.stop_reason, "soft cap")
end)

test("a car with enough power goes on, and stops when it no longer progresses", function(t)
  local tx = charge(t, { power = 10000, minutes = 240 })
  t.ok(tx.active)
  t.eq(t.called("CP1", "DataTransfer"), nil)
  t.meter(tx, { power = 2000, every = "5m", count = 6 })
  t.eq(#t.sent("CP1", "DataTransfer"), 1, "told before it stops")
  t.eq(tx.stop_reason, "soft cap")
end)

test("1 % in 15 minutes is progress enough", function(t)
  local tx = charge(t, { power = 3000, soc = 50, minutes = 165 })
  for soc = 51, 54 do t.meter(tx, { power = 3000, soc = soc, every = "10m" }) end
  t.ok(tx.active)
  t.meter(tx, { power = 3000, soc = 54, every = "5m", count = 6 })
  t.eq(tx.stop_reason, "soft cap")
end)
