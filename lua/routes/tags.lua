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

-- ---- many at once ----

local STATUSES = { Accepted = true, Blocked = true, Expired = true, Invalid = true, ConcurrentTx = true }
local ERRORS_MAX = 100

-- The fields of one row that do not fit, as (field, message).
local function faults_of(row)
  local found = {}
  local function fault(field, message) found[#found + 1] = { field, message } end
  for field in pairs(row) do
    if not CHANGE[field] then fault(field, "no such field; there are " .. table.concat(FIELDS, ", ")) end
  end
  if type(row.idTag) ~= "string" or row.idTag == "" then
    fault("idTag", "expected a text")
  elseif (utf8.len(row.idTag) or 21) > 20 then
    fault("idTag", "at most 20 characters")
  end
  if row.status ~= nil and not STATUSES[row.status] then
    fault("status", "expected Accepted, Blocked, Expired, Invalid or ConcurrentTx")
  end
  if row.expiryDate ~= nil and (type(row.expiryDate) ~= "string" or not parse_time(row.expiryDate)) then
    fault("expiryDate", "expected a time such as 2026-12-31T23:59:59Z")
  end
  if row.parentIdTag ~= nil and (type(row.parentIdTag) ~= "string" or (utf8.len(row.parentIdTag) or 21) > 20) then
    fault("parentIdTag", "expected a text of at most 20 characters")
  end
  if row.note ~= nil and type(row.note) ~= "string" then fault("note", "expected a text") end
  local most = row.maxActive
  if most ~= nil and (math.type(most) ~= "integer" or most < 1) then fault("maxActive", "expected an integer from 1 on") end
  return found
end

-- All rows as core.import_tags takes them, and all faults, each with the number of its row (1 is the first).
local function judged(rows)
  local tags, faults, seen = {}, json.array(), {}
  local function fault(row, field, message)
    if #faults < ERRORS_MAX then faults[#faults + 1] = { pointer = "/" .. row .. "/" .. field, message = message } end
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" then
      fault(i, "", "expected an object")
    else
      for _, found in ipairs(faults_of(row)) do fault(i, found[1], found[2]) end
      local name = type(row.idTag) == "string" and string.upper(row.idTag)
      if name and seen[name] then fault(i, "idTag", "is in row " .. seen[name] .. " too") end
      if name then seen[name] = i end
      local expires = type(row.expiryDate) == "string" and parse_time(row.expiryDate) or nil
      tags[i] = {
        idTag = row.idTag, status = row.status or "Accepted", expiryMs = expires and expires * 1000 // 1 | 0,
        parentIdTag = row.parentIdTag, note = row.note, maxActive = row.maxActive,
      }
    end
    if i % 500 == 0 then core.pause() end
  end
  return tags, faults
end

-- The rows of the body: CSV with a line of names, or a JSON array. nil and the problem.
local function rows_of(req)
  local media = string.lower(req.headers["content-type"] or "")
  if string.find(media, "csv", 1, true) or not string.find(req.body, "^%s*[%[{]") then
    local rows, why, number = csv.read(req.body)
    if not rows then return nil, "row " .. number .. ": " .. why end
    for _, row in ipairs(rows) do row.maxActive = tonumber(row.maxActive) or row.maxActive end
    return rows
  end
  local rows, err = json.decode(req.body)
  if not rows then return nil, "the body is not JSON: " .. tostring(err) end
  if type(rows) ~= "table" or (next(rows) ~= nil and rows[1] == nil) then return nil, "expected a JSON array of tags, or CSV" end
  return rows
end

route("POST /api/v1/tags:import", {
  query = {}, body = "text", idempotent = true, answers = { [200] = "TagsImported" },
  doc = "Adds or replaces many tags at once, all of them or none: a JSON array, or CSV whose first line names the columns "
     .. "(as GET /tags?format=csv gives them). Each fault is told with its row (the first is 1) and field.",
}, function(req)
  local rows, why = rows_of(req)
  if not rows then return problem(400, why) end
  local tags, faults = judged(rows)
  if #faults > 0 then
    return problem(422, #faults == 1 and "one field does not fit; nothing was imported"
                        or #faults .. " fields do not fit; nothing was imported", { errors = faults })
  end
  if #tags == 0 then return 200, { imported = 0 } end
  local ok, err = core.import_tags(tags)
  if ok then return 200, { imported = #tags } end
  local row = err.details and err.details.index
  if not row then return rest.refused(err, CHANGE) end
  return problem(422, "a row does not fit; nothing was imported", {
    errors = json.array { { pointer = "/" .. row, message = err.message } },
  })
end)
