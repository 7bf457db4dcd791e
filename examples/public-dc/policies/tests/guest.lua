-- What 21-guest.lua promises.
local function buy(t, credit)
  t.eq(t.request("POST /guests", { token = "G-1", credit = credit or 10000 }), 200)
end

test("a token is sold once, with a sensible credit", function(t)
  buy(t)
  t.eq(t.request("POST /guests", { token = "g-1", credit = 10000 }), 409)
  t.eq(t.request("POST /guests", { token = "G-2", credit = 0 }), 422)
end)

test("a guest starts anywhere, and resumes at the same connector within 15 minutes", function(t)
  buy(t)
  t.eq(t.authorize("G-1", "CP2"), "Accepted")
  local tx = t.transaction { cp = "CP1", idTag = "G-1", connector = 1, kwh = 2 }
  t.stop(tx)
  t.eq(t.authorize("G-1", "CP2"), "Blocked", "another charger")
  t.eq(t.authorize("G-1", "CP1", { purpose = "start", connector = 2 }), "Blocked", "another connector")
  t.advance "14m"
  t.eq(t.authorize("G-1", "CP1"), "Accepted")
  t.advance "2m"
  t.eq(t.authorize("G-1", "CP1"), "Expired")
end)

test("a long session does not use up the 15 minutes", function(t)
  buy(t, 90000)
  local tx = t.transaction { cp = "CP1", idTag = "G-1", connector = 1 }
  t.meter(tx, { power = 60000, every = "1m", count = 40 })
  t.eq(t.authorize("G-1", "CP1"), "Accepted", "it is in use")
  t.stop(tx)
  t.advance "10m"
  t.eq(t.authorize("G-1", "CP1"), "Accepted")
end)

test("what is left is what was not used", function(t)
  buy(t, 10000)
  t.stop((t.transaction { cp = "CP1", idTag = "G-1", kwh = 10 }))          -- 70.00
  local tx = t.transaction { cp = "CP1", idTag = "G-1" }
  t.meter(tx, { power = 60000, every = "1m", count = 10 })
  t.eq(tx.stop_reason, "no money left")
  t.eq(t.authorize("G-1", "CP1"), "Blocked", "used up")
end)

test("the credit is gone after seven days", function(t)
  buy(t)
  t.advance "167h"
  t.eq(t.authorize("G-1", "CP1"), "Accepted")
  t.advance "2h"
  t.eq(t.authorize("G-1", "CP1"), "Invalid")
end)
