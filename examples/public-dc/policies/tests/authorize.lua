-- What 05-remote.lua and 10-authorize.lua promise.
test("a card of the list may, a lost one and an unknown one may not", function(t)
  t.eq(t.authorize("SERVICE-1", "CP1"), "Accepted")
  t.eq(t.authorize("DEADBEEF", "CP1"), "Blocked")
  t.eq(t.authorize("NOBODY", "CP1"), "Invalid")
end)

test("what REST says of a card is what counts", function(t)
  t.tag { idTag = "SERVICE-1", status = "Blocked" }
  t.eq(t.authorize("SERVICE-1", "CP1"), "Blocked")
end)

test("a card is good until it expires, and at one place at a time", function(t)
  t.tag { idTag = "CARD", status = "Accepted", expires = now() + 60 }
  t.transaction { cp = "CP1", idTag = "CARD" }
  t.eq(t.authorize("CARD", "CP2", { purpose = "start" }), "ConcurrentTx")
  t.advance("60s")
  t.eq(t.authorize("CARD", "CP3"), "Expired")
end)

test("a card for several places charges at several", function(t)
  t.transaction { cp = "CP1", idTag = "SERVICE-1" }
  t.eq(t.authorize("SERVICE-1", "CP2", { purpose = "start" }), "Accepted")
end)

test("who was started remotely is let in, and keeps his place", function(t)
  t.status("CP1", 1, "Preparing")
  t.request("POST /api/v1/start", { cpid = "CP1", connectorId = 1, idTag = "APP-1" })
  t.tag { idTag = "CARD", status = "Accepted" }
  t.eq(t.authorize("CARD", "CP1", { purpose = "start", connector = 1 }), "Blocked")
  t.eq(t.authorize("CARD", "CP1", { purpose = "start", connector = 2 }), "Accepted")
  t.eq(t.authorize("APP-1", "CP1", { purpose = "start", connector = 1 }), "Accepted")
  t.eq(t.authorize("APP-1", "CP2"), "Invalid", "only where it was started")
end)
