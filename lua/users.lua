-- Asks the controller whether a user and a password are right, over a socket of its own (controller/auth/endpoint.h).
--
-- Called from haproxy-cfg/30-http.cfg for credentials that are not remembered, of routes whose policy asks for users. Says in txn.entrance:
-- right, once (right, and not to be remembered) or wrong; where there is no answer it stays as it is.

local TIMEOUT = 6000 -- milliseconds; the controller answers within five seconds
local MAX_ASKING = 16 -- at a time, of each thread

-- When each of the questions that are under way began: one whose client has gone never says that it has ended.
local asking, n_asking, number = {}, 0, 0

local function may_ask(now)
	if n_asking >= MAX_ASKING then
		for key, since in pairs(asking) do
			if now - since > TIMEOUT / 1000 + 1 then
				asking[key] = nil
				n_asking = n_asking - 1
			end
		end
	end
	return n_asking < MAX_ASKING
end

local answers = {[200] = "right", [202] = "once", [401] = "wrong"}

core.register_action("headgate-users", {"http-req"}, function(txn)
	local now = core.now().sec
	local policy, users, credentials = txn:get_var("txn.policy_id"), txn:get_var("txn.users"), txn:get_var("txn.credentials")
	if not policy or not users or not credentials or not may_ask(now) then
		return
	end
	number = number + 1
	local key = number
	asking[key] = now
	n_asking = n_asking + 1
	local is_ok, answer = pcall(function()
		return core.httpclient():get{
			url = "http://users/",
			dst = "unix@" .. os.getenv("HEADGATE_RUN_DIR") .. "/users.sock",
			timeout = TIMEOUT,
			headers = {["x-policy"] = {policy}, ["x-users"] = {users}, ["authorization"] = {credentials}},
		}
	end)
	if asking[key] ~= nil then
		asking[key] = nil
		n_asking = n_asking - 1
	end
	local entrance = is_ok and answers[answer.status]
	if entrance then
		txn:set_var("txn.entrance", entrance)
	end
end)
