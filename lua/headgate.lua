-- What HAProxy's configuration language can't say: names of headers that are data, a route's own regular expressions, and any status.
--
-- Loaded once a thread (lua-load-per-thread), so nothing here is shared and nothing waits. The actions are called from
-- haproxy-cfg/30-http.cfg, only for requests of routes whose policy asks for them; each reads what it needs from txn.record, the JSON
-- object that the controller (controller/model/policy.c) has made. Members that hold free text are base64.

local MAX_CACHED = 1000

-- Texts of members that have been taken apart, by their base64. There is one entry a policy; emptied when it is full, because policies go.
local cache, n_cached = {}, 0

local function cached(kind, text, parse)
	local key = kind .. text
	local value = cache[key]
	if value == nil then
		if n_cached >= MAX_CACHED then
			cache, n_cached = {}, 0
		end
		value = parse(text)
		cache[key] = value
		n_cached = n_cached + 1
	end
	return value
end

-- A quote inside of a member's text is escaped, so this is found only where a member begins.
local function member(txn, name, variable)
	local record = txn:get_var(variable or "txn.record") or ""
	return record:match('"' .. name:gsub("%-", "%%-") .. '":"?([^",}]*)')
end

local function lines(text)
	return text:gmatch("[^\n]+")
end

-- What may stand in %[...], and be captured: the closed table of controller/option/expression.def, which lets nothing else through.
local fetches = {
	["src"] = "src", ["src_port"] = "src_port", ["dst"] = "dst", ["dst_port"] = "dst_port",
	["method"] = "method", ["path"] = "path", ["query"] = "query", ["url"] = "url",
	["ssl_fc"] = "ssl_fc", ["ssl_fc_sni"] = "ssl_fc_sni", ["ssl_fc_protocol"] = "ssl_fc_protocol", ["ssl_fc_cipher"] = "ssl_fc_cipher",
	["hdr"] = "req_hdr", ["req.hdr"] = "req_hdr", ["req.fhdr"] = "req_fhdr", ["cookie"] = "req_cook", ["req.cook"] = "req_cook",
}

local function value_of(txn, expression)
	local name, argument = expression:match("^([%w_.]+)%(?([^()]*)%)?$")
	local fetch = fetches[name or ""]
	if fetch == nil then
		return ""
	end
	if argument ~= "" then
		return txn.sf[fetch](txn.sf, argument)
	end
	return txn.sf[fetch](txn.sf)
end

-- %% is the character itself: a byte that no header holds stands for it meanwhile.
local function expand(txn, text)
	text = text:gsub("%%%%", "\1"):gsub("%%%[([^%]]*)%]", function(expression) return value_of(txn, expression) or "" end)
	return (text:gsub("\1", "%%"))
end

-- ---- the client's address, as a header says it ----

core.register_action("headgate-source", {"http-req"}, function(txn)
	-- Before txn.record is there: the whole record.
	local name = (txn:get_var("txn.policy") or ""):match('"src%-ip%-header":"([^"]*)"')
	local value = name and txn.sf:req_hdr(name)
	if value and value ~= "" then
		txn:set_var("txn.source", value)
	end
end)

-- ---- headers ----

-- A text with its length in front, and where the next one begins: numbers as set-headers-bin of HAProxy 3.4 reads them, four bits in the
-- first byte from 240 on, and seven in each that follows.
local function take(bytes, at)
	local length, factor = bytes:byte(at) or 0, 16
	local byte = length < 240 and 0 or 128
	while byte >= 128 do
		at = at + 1
		byte = bytes:byte(at)
		length = length + byte * factor
		factor = factor * 128
	end
	return bytes:sub(at + 1, at + length), at + 1 + length
end

