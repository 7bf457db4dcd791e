-- What 05-visitors.lua, 10-authorize.lua and 20-backend.lua promise. 2026-01-05 is a Monday.
local ADA = "04A2B3C4D5E6"

test("staff charge on working days", function(t)
  t.clock "2026-01-05T19:59:00Z"
  t.eq(t.authorize(ADA, "CP1"), "Accepted")
  t.advance "2m"
  t.eq(t.authorize(ADA, "CP1"), "Blocked")
  t.clock "2026-01-10T12:00:00Z"
  t.eq(t.authorize(ADA, "CP1"), "Blocked", "Saturday")
  t.eq(t.authorize("04F1EE700001", "CP1"), "Accepted", "the fleet may at any time")
end)

test("hours of a card are its own", function(t)
  t.clock "2026-01-05T12:00:00Z"
  t.eq(t.authorize("04C0FFEE0001", "CP1"), "Blocked")
  t.clock "2026-01-05T21:00:00Z"
  t.eq(t.authorize("04C0FFEE0001", "CP1"), "Accepted")
end)

test("a card tells its group, a lost one is refused", function(t)
  t.clock "2026-01-05T12:00:00Z"
  local _, info = t.authorize(ADA, "CP1")
  t.eq(info.parentIdTag, "STAFF")
  t.eq(t.authorize("DEADBEEF", "CP1"), "Blocked")
end)

test("250 kWh a month, and again the next month", function(t)
  t.clock "2026-01-05T12:00:00Z"
  t.stop((t.transaction { cp = "CP1", idTag = ADA, kwh = 249 }))
  t.eq(t.authorize(ADA, "CP1"), "Accepted")
  t.stop((t.transaction { cp = "CP1", idTag = ADA, kwh = 1 }))
  t.eq(t.authorize(ADA, "CP1"), "Blocked")
  t.clock "2026-02-02T12:00:00Z"
  t.eq(t.authorize(ADA, "CP1"), "Accepted")
end)

test("what began within the hours may be stopped outside of them", function(t)
  t.clock "2026-01-05T19:50:00Z"
  local tx = t.transaction { cp = "CP1", idTag = ADA }
  t.advance "1h"
  local answer = t.stop(tx, { idTag = "04A2B3C4D5E7" })
  t.eq(answer.idTagInfo.status, "Accepted")
end)

test("a card charges at one place, the pool car at two", function(t)
  t.clock "2026-01-05T12:00:00Z"
  t.transaction { cp = "CP1", idTag = ADA }
  t.eq(t.authorize(ADA, "CP2", { purpose = "start" }), "ConcurrentTx")
  t.transaction { cp = "CP3", idTag = "04F1EE700001" }
  t.eq(t.authorize("04F1EE700001", "CP4", { purpose = "start" }), "Accepted")
  t.eq(t.authorize("04F1EE700001", "CP5", { purpose = "start" }), "ConcurrentTx")
end)

test("visitors charge for free by day, with any card", function(t)
  t.clock "2026-01-05T12:00:00Z"
  t.eq(t.authorize("ANY-CARD", "VISITOR-1"), "Accepted")
  local tx = t.transaction { cp = "VISITOR-2", idTag = "ANY-CARD", kwh = 10 }
  t.clock "2026-01-05T19:30:00Z"
  t.eq(t.authorize("ANY-CARD", "VISITOR-1"), "Blocked")
  t.eq(t.stop(tx, { idTag = "OTHER" }).idTagInfo.status, "Accepted")
  t.eq(tx.price.total, 0)
end)

test("the card service decides of cards that we do not know, and is asked once in 15 seconds", function(t)
  local asked = 0
  t.http("https://cards.example.org/cards/*", function(request)
    asked = asked + 1
    return { status = 200, json = { allowed = request.url:match "GOOD$" ~= nil } }
  end)
  t.eq(t.authorize("GOOD", "CP1"), "Accepted")
  t.eq(t.authorize("BAD", "CP1"), "Invalid")
  t.eq(t.authorize("GOOD", "CP1"), "Accepted")
  t.eq(asked, 2)
  t.advance "16s"
  t.eq(t.authorize("GOOD", "CP1"), "Accepted")
  t.eq(asked, 3)
end)

test("whatever a tag holds, it fits the address", function(t)
  t.http("https://cards.example.org/cards/*", { status = 200, json = { allowed = true } })
  t.eq(t.authorize("A B/1", "CP1"), "Accepted")
  t.eq(t.requested()[1].url, "https://cards.example.org/cards/A%20B%2F1")
end)

test("nobody gets in by a card service that is down, and it is asked again", function(t)
  t.http("https://cards.example.org/cards/*", "timeout")
  t.eq(t.authorize("GOOD", "CP1"), "Invalid")
  t.http("https://cards.example.org/cards/*", { status = 503 })
  t.eq(t.authorize("GOOD", "CP1"), "Invalid")
  t.http("https://cards.example.org/cards/*", { status = 200, json = { allowed = true } })
  t.eq(t.authorize("GOOD", "CP1"), "Accepted")
end)
