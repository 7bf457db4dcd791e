-- Tags that operators keep over REST; the default policy reads them beside its allow-list.
local rest = require "rest"
local csv = require "csv"

local FIELDS = { "idTag", "status", "expiryDate", "parentIdTag", "note", "maxActive" }
local TIMES = { expiryMs = "expiryDate" }
local CHANGE = {
  idTag = "string?", status = "Accepted|Blocked|Expired|Invalid|ConcurrentTx?", expiryDate = "time?",
  parentIdTag = "string?", note = "string?", maxActive = "integer?",
}

local function shown(tag) return rest.item(tag, FIELDS, TIMES) end

local CSV_PAGE = 200

route("GET /api/v1/tags", {
  query = { limit = "limit", cursor = "string?", format = "json|csv?" },
  doc = "Tags in order of their text; format=csv or Accept: text/csv is all of them, as POST /tags:import takes them.",
  answers = { [200] = { json = rest.page_of "Tag", csv = true } },
}, function(req)
  local function page(after, limit)
    local items, next = core.tags { after = after, limit = limit }
    for _, tag in ipairs(items) do shown(tag) end
    return items, next
  end
  if csv.wanted(req) then
    return csv.answer("tags", FIELDS, function(cursor) return page(cursor or req.query.cursor, CSV_PAGE) end)
  end
  return rest.page(page(req.query.cursor, req.query.limit))
end)

route("GET /api/v1/tags/{idTag}", { query = {}, doc = "One tag.", answers = { [200] = "Tag" } }, function(req)
  local tag = core.tag(req.path.idTag)
  if not tag then return problem(404, "unknown tag") end
  return 200, shown(tag)
end)

route("PUT /api/v1/tags/{idTag}", {
  query = {}, body = CHANGE, doc = "Creates or replaces a tag; in force at once.", answers = { [200] = "Tag" },
}, function(req)
  local body, idTag = req.json, req.path.idTag
  if body.idTag and string.upper(body.idTag) ~= string.upper(idTag) then
    return rest.unfit("/idTag", "is not the tag of the path")
  end
  if body.maxActive and body.maxActive < 1 then return rest.unfit("/maxActive", "expected an integer from 1 on") end
  if body.parentIdTag and utf8.len(body.parentIdTag) > 20 then return rest.unfit("/parentIdTag", "at most 20 characters") end
  local expires = body.expiryDate and parse_time(body.expiryDate)
  local ok, err = core.put_tag {
    idTag = idTag, status = body.status or "Accepted", expiryMs = expires and expires * 1000,
    parentIdTag = body.parentIdTag, note = body.note, maxActive = body.maxActive,
  }
  if not ok then return rest.refused(err, CHANGE) end
  local tag = core.tag(idTag)
  if not tag then return problem(404, "the tag was deleted meanwhile") end
  return 200, shown(tag)
end)

route("DELETE /api/v1/tags/{idTag}", { query = {}, doc = "Removes a tag.", answers = { [200] = "Ok" } }, function(req)
  if not core.tag(req.path.idTag) then return problem(404, "unknown tag") end
  local ok, err = core.delete_tag(req.path.idTag)
  if not ok then return rest.refused(err, CHANGE) end
  return 200, { ok = true }
end)
