--- The command `:FlyteEvents [subcommand] [run/name]`.
local events = require('flyte_sidecar.events')
local server = require('flyte_sidecar.server')
local ui = require('flyte_sidecar.ui')

local M = {}

local login ---@type {url: string, message: string, client_id: integer}? the one that is open

--- Report that there is nothing to choose from, and why.
local function none()
  local message = events.waiting()[1] and 'No waiting event matches.' or 'No event is waiting.'
  for _, client in ipairs(server.clients()) do
    local state = events.state(client.id)
    local reason = state.error or state.phase
    if reason ~= 'ready' then message = ('%s (%s)'):format(message, reason) end
  end
  ui.notify(ui.one_line(message))
end

local function send(command)
  return function(event) server.execute(event.client_id, command, { event }) end
end

--- Ask for an answer until the server accepts it; `problem` is what is wrong with the typed text.
local function answer(event, typed, problem)
  local prompt = (problem and ui.one_line(problem) or ui.describe(event)) .. ' '
  vim.ui.input({ prompt = prompt, default = typed }, function(text)
    if not text then return end
    local check = { event.expectedType or vim.NIL, text }
    server.execute(event.client_id, 'checkAnswer', check, function(wrong)
      if type(wrong) == 'string' then return answer(event, text, wrong) end
      server.execute(event.client_id, 'answer', { event, text })
    end)
  end)
end

--- Copy a text for other programs, or else for Neovim.
local function copy(text) vim.fn.setreg(vim.fn.has('clipboard') == 1 and '+' or '"', text) end

local function abort(event)
  vim.ui.input({ prompt = 'Reason (optional): ' }, function(reason)
    if not reason then return end
    server.execute(event.client_id, 'abort', { event, reason ~= '' and reason or nil })
  end)
end

local function answers_bool(event) return event.expectedType == 'bool' or not event.expectedType end
local function answers_text(event) return event.expectedType ~= 'bool' end
local function has_url(event) return event.url end
local function any() return true end

local actions = { -- name, label, condition, effect
  { 'approve', 'Approve', answers_bool, send('approve') },
  { 'reject', 'Reject', answers_bool, send('reject') },
  { 'answer', 'Answer…', answers_text, function(event) answer(event) end },
  { 'show', 'Show', any, send('showEvent') },
  { 'abort', 'Abort…', any, abort },
  { 'open', 'Open in browser', has_url, function(event) ui.browse(event.url) end },
  { 'copy', 'Copy id', any, function(event) copy(event.actionName) end },
}

--- Let the person choose what to do with an event.
local function act(event)
  local function applies(action) return action[3](event) end
  local function label(action) return action[2] end
  local function run(action) action[4](event) end
  ui.choose(ui.describe(event) .. ':', vim.tbl_filter(applies, actions), label, run)
end

--- Let the person choose a waiting event unless one is named, and use it.
local function pick(use, applies, id)
  local function is_meant(event) return applies(event) and (id == '' or ui.id(event) == id) end
  local found = vim.tbl_filter(is_meant, events.waiting())
  if #found == 0 then return none() end
  if id ~= '' and #found == 1 then return use(found[1]) end
  ui.choose('Waiting events:', found, ui.describe, use)
end

--- Fill the quickfix list with the waiting events, at their declarations.
local function quickfix()
  local declared = {} -- an item of each name
  for _, client in ipairs(server.clients()) do
    local response = client:request_sync('workspace/symbol', { query = '' }, 3000) or {}
    for _, symbol in ipairs(response.result or {}) do
      local location, encoding = symbol.location, client.offset_encoding
      declared[symbol.name] = vim.lsp.util.locations_to_items({ location }, encoding)[1]
    end
  end
  local items = {}
  for _, event in ipairs(events.waiting()) do
    local item = { text = ui.describe(event) }
    table.insert(items, vim.tbl_extend('keep', item, declared[event.name] or {}))
  end
  if #items == 0 then return none() end
  vim.fn.setqflist({}, ' ', { title = 'Waiting events', items = items })
  vim.cmd('botright copen')
end

--- Handle `sidecar.authRequired`.
function M.on_login(_, params, context)
  login = { url = params.url, message = params.message, client_id = context.client_id }
  ui.announce('login', params.message, ':FlyteEvents login')
end

--- Handle `sidecar.authEnded`.
function M.on_login_ended(_, params)
  if login and login.url == params.url then login = nil end
  local outcome = params.error and 'The login failed: ' .. params.error or 'You are logged in.'
  ui.announce('login', outcome, params.error and ':FlyteEvents login' or ':FlyteEvents')
end

--- Let the person continue the login that is open, or request one.
local function continue_login()
  local url, client = login and login.url, login and vim.lsp.get_client_by_id(login.client_id)
  if not client then
    return server.ensure(function()
      vim.iter(server.clients()):each(function(each) server.execute(each.id, 'refresh', {}) end)
      ui.notify('No login is open. If Flyte requires one, its link follows.')
    end)
  end
  local choices = { 'Open in browser', 'Copy link', 'Cancel login' }
  ui.choose(ui.one_line(login.message), choices, tostring, function(choice)
    if choice == 'Open in browser' then return ui.browse(url) end
    if choice == 'Copy link' then return copy(url) end
    client:request('sidecar.cancelLogin', { url = url }, function() end)
  end)
end

local subcommands = { quickfix = quickfix, login = continue_login }
for _, action in ipairs(actions) do
  local name, _, applies, run = unpack(action)
  subcommands[name] = function(id) pick(run, applies, id) end
end

--- Run the command with its arguments.
---@param arguments string
function M.run(arguments)
  local name, id = arguments:match('^(%S*)%s*(.-)%s*$')
  local run = name == '' and function() pick(act, any, '') end or subcommands[name]
  if not run then return ui.notify('There is no subcommand ' .. name, vim.log.levels.ERROR) end
  if run == continue_login then return run() end -- no events are reported before it
  server.ensure(function() run(id) end)
end

--- Complete a subcommand, or the event of one.
function M.complete(lead, line)
  local is_event = line:find('^%s*%S+%s+%S+%s')
  local candidates = is_event and vim.tbl_map(ui.id, events.waiting()) or vim.tbl_keys(subcommands)
  table.sort(candidates)
  return vim.tbl_filter(function(each) return vim.startswith(each, lead) end, candidates)
end

--- Ask for the answer to the event of a lens: `flyteSidecar.signal`.
function M.signal(lens, context)
  local event = events.state(context.client_id).waiting[events.key(lens.arguments[1])]
  if event and #lens.arguments == 1 then return answer(event) end
  server.execute(context.client_id, 'signal', lens.arguments)
end

return M
