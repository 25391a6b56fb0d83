-- Asking a service whether a request may come in (docs/authentication.md).
--
-- Loaded once a thread. haproxy-cfg/30-http.cfg calls this for routes whose policy has the letter U, and lets nobody in unless
-- txn.auth_verdict is there afterwards: whatever goes wrong here, an error of Lua's included, closes the route. txn.auth is the entry of
-- auth.map, as the controller (controller/model/auth.h) has made it. The question goes to a listener of this HAProxy (part 7 of
-- haproxy-cfg), which sends it to the backend that the entry names; no body is sent, and none is read.

local SOCKET = "unix@" .. (os.getenv("HEADGATE_RUN_DIR") or "") .. "/auth.sock"
local MAX_QUESTIONS = 1000 -- entries of auth.map that are kept taken apart
local MAX_ALLOWED = 2000   -- answers that are kept, twice: see remember()
local MAX_KEPT = 4096      -- bytes of one
local MAX_LINES = 256      -- of an answer's header

-- What every question has of the request besides its options' headers. HAProxy has set the first five itself by now.
local PASSED = {
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-request-id",
	"authorization", "cookie", "accept", "user-agent",
}
local CREDENTIALS = {"authorization", "cookie"}

-- ---- what is asked ----

local questions, n_questions = {}, 0

