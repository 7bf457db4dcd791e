-- What 60-unlock.lua promises.
test("a plug without a session is unlocked after 90 s, once", function(t)
  t.status("CP1", 1, "Preparing")
  t.advance("80s")
  t.eq(#t.sent("CP1", "UnlockConnector"), 0)
  t.advance("20s")
  t.eq(t.called("CP1", "UnlockConnector"), { connectorId = 1 })
  t.advance("1h")
  t.eq(#t.sent("CP1", "UnlockConnector"), 1)
end)

test("a session keeps it, and the 90 s begin again when it has ended", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  t.status("CP1", 1, "Preparing")
  local tx = t.transaction { cp = "CP1", idTag = "CARD", connector = 1 }
  t.status("CP1", 1, "Charging")
  t.advance("10m")
  t.stop(tx)
  t.status("CP1", 1, "Finishing")
  t.advance("80s")
  t.eq(#t.sent("CP1", "UnlockConnector"), 0)
  t.advance("20s")
  t.eq(#t.sent("CP1", "UnlockConnector"), 1)
end)

test("a session keeps it while no energy flows yet", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  t.status("CP1", 1, "Preparing")
  t.transaction { cp = "CP1", idTag = "CARD", connector = 1 }
  t.advance("5m")
  t.eq(#t.sent("CP1", "UnlockConnector"), 0)
end)

test("a car that leaves is not unlocked", function(t)
  t.status("CP1", 1, "Preparing")
  t.advance("60s")
  t.status("CP1", 1, "Available")
  t.advance("10m")
  t.eq(#t.sent("CP1", "UnlockConnector"), 0)
end)

test("a remote start that waits keeps it", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  t.status("CP1", 1, "Preparing")
  t.request("POST /api/v1/start", { cpid = "CP1", connectorId = 1, idTag = "CARD" })
  t.advance("2m")
  t.eq(#t.sent("CP1", "UnlockConnector"), 0)
end)
