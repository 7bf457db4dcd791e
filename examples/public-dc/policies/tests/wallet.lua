-- What 20-wallet.lua promises. Day energy costs 7.00 a kWh (lib/tariff.lua), amounts are in öre.
local function topup(t, amount, token)
  local status, answer = t.request("POST /wallets/CAR-1/topup", { amount = amount, token = token or "T1" })
  t.eq(status, 200)
  return answer.balance
end

local function balance(t)
  local _, answer = t.request "GET /wallets/CAR-1"
  return answer.balance
end

test("a wallet with money may start, one with too little may not", function(t)
  t.eq(t.authorize("CAR-1", "CP1"), "Invalid", "no wallet yet")
  topup(t, 1999)
  t.eq(t.authorize("CAR-1", "CP1"), "Blocked")
  topup(t, 1, "T2")
  t.eq(t.authorize("CAR-1", "CP1"), "Accepted")
end)

test("a payment that is told twice is booked once", function(t)
  t.eq(topup(t, 5000), 5000)
  t.eq(topup(t, 5000), 5000)
  t.eq(topup(t, 5000, "T2"), 10000)
  t.eq(t.request("POST /wallets/CAR-1/topup", { amount = 0, token = "T3" }), 422)
end)

test("a session puts money aside, and settles to the öre", function(t)
  topup(t, 30000)
  local tx = t.transaction { cp = "CP1", idTag = "CAR-1" }
  t.eq(balance(t), 10000, "200.00 are put aside")
  t.meter(tx, { power = 60000, every = "1m", count = 5 })      -- 5 kWh
  t.stop(tx)
  t.eq(tx.price.total, 3500)
  t.eq(balance(t), 26500)
  t.stop((t.transaction { cp = "CP1", idTag = "CAR-1", kwh = 1 }))
  t.eq(balance(t), 25800)
end)

test("two sessions cannot spend the same money", function(t)
  topup(t, 20000)
  t.transaction { cp = "CP1", idTag = "CAR-1" }
  t.eq(balance(t), 0)
  t.eq(t.authorize("CAR-1", "CP2"), "Blocked")
end)

test("a long session takes more as it goes", function(t)
  topup(t, 100000)
  local tx = t.transaction { cp = "CP1", idTag = "CAR-1" }
  t.meter(tx, { power = 120000, every = "1m", count = 20 })    -- 40 kWh: 280.00
  t.ok(tx.active)
  t.eq(balance(t), 60000, "200.00 more are put aside")
  t.stop(tx)
  t.eq(balance(t), 100000 - 28000)
end)

test("the driver is warned ten minutes before, and stopped before a crown is owed", function(t)
  topup(t, 14000)                                              -- 20 kWh: 20 minutes at 60 kW
  local tx = t.transaction { cp = "CP1", idTag = "CAR-1" }
  t.meter(tx, { power = 60000, every = "1m", count = 9 })
  t.eq(t.called("CP1", "DataTransfer"), nil, "not yet")
  t.meter(tx, { power = 60000, every = "1m", count = 3 })
  t.eq(t.called("CP1", "DataTransfer").messageId, "Notice")
  t.meter(tx, { power = 60000, every = "1m", count = 20 })
  t.eq(#t.sent("CP1", "DataTransfer"), 1, "warned once")
  t.eq(tx.stop_reason, "no money left")
  t.ok(balance(t) <= 0 and balance(t) >= -100, "at the edge: " .. balance(t))
  t.eq(balance(t), 14000 - tx.price.total)
end)

test("a wallet that does not exist is not shown", function(t)
  t.eq(t.request "GET /wallets/NOBODY", 404)
end)