local function split(text)
	local names = {}
	for name in (text or ""):gmatch("[^,]+") do
		names[#names + 1] = name
	end
	return names
end

-- No value has a quote in it, or anything that JSON would write in another way.
local function parse(entry)
	local backend, outside, object = entry:match("^([^|]+)|([^|]*)|{(.*)}$")
	local options = {}
	for name, value in (object or ""):gmatch('"([%w-]+)":"([^"]*)"') do
		options[name] = value
	end
	local host, path = (options["auth-url"] or ""):match("^https?://([^/]+)(/.*)$")
	return host and {
		backend = backend, outside = outside, host = host, path = path,
		method = (options["auth-method"] or "get"):upper(),
		timeout = (tonumber(options["auth-timeout"]) or 5000) / 1000,
		cache = (tonumber(options["auth-cache"]) or 0) / 1000,
		signin = options["auth-signin"],
		taken = split(options["auth-response-headers"]),
		passed = split(options["auth-request-headers"]),
	}
end

local function question_of(entry)
	local question = questions[entry]
	if question == nil then
		if n_questions >= MAX_QUESTIONS then
			questions, n_questions = {}, 0
		end
		question = parse(entry) or false
		questions[entry] = question
		n_questions = n_questions + 1
	end
	return question
end

-- A header's values in one line; Cookie has a way of its own (RFC 9113 section 8.2.3). Empty when it isn't there.
local function joined(headers, name)
	local values, texts = headers[name], {}
	local n = 0
	while values and values[n] do
		texts[#texts + 1] = values[n]
		n = n + 1
	end
	return table.concat(texts, name == "cookie" and "; " or ", ")
end

-- What begins with x-headgate- is for part 7, and no client's.
local function add_headers(lines, headers, names)
	for _, name in ipairs(names) do
		local value = joined(headers, name)
		if value ~= "" and name:sub(1, 11) ~= "x-headgate-" then
			lines[#lines + 1] = name .. ": " .. value
		end
	end
end

-- The URL that the client asked for.
local function original(txn, headers)
	return joined(headers, "x-forwarded-proto") .. "://" .. (txn:get_var("txn.authority") or "") .. txn.sf:pathq()
end

-- The question as bytes; nil when something in it could be taken for a line's end.
local function compose(txn, question, headers)
	local lines = {
		question.method .. " " .. question.path .. " HTTP/1.1",
		"host: " .. question.host,
		"connection: close",
		"x-headgate-backend: " .. question.backend,
		"x-headgate-timeout: " .. math.floor(question.timeout * 1000),
		"x-headgate-policy: " .. txn:get_var("txn.auth_policy"),
		"x-original-url: " .. original(txn, headers),
		"x-original-method: " .. txn.sf:method(),
		"x-auth-request-redirect: " .. txn.sf:pathq(),
		"x-forwarded-uri: " .. txn.sf:pathq(),
		"x-forwarded-method: " .. txn.sf:method(),
	}
	if question.outside ~= "" then
		lines[#lines + 1] = "x-headgate-outside: " .. question.outside
	end
	local source = txn.sf:src()
	if source and source ~= "" then
		lines[#lines + 1] = "x-real-ip: " .. source
	end
	if question.method == "POST" then
		lines[#lines + 1] = "content-length: 0"
	end
	add_headers(lines, headers, PASSED)
	add_headers(lines, headers, question.passed)
	for _, line in ipairs(lines) do
		if line:find("[\r\n\0]") then
			return nil
		end
	end
	return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- ---- what is answered ----

-- Status and headers, lists by name; nil for anything that is no answer. Those that only announce one are passed over.
local function receive_head(socket)
	local n_lines = 0
	repeat
		local status = tonumber((socket:receive("*l") or ""):match("^HTTP/1%.[01] (%d%d%d)"))
		local headers = {}
		while status do
			local line = socket:receive("*l")
			n_lines = n_lines + 1
			if line == nil or n_lines > MAX_LINES then
				return nil
			elseif line == "" then
				break
			end
			local name, value = line:match("^([^:]+):%s*(.-)%s*$")
			if name then
				name = name:lower()
				headers[name] = headers[name] or {}
				table.insert(headers[name], value)
			end
		end
		if status == nil or status == 101 or status >= 200 then
			return status, headers
		end
	until false
end

local function ask(question, bytes)
	local socket = core.tcp()
	local status, headers
	socket:settimeout(question.timeout)
	if socket:connect(SOCKET) and socket:send(bytes) == #bytes then
		status, headers = receive_head(socket)
	end
	socket:close()
	return status, headers
end

-- ---- answers that hold for a while ----

-- Two generations: when the younger one is full, the older one goes.
local young, old, n_young = {}, {}, 0

local function now()
	local time = core.now()
	return time.sec + time.usec / 1000000
end

local function recall(key)
	local kept = young[key] or old[key]
	return kept and kept.until_ > now() and kept.headers or nil
end

local function remember(key, headers, seconds)
	if n_young >= MAX_ALLOWED then
		young, old, n_young = {}, young, 0
	end
	n_young = n_young + (young[key] and 0 or 1)
	young[key] = {until_ = now() + seconds, headers = headers}
end

-- Under what the answer is kept; nil: it isn't. A request without credentials has nothing that an answer could hold for.
local function key_of(txn, question, headers)
	local texts, n = {}, 0
	if question.cache <= 0 then
		return nil
	end
	for _, names in ipairs({CREDENTIALS, question.passed}) do
		for _, name in ipairs(names) do
			local value = joined(headers, name)
			n = n + #value
			texts[#texts + 1] = #value .. ":" .. value
		end
	end
	if n == 0 then
		return nil
	end
	return txn.c:sha2(txn:get_var("txn.auth_policy") .. "|" .. txn:get_var("txn.auth") .. "|" .. (txn:get_var("txn.host") or "") .. "|" .. table.concat(texts), 256)
end

-- ---- what becomes of the request ----

-- Only what pods are to get. HAProxy's own cookie, of a backend that has one, is none of the client's.
local function pick(question, headers)
	local picked, size = {}, 0
	for _, name in ipairs(question.taken) do
		picked[name] = headers[name] or {}
		for _, value in ipairs(picked[name]) do
			size = size + #value
		end
	end
	return picked, size
end

local function cookies_of(headers)
	local cookies = {}
	for _, cookie in ipairs(headers["set-cookie"] or {}) do
		if not cookie:find("^headgate=") then
			cookies[#cookies + 1] = cookie
		end
	end
	return cookies
end

-- Servers in the manner of CGI read X_Auth_User and X-Auth-User as the same header: any character between the words counts.
local function plain(name)
	return (name:lower():gsub("[^a-z0-9]", "-"))
end

local function remove_forged(txn, question, headers)
	local taken = {}
	for _, name in ipairs(question.taken) do
		taken[plain(name)] = true
	end
	for name in pairs(headers) do
		if taken[plain(name)] then
			txn.http:req_del_header(name)
		end
	end
end

local function let_in(txn, question, headers, picked)
	remove_forged(txn, question, headers)
	for name, values in pairs(picked) do
		for _, value in ipairs(values) do
			txn.http:req_add_header(name, value)
		end
	end
	txn:set_var("txn.auth_verdict", "allowed")
end

local function encode(text)
	return (text:gsub("[^%w._~-]", function(byte) return string.format("%%%02X", byte:byte()) end))
end

local function signin_url(txn, question, headers)
	local url = question.signin
	if url:find("[?&]rd=") then
		return url
	end
	return url .. (url:find("?", 1, true) and "&" or "?") .. "rd=" .. encode(original(txn, headers))
end

local function keep_out(txn, question, headers, status, answered)
	local reply = txn:reply{status = status, headers = {["cache-control"] = {"no-store"}}}
	if status == 401 and question.signin then
		reply:set_status(302)
		reply:add_header("location", signin_url(txn, question, headers))
	else
		for _, value in ipairs(answered["www-authenticate"] or {}) do
			reply:add_header("www-authenticate", value)
		end
	end
	for _, cookie in ipairs(cookies_of(answered)) do
		reply:add_header("set-cookie", cookie)
	end
	txn:done(reply)
end

core.register_action("headgate-auth", {"http-req"}, function(txn)
	local question = question_of(txn:get_var("txn.auth") or "")
	if not question then
		return
	end
	local headers = txn.http:req_get_headers()
	local key = key_of(txn, question, headers)
	local kept = key and recall(key)
	if kept then
		return let_in(txn, question, headers, kept)
	end
	local bytes = compose(txn, question, headers)
	if bytes == nil then
		return
	end
	local status, answered = ask(question, bytes)
	if status == nil then
		return
	end
	if status >= 200 and status <= 299 then
		local picked, size = pick(question, answered)
		local cookies = cookies_of(answered)
		if #cookies > 0 then
			txn:set_var("txn.auth_cookies", table.concat(cookies, "\n"))
		elseif key and size <= MAX_KEPT then
			remember(key, picked, question.cache)
		end
		let_in(txn, question, headers, picked)
	elseif status == 401 or status == 403 then
		keep_out(txn, question, headers, status, answered)
	end
end)

-- A session that the service has renewed.
core.register_action("headgate-auth-cookies", {"http-res"}, function(txn)
	for cookie in (txn:get_var("txn.auth_cookies") or ""):gmatch("[^\n]+") do
		txn.http:res_add_header("set-cookie", cookie)
	end
end)
