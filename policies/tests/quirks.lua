-- What 05-quirks.lua promises.
local function boots(t, cp, vendor, model)
  t.call(cp, "BootNotification", { chargePointVendor = vendor, chargePointModel = model })
  local _, shown = t.request("GET /api/v1/chargepoints/" .. cp)
  return shown.quirks
end

test("a Keba's tags lose the serial number", function(t)
  t.tag { idTag = "04A2B3C4", status = "Accepted" }
  t.eq(t.authorize("04A2B3C4_17619300", "CP1"), "Invalid")
  t.eq(boots(t, "CP2", "Keba AG", "KC-P30"), { "keba: tags" })
  t.eq(t.authorize("04A2B3C4_17619300", "CP2"), "Accepted")
  local tx = t.transaction { cp = "CP2", idTag = "04a2b3c4_17619300" }
  t.eq(tx.idTag, "04A2B3C4")
end)

test("an eProWallbox gets its answers after a second", function(t)
  t.eq(boots(t, "CP3", "Free2move eSolutions", "eProWallbox Move"), { "eProWallbox: slow down" })
  t.eq(t.call("CP3", "Heartbeat"), nil)
end)
