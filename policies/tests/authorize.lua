-- What 10-authorize.lua promises. These run at every reload: one that fails stops it.
-- Cards are set here as REST would set them, so the tests hold whatever your allow-list says.
local list = require "idtags"

test("each card of the allow-list is judged as its line says", function(t)
  local seen = 0
  for idTag, card in pairs(list) do
    seen = seen + 1
    if seen > 100 then break end                        -- a long list need not be walked whole
    if card.blocked then
      t.eq(t.authorize(idTag, "CP1"), "Blocked")
    elseif not card.expires and not card.hours then
      t.eq(t.authorize(idTag, "CP1"), "Accepted")
      t.eq(t.authorize(idTag:lower(), "CP1"), "Accepted")
    end
  end
end)

test("an unknown card may not", function(t)
  t.eq(t.authorize("NOBODY-KNOWS-IT", "CP1"), "Invalid")
end)

test("a card set by REST may charge, and tells its group", function(t)
  t.tag { idTag = "TEST-1", status = "Accepted", parentIdTag = "FLEET" }
  local status, info = t.authorize("TEST-1", "CP1")
  t.eq(status, "Accepted")
  t.eq(info.parentIdTag, "FLEET")
end)

test("a blocked card may not, even if the allow-list has it", function(t)
  for idTag in pairs(list) do
    t.tag { idTag = idTag, status = "Blocked" }
    t.eq(t.authorize(idTag, "CP1"), "Blocked")
    break
  end
end)

test("a card is good until it expires", function(t)
  t.clock("2026-06-30T23:59:59Z")
  t.tag { idTag = "TEST-2", status = "Accepted", expires = now() + 1 }
  t.eq(t.authorize("TEST-2", "CP1"), "Accepted")
  t.advance("1s")
  t.eq(t.authorize("TEST-2", "CP1"), "Expired")
end)

test("a card charges at one place at a time", function(t)
  t.tag { idTag = "TEST-3", status = "Accepted" }
  t.transaction { cp = "CP1", idTag = "TEST-3" }
  t.eq(t.authorize("TEST-3", "CP2"), "Accepted", "a question is no start")
  t.eq(t.authorize("TEST-3", "CP2", { purpose = "start" }), "ConcurrentTx")
end)

test("a card may charge again when it is done", function(t)
  t.tag { idTag = "TEST-4", status = "Accepted" }
  local tx = t.transaction { cp = "CP1", idTag = "TEST-4", kwh = 2 }
  t.stop(tx)
  t.eq(tx.kwh, 2.0)
  t.eq(t.authorize("TEST-4", "CP2", { purpose = "start" }), "Accepted")
end)

test("a card for two places charges at two", function(t)
  t.tag { idTag = "TEST-5", status = "Accepted", max_active = 2 }
  t.transaction { cp = "CP1", idTag = "TEST-5" }
  t.eq(t.authorize("TEST-5", "CP2", { purpose = "start" }), "Accepted")
  t.eq(t.authorize("TEST-5", "CP3", { purpose = "start" }), "ConcurrentTx")
end)
