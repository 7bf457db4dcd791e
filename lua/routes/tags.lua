-- Tags that operators keep over REST; the default policy reads them beside its allow-list.
local rest = require "rest"

local FIELDS = { "idTag", "status", "expiryDate", "parentIdTag", "note", "maxActive" }
local TIMES = { expiryMs = "expiryDate" }
local CHANGE = {
  idTag = "string?", status = "Accepted|Blocked|Expired|Invalid|ConcurrentTx?", expiryDate = "time?",
  parentIdTag = "string?", note = "string?", maxActive = "integer?",
}

local function shown(tag) return rest.item(tag, FIELDS, TIMES) end

local function unfit(pointer, message)
  return problem(422, "the body has fields that do not fit",
                 { errors = json.array { { pointer = pointer, message = message } } })
end

route("GET /api/v1/tags", { query = { limit = "limit", cursor = "string?" }, doc = "Tags in order of their text." },
function(req)
  local items, next = core.tags { after = req.query.cursor, limit = req.query.limit }
  for _, tag in ipairs(items) do shown(tag) end
  return rest.page(items, next)
end)

route("GET /api/v1/tags/{idTag}", { query = {}, doc = "One tag." }, function(req)
  local tag = core.tag(req.path.idTag)
  if not tag then return problem(404, "unknown tag") end
  return 200, shown(tag)
end)

route("PUT /api/v1/tags/{idTag}", {
  query = {}, body = CHANGE, doc = "Creates or replaces a tag; in force at once.",
}, function(req)
  local body, idTag = req.json, req.path.idTag
  if body.idTag and string.upper(body.idTag) ~= string.upper(idTag) then
    return unfit("/idTag", "is not the tag of the path")
  end
  if body.maxActive and body.maxActive < 1 then return unfit("/maxActive", "expected an integer from 1 on") end
  if body.parentIdTag and utf8.len(body.parentIdTag) > 20 then return unfit("/parentIdTag", "at most 20 characters") end
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

route("DELETE /api/v1/tags/{idTag}", { query = {}, doc = "Removes a tag." }, function(req)
  if not core.tag(req.path.idTag) then return problem(404, "unknown tag") end
  local ok, err = core.delete_tag(req.path.idTag)
  if not ok then return rest.refused(err, CHANGE) end
  return 200, { ok = true }
end)
