-- Files: firmware that chargers fetch, diagnostics that they leave. Operators use /api/v1/files with a
-- key; chargers use /files/{token}/… by links, where the token is the only proof (W4: links are
-- secrets, and their paths are in no answer but that of POST …/links).
local rest = require "rest"

local FILE = { "name", "size", "modifiedAt" }
local TIMES = { modifiedMs = "modifiedAt" }
local VALID, VALID_MAX = hours(24), days(30)

route("GET /api/v1/files", {
  query = { limit = "limit", cursor = "string?" }, doc = "All files in order of their names.",
  answers = { [200] = rest.page_of "File" },
}, function(req)
  local files, next = core.files(req.query.cursor, req.query.limit)
  return rest.page(rest.items(files, FILE, TIMES), next)
end)

-- A file's content as an answer, or 404.
local function content(name)
  local source, info = core.file_source(name)      -- also "{token}/{name}": the link is used up by it
  if not source then return problem(404, "unknown file") end
  return 200, source, {
    ["Content-Type"] = "application/octet-stream",
    ["Content-Disposition"] = 'attachment; filename="' .. info.name .. '"',
  }
end

local BINARY = { [200] = { content = "application/octet-stream" } }

route("GET /api/v1/files/{name}", { query = {}, doc = "The content of a file.", answers = BINARY }, function(req)
  return content(req.path.name)
end)

-- What was received becomes a file of that name; nil and a function that answers why not.
local function keep(upload, name)
  if not upload or upload == 0 then return nil, function() return problem(422, "the body is empty") end end
  local info, why = core.file_keep(upload, name)
  if info then return info end
  return nil, function() return problem(409, tostring(why)) end
end

route("PUT /api/v1/files/{name}", {
  query = {}, body = "file", doc = "Keeps the body as a file of that name, instead of what was there.",
  answers = { [200] = "File" },
}, function(req)
  local info, failed = keep(req.upload, req.path.name)
  if not info then return failed() end
  return 200, rest.item(info, FILE, TIMES)
end)

route("DELETE /api/v1/files/{name}", { query = {}, doc = "Removes a file.", answers = { [200] = "Ok" } }, function(req)
  local ok, why = core.file_remove(req.path.name)
  if not ok then return problem(404, tostring(why)) end
  return 200, { ok = true }
end)

route("POST /api/v1/files/{name}/links", {
  query = {}, idempotent = true, answers = { [200] = "FileLink" },
  body = { upload = "boolean?", cpid = "string?", valid = "string?" },
  doc = "Makes a one-time link for a charger: to fetch the file or, with upload, to leave one of that name. valid: "
     .. "\"24h\", at most \"30d\".",
}, function(req)
  local body, valid = req.json, VALID
  if body.valid then
    local ok, seconds = pcall(duration, body.valid)
    if not ok or seconds < 1 or seconds > VALID_MAX then return rest.unfit("/valid", 'expected a time such as "24h", at most "30d"') end
    valid = seconds
  end
  local source <close> = not body.upload and core.file_source(req.path.name) or nil
  if not body.upload and not source then return problem(404, "unknown file") end
  local url, why = core.file_link {
    name = req.path.name, upload = body.upload or false, cpid = body.cpid, validMs = valid * 1000 // 1 | 0,
  }
  if not url then return problem(422, tostring(why)) end
  return 200, json.ordered({ "url", "expiresAt" }, { url = url, expiresAt = core.time(core.now_ms() + valid * 1000 // 1 | 0) })
end)

-- ---- for chargers: no key, the token is the proof ----

local function fetch(req)
  local link = core.file_link_find(req.path.token)
  if not link or link.upload then return problem(404, "no such link, or its time is over") end
  return content(req.path.token .. "/" .. link.name)
end

-- Chargers name what they leave as they like: the link decides, and takes over the ending ("….zip").
local function leave(req)
  local link = core.file_link_find(req.path.token)
  if not link or not link.upload then
    if req.upload and req.upload ~= 0 then core.file_discard(req.upload) end
    return problem(404, "no such link, or its time is over")
  end
  local ending = string.match(req.url, "/[^/]+(%.%w%w?%w?%w?%w?)/?$") or ""
  local info, failed = keep(req.upload, link.name .. (string.find(link.name, "%.%w+$") and "" or ending))
  if not info then return failed() end
  core.file_link_use(req.path.token)
  log.info("%s left the file %s (%d bytes)", link.cpid ~= "" and link.cpid or "somebody", info.name, info.size)
  return 200, { ok = true }
end

-- Some add path segments of their own behind the link.
for _, tail in ipairs { "", "/{a}", "/{a}/{b}", "/{a}/{b}/{c}" } do
  local path = "/files/{token}" .. tail
  route("GET " .. path, { key = false, query = {}, doc = "A charger fetches a file by a link.", answers = BINARY }, fetch)
  for _, method in ipairs { "PUT ", "POST " } do
    route(method .. path, {
      key = false, body = "file", doc = "A charger leaves a file by a link.", answers = { [200] = "Ok" },
    }, leave)
  end
end
