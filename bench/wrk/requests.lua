-- Sends requests made from one template, each with ids of its own. Prints the result as one line of JSON.
--
-- Arguments, after wrk's `--`, each as key=value:
--   template   file with a complete HTTP request, in which
--                {ticket}  stands for a line of the tickets file (a session id or a cookie),
--                {unique}  stands for 32 random hexadecimal digits, different each time
--   tickets    file with one ticket per line
--   count      number of lines in the tickets file
--   width      length of each line without the line break; 0 if the lengths differ
--   order      random: choose tickets at random, repeatedly; once: use each ticket once
--   first      with the order "once": index of the first ticket to use, from 0
--   collect    file to which the ticket in each response is appended
--   pattern    Lua pattern that captures the ticket in a response
--   from       body or cookie: the part of the response that is searched for the pattern
--   pause      time in milliseconds that a connection waits before each request
--   scatter    yes: each wait is random, from 0 to twice the pause; otherwise all connections
--                would send at the same time
--   limit      total number of requests; after that the connections send nothing
--   seed       seed of the random numbers
--
-- The tickets file is mapped into memory and not read, so that even ten million lines do not delay the start.
local ffi = require("ffi")
local bit = require("bit")

ffi.cdef [[
  int open(const char *path, int flags, ...);
  void *mmap(void *address, size_t length, int protection, int flags, int file, long offset);
  long lseek(int file, long offset, int whence);
]]

local random, tohex = math.random, bit.tohex
local threads = {}
local HOUR = 3600 * 1000

local function unique()
  return tohex(random(0, 0xffffffff)) .. tohex(random(0, 0xffffffff))
    .. tohex(random(0, 0xffffffff)) .. tohex(random(0, 0xffffffff))
end

local function options(args)
  local result = {}
  for _, argument in ipairs(args) do
    local key, value = argument:match("^(%w+)=(.*)$")
    if key then result[key] = value end
  end
  return result
end

-- Returns the position of each line of the tickets file; nil if all lines have the same length.
local function lineStarts(bytes, size, width)
  if width > 0 then return nil end
  local starts, position = { 0 }, 0
  while position < size do
    if bytes[position] == 10 then starts[#starts + 1] = position + 1 end
    position = position + 1
  end
  return starts
end

-- Returns a function that returns the next ticket, or nil if all tickets are used.
local function ticketReader(given)
  local file = ffi.C.open(given.tickets, 0)
  local size = tonumber(ffi.C.lseek(file, 0, 2))
  local READ, PRIVATE = 1, 2
  local bytes = ffi.cast("const char *", ffi.C.mmap(nil, size, READ, PRIVATE, file, 0))
  local count, width = tonumber(given.count), tonumber(given.width)
  local starts = lineStarts(bytes, size, width)

  local function ticket(index)
    if not starts then return ffi.string(bytes + index * (width + 1), width) end
    return ffi.string(bytes + starts[index + 1], starts[index + 2] - starts[index + 1] - 1)
  end

  if given.order == "random" then
    return function() return ticket(random(0, count - 1)) end
  end
  local following = tonumber(given.first)
  return function()
    if following >= count then return nil end
    following = following + 1
    return ticket(following - 1)
  end
end

-- Splits the template at its placeholders, and keeps the text between them unchanged.
local function pieces(template)
  local result, position = {}, 1
  while true do
    local from, to, name = template:find("{(%l+)}", position)
    if not from then break end
    result[#result + 1] = template:sub(position, from - 1)
    result[#result + 1] = name
    position = to + 1
  end
  result[#result + 1] = template:sub(position)
  return result
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local given = options(args)
  math.randomseed(tonumber(given.seed))
  local file = assert(io.open(given.template, "rb"))
  local parts = pieces(file:read("*a"))
  file:close()
  local next_ticket = given.tickets and ticketReader(given)
  local buffer, last = {}, #parts

  exhausted = false
  request = function()
    for index = 1, last do
      local part = parts[index]
      if index % 2 == 1 then
        buffer[index] = part
      elseif part == "unique" then
        buffer[index] = unique()
      else
        local ticket = next_ticket()
        if not ticket then
          exhausted = true
          ticket = "exhausted"
        end
        buffer[index] = ticket
      end
    end
    return table.concat(buffer)
  end

  if given.pause or given.limit then
    local pause, left = tonumber(given.pause) or 0, tonumber(given.limit) or math.huge
    local scatter = given.scatter == "yes"
    delay = function()
      left = left - 1
      return left < 0 and HOUR or scatter and random(0, 2 * pause) or pause
    end
  end

  if given.collect then
    local collected = assert(io.open(given.collect, "ab"))
    local pattern, fromCookie = given.pattern, given.from == "cookie"
    response = function(status, headers, body)
      local text = body
      if fromCookie then text = headers["Set-Cookie"] or headers["set-cookie"] end
      local ticket = status == 200 and text and text:match(pattern)
      if ticket then collected:write(ticket, "\n") end
    end
  end
end

function done(summary, latency)
  local ranOut = false
  for _, thread in ipairs(threads) do ranOut = ranOut or thread:get("exhausted") end
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d,"max":%d,"exhausted":%s}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max, tostring(ranOut)))
end
