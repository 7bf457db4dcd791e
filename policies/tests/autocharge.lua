-- What 20-autocharge.lua promises.
local function tell(t, data, messageId)
  return t.call("CP1", "DataTransfer", { vendorId = "Gresgying", messageId = messageId or "MacID", data = data })
end

test("the car that the charger tells is on the session that follows", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  t.eq(tell(t, "02:a0:c0:00:00:01").status, "Accepted")
  local tx = t.transaction { cp = "CP1", idTag = "CARD" }
  t.eq(tx.vars.vehicleId, "VID:02A0C0000001")
  t.eq(tx.vars.mac, "02A0C0000001")
end)

test("it is on that session only", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  tell(t, "VID:02A0C0000001")
  local tx = t.transaction { cp = "CP1", idTag = "CARD" }
  t.stop(tx)
  t.eq(t.transaction({ cp = "CP1", idTag = "CARD" }).vars.vehicleId, nil)
end)

test("what was told long ago is forgotten", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  tell(t, "VID:02A0C0000001")
  t.advance("6m")
  t.eq(t.transaction({ cp = "CP1", idTag = "CARD" }).vars.vehicleId, nil)
end)

test("a remote start that waits gets the car", function(t)
  t.tag { idTag = "CARD", status = "Accepted" }
  t.status("CP1", 1, "Preparing")
  t.request("POST /api/v1/start", { cpid = "CP1", connectorId = 1, idTag = "CARD" })
  tell(t, "VID:02A0C0000002")
  local _, pending = t.request("GET /api/v1/pending")
  t.eq(pending[1].vid, "VID:02A0C0000002")
  t.eq(t.transaction({ cp = "CP1", idTag = "CARD", connector = 1 }).vars.mac, "02A0C0000002")
end)

test("what is no MAC is rejected, and other messages are not ours", function(t)
  t.eq(tell(t, "02A0").status, "Rejected")
  t.eq(tell(t, "VID:02A0C0000001", "Other").status, "UnknownVendorId")
end)
