--- The command `:FlyteEvents [subcommand] [run/name]`.
local actions = require('flyte_sidecar.actions')
local events = require('flyte_sidecar.events')
local server = require('flyte_sidecar.server')
local ui = require('flyte_sidecar.ui')

local M = {}

local function id(event) return ui.one_line(('%s/%s'):format(event.runName, event.name)) end

--- Report that there is nothing to choose from, and why.
local function none()
  local message = 'No event is waiting.'
  for _, client in ipairs(server.clients()) do
    local state = events.state(client.id)
    if state.phase ~= 'ready' then
      message = ('%s (%s)'):format(message, state.error or state.phase)
    end
  end
  ui.notify(ui.one_line(message))
end

--- Let the person choose what to do with an event.
local function act(event)
  local choices = {}
  for _, action in ipairs(actions.all) do
    local _, label, applies, run = unpack(action)
    if applies(event) then table.insert(choices, { label, function() run(event) end }) end
  end
  ui.choose(actions.question(event), choices)
end

--- Let the person choose a waiting event unless one is named, and use it.
local function pick(use, applies, named)
  local choices = {}
  for _, event in ipairs(events.waiting()) do
    if applies(event) and (not named or id(event) == named) then
      local row = ('%s · %s · %s'):format(id(event), ui.age(event.createdAt), event.prompt or '')
      table.insert(choices, { ui.one_line(row, vim.o.columns - 8), function() use(event) end })
    end
  end
  if #choices == 0 then return none() end
  if named and #choices == 1 then return choices[1][2]() end
  ui.choose('Waiting events:', choices)
end

--- Fill the quickfix list with the waiting events, at their declarations.
local function quickfix()
  local declared = {} -- an item of each name
  for _, client in ipairs(server.clients()) do
    local answer = client:request_sync('workspace/symbol', { query = '' }, 3000) or {}
    for _, symbol in ipairs(answer.result or {}) do
      local items = vim.lsp.util.locations_to_items({ symbol.location }, client.offset_encoding)
      declared[symbol.name] = items[1]
    end
  end
  local items = vim.tbl_map(function(event)
    local text = ui.one_line(('%s · %s'):format(id(event), event.prompt or ''), 200)
    return vim.tbl_extend('force', declared[event.name] or {}, { text = text })
  end, events.waiting())
  if #items == 0 then return none() end
  vim.fn.setqflist({}, ' ', { title = 'Waiting events', items = items })
  vim.cmd('botright copen')
end

local subcommands = {
  quickfix = quickfix,
  login = require('flyte_sidecar.login').choose,
  restart = server.restart,
}
for _, action in ipairs(actions.all) do
  local name, _, applies, run = unpack(action)
  subcommands[name] = function(named) pick(run, applies, named) end
end

--- Run the command with its arguments.
---@param name? string
function M.run(name, ...)
  local named = ... and table.concat({ ... }, ' ')
  local run = subcommands[name]
    or not name and function()
      pick(act, function() return true end)
    end
  if not run then return ui.notify('There is no subcommand ' .. name, vim.log.levels.ERROR) end
  if run == server.restart then return run() end
  server.ensure(function() run(named) end)
end

--- Complete a subcommand, or the event of one.
function M.complete(lead, line)
  local is_event = line:find('^%s*%S+%s+%S+%s')
  local candidates = is_event and vim.tbl_map(id, events.waiting()) or vim.tbl_keys(subcommands)
  table.sort(candidates)
  return vim.tbl_filter(function(each) return vim.startswith(each, lead) end, candidates)
end

return M
