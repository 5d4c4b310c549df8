-- A session service in nginx, with Lua, lua-cjson and the Redis client of Debian's packages.
-- A session is stored as a JSON string, and its id is the Redis key. The key's time to live is the idle time.
local redis = require("nginx.redis")
local cjson = require("cjson.safe")
local ffi = require("ffi")

ffi.cdef "int RAND_bytes(unsigned char *buffer, int count);"

local IDLE_SECONDS = 1800
local NAMES = { "agentId", "customerId", "visitId", "globalVisitId" }
local random = ffi.new("unsigned char[30]")
local sessions = {}

local function connect()
  local client = redis:new()
  client:set_timeout(1000)
  local ok, reason = client:connect("127.0.0.1", tonumber(ngx.var.redis_port))
  if not ok then
    ngx.log(ngx.ERR, "redis: ", reason)
    return ngx.exit(503)
  end
  return client
end

local function iso(seconds)
  local date = os.date("!%Y-%m-%dT%H:%M:%S", seconds)
  return string.format("%s.%03dZ", date, math.floor(seconds % 1 * 1000))
end

local function answer(client, id, session)
  client:set_keepalive(60000, 128)
  local now = ngx.now()
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  local info = {
    sessionId = id,
    state = (session.customerId or session.agentId) and "recognized" or "anonymous",
    createdAt = iso(session.createdAt),
    lastActiveAt = iso(now),
    expiresAt = iso(now + IDLE_SECONDS),
  }
  for _, name in ipairs(NAMES) do info[name] = session[name] or cjson.null end
  ngx.print(cjson.encode(info))
end

local function given()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local members = body and cjson.decode(body) or {}
  return {
    agentId = ngx.var.http_gkc_agentid,
    customerId = ngx.var.http_gkc_customerid,
    visitId = members.visitId,
    globalVisitId = members.globalVisitId,
  }
end

-- Sets the ids that are not set yet. If an id that is set differs, sets nothing and returns false.
local function associate(session, ids)
  for _, name in ipairs(NAMES) do
    if ids[name] and session[name] and session[name] ~= ids[name] then return false end
  end
  for _, name in ipairs(NAMES) do session[name] = session[name] or ids[name] end
  return true
end

local function save(client, id, session)
  local ok = client:set(id, cjson.encode(session), "EX", IDLE_SECONDS)
  if not ok then return ngx.exit(503) end
end

local function new_id()
  ffi.C.RAND_bytes(random, 30)
  local id = ngx.encode_base64(ffi.string(random, 30))
  return (id:gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

function sessions.create()
  local session, id = { createdAt = ngx.now() }, new_id()
  associate(session, given())
  local client = connect()
  save(client, id, session)
  answer(client, id, session)
end

-- GETEX reads the session and renews it in one step.
local function find(client, id)
  local text = client:getex(id, "EX", IDLE_SECONDS)
  return text and text ~= ngx.null and cjson.decode(text) or nil
end

function sessions.retrieve(id)
  local client = connect()
  local session = find(client, id)
  if not session then
    session, id = { createdAt = ngx.now() }, new_id()
    save(client, id, session)
  end
  answer(client, id, session)
end

function sessions.associate(id)
  local ids = given()
  local client = connect()
  local session = find(client, id)
  if not session then return ngx.exit(404) end
  if not associate(session, ids) then return ngx.exit(400) end
  save(client, id, session)
  answer(client, id, session)
end

return sessions
