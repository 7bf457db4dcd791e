-- Cards that need no money of their own: staff, service, contract customers. `policies/lib/idtags.lua` of the
-- repository explains every member.
return idtags {
  ["SERVICE-1"] = { name = "Service technician", group = "SERVICE", max_active = 8 },
  ["DEADBEEF"]  = { name = "Lost card", blocked = true, why = "reported lost" },
}
