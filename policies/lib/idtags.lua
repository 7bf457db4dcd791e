-- The allow-list: who may charge. One line a card; edit, save, then `kill -HUP` or
-- POST /api/v1/policies/reload. A bad date, an unknown word or a card that is there twice stops the
-- reload with file and line; what ran before goes on.
--
-- A card may have
--   name    = "Van 7"              whose it is
--   group   = "FLEET"              who shares a group may stop what another of it started
--   expires = "2026-12-31"         the last day
--   hours   = "22:00-06:00"        only then; also "mon-fri 07:00-19:00, sat 08:00-12:00"
--   shared  = true                 may charge at several places at once
--   blocked = true, why = "lost"   refused
--
-- Cards may also be set one by one: curl -X PUT -H "X-API-Key: …" …/api/v1/tags/04A2B3C4 -d '{"status":"Accepted"}'.
return idtags {
  -- The four vehicles of the demonstration (autocharge).
  ["VID:FCA47A147858"] = { name = "Demo vehicle 1" },
  ["VID:FCA47A147859"] = { name = "Demo vehicle 2" },
  ["VID:FCA47A147860"] = { name = "Demo vehicle 3" },
  ["VID:FCA47A147861"] = { name = "Demo vehicle 4" },

  -- Examples; take the dashes away to use one.
  -- ["04A2B3C4D5E6"] = { name = "Van 7", group = "FLEET" },
  -- ["04FFEE112233"] = { name = "Visitor card 1", expires = "2026-12-31" },
  -- ["04C0FFEE0001"] = { name = "Night shift", hours = "22:00-06:00" },
  -- ["DEADBEEF"]     = { name = "Lost card", blocked = true, why = "reported lost" },
}