local function parse_headers(txn, text)
	return cached("headers ", text, function()
		local headers, bytes, at = {}, txn.c:b64dec(text), 1
		while true do
			local name, value
			name, at = take(bytes, at)
			value, at = take(bytes, at)
			if name == "" then
				return headers
			end
			headers[#headers + 1] = {name = name, value = value}
		end
	end)
end

local function set_headers(txn, option, set, is_filled)
	local text = member(txn, option)
	if text == nil then
		return
	end
	for _, header in ipairs(parse_headers(txn, text)) do
		set(txn.http, header.name, is_filled and expand(txn, header.value) or header.value)
	end
end

local function has_letter(txn, letter)
	return (txn:get_var("txn.is") or ""):find(letter, 1, true) ~= nil
end

core.register_action("headgate-request-headers", {"http-req"}, function(txn)
	set_headers(txn, "request-set-header", txn.http.req_set_header, has_letter(txn, "E"))
end)

core.register_action("headgate-response-headers", {"http-res"}, function(txn)
	set_headers(txn, "response-set-header", txn.http.res_set_header, has_letter(txn, "e"))
end)

-- ---- may this path be asked for? ----

-- A path as servers may understand it: decoded once, without empty elements, dots and parameters; with / at its end.
local function plain(path)
	local elements = {}
	path = path:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
	for element in path:gmatch("[^/\\]+") do
		element = element:gsub("[;\0].*", "")
		if element == ".." then
			elements[#elements] = nil
		elseif element ~= "" and element ~= "." then
			elements[#elements + 1] = element
		end
	end
	return "/" .. table.concat(elements, "/") .. (#elements > 0 and "/" or "")
end

local function parse_paths(text)
	local paths = {}
	for path in text:gmatch("%S+") do
		paths[#paths + 1] = {written = path == "/" and path or path .. "/", plain = plain(path)}
	end
	return paths
end

-- As it is written, too: not every server resolves dots.
core.register_action("headgate-paths", {"http-req"}, function(txn)
	local written = (txn.sf:path() or "") .. "/"
	local meant, paths = plain(written), member(txn, "deny-paths")
	for _, path in ipairs(paths and cached("paths ", paths, parse_paths) or {{written = "", plain = ""}}) do
		if written:sub(1, #path.written) == path.written or meant:sub(1, #path.plain) == path.plain then
			return
		end
	end
	txn:set_var("txn.path_verdict", "open")
end)

-- ---- is this request the canary's? ----

-- What a header or a cookie says without canary-by-header-value.
local sides = {always = "canary", never = "route"}

core.register_action("headgate-canary", {"http-req"}, function(txn)
	local header, cookie = member(txn, "canary-by-header", "txn.canary"), member(txn, "canary-by-cookie", "txn.canary")
	local expected = member(txn, "canary-by-header-value", "txn.canary")
	local value = header and txn.sf:req_fhdr(header)
	local side
	if value and expected then
		side = value == txn.c:b64dec(expected) and "canary" or nil
	elseif value then
		side = sides[value]
	end
	side = side or cookie and sides[txn.sf:req_cook(cookie) or ""]
	if side then
		txn:set_var("txn.side", side)
	end
end)

-- ---- regular expressions ----

-- Texts come from clients, and what is matched against them from tenants: a match that would take longer than some milliseconds is none. HAProxy ends itself
-- when a thread is busy for seconds.
local function make_regex(pattern)
	return Regex.new("(*LIMIT_MATCH=10000)" .. pattern, true)
end

-- ---- the path ----

local function parse_rewrites(txn, text)
	return cached("rewrites ", text, function()
		local rewrites = {}
		for line in lines(txn.c:b64dec(text)) do
			local pattern, path = line:match("^(%S+) (%S+)$")
			local is_ok, regex = make_regex(pattern or "")
			if is_ok then
				rewrites[#rewrites + 1] = {regex = regex, path = path}
			end
		end
		return rewrites
	end)
end

core.register_action("headgate-rewrite", {"http-req"}, function(txn)
	local path = txn.sf:path()
	for _, rewrite in ipairs(parse_rewrites(txn, member(txn, "path-rewrite") or "")) do
		local is_match, groups = rewrite.regex:match(path)
		if is_match then
			path = rewrite.path:gsub("\\(%d)", function(digit) return groups[tonumber(digit) + 1] or "" end)
		end
	end
	txn.http:req_set_path(path:sub(1, 1) == "/" and path or "/" .. path)
end)

-- ---- may this page read the answer? ----

core.register_action("headgate-origin", {"http-req"}, function(txn)
	local text = member(txn, "cors-allow-origin") or ""
	local regex = cached("origin ", text, function()
		local is_ok, made = make_regex(txn.c:b64dec(text))
		return is_ok and made or false
	end)
	if not regex or not regex:match(txn:get_var("txn.origin")) then
		txn:unset_var("txn.origin")
	end
end)

-- ---- the log ----

core.register_action("headgate-capture", {"http-req"}, function(txn)
	local length = tonumber(member(txn, "request-capture-len"))
	local n = 0
	for expression in lines(txn.c:b64dec(member(txn, "request-capture") or "")) do
		n = n + 1
		txn:set_var("txn.capture" .. n, value_of(txn, expression):sub(1, length))
	end
end)

-- ---- a status that part 3 has no rule for ----

core.register_action("headgate-limit", {"http-req"}, function(txn)
	txn:done(txn:reply{status = tonumber(member(txn, "rate-limit-status-code")) or 429})
end)
