-- What 32-target.lua promises.
local function start(t, kv)
  t.status("CP1", 1, "Preparing")
  t.request("POST /api/v1/start", { cpid = "CP1", connectorId = 1, idTag = "APP-1", kv = kv })
  return t.transaction { cp = "CP1", idTag = "APP-1", connector = 1 }
end

test("80 %", function(t)
  local tx = start(t, "soc=80")
  t.meter(tx, { power = 60000, soc = 79 })
  t.ok(tx.active)
  t.meter(tx, { power = 60000, soc = 80 })
  t.eq(tx.stop_reason, "target soc")
end)

test("5 kWh", function(t)
  local tx = start(t, "kwh=5")
  t.meter(tx, { power = 60000, every = "1m", count = 10 })
  t.eq(tx.stop_reason, "target kwh")
  t.eq(tx.kwh, 5.0)
end)

test("15 minutes", function(t)
  local tx = start(t, "minutes=15")
  t.meter(tx, { power = 60000, every = "1m", count = 14 })
  t.ok(tx.active)
  t.advance "1m"
  t.eq(tx.stop_reason, "target minutes")
end)

test("70 crowns", function(t)
  local tx = start(t, "money=70")
  t.meter(tx, { power = 60000, every = "1m", count = 20 })
  t.eq(tx.stop_reason, "target money")
  t.eq(tx.price.total, 7000)
end)

test("who asked for nothing charges on", function(t)
  local tx = start(t)
  t.meter(tx, { power = 60000, soc = 100, every = "1m", count = 20 })
  t.ok(tx.active)
end)
