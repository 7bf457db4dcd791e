-- Cards of the company. The group decides what a card may: see 10-authorize.lua.
return idtags {
  ["04A2B3C4D5E6"] = { name = "Ada",       group = "STAFF" },
  ["04A2B3C4D5E7"] = { name = "Grace",     group = "STAFF" },
  ["04F1EE700001"] = { name = "Pool car",  group = "FLEET", max_active = 2 },
  ["04C0FFEE0001"] = { name = "Cleaning",  group = "NIGHT", hours = "20:00-06:00" },
  ["DEADBEEF"]     = { name = "Lost card", group = "STAFF", blocked = true, why = "reported lost" },
}
