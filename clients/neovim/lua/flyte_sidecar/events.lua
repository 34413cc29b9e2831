--- The waiting events that the servers have reported.
local M = {}

local states = {} ---@type table<integer, table> by the id of the client

local function key(event)
  local run = { event.org or '', event.project, event.domain, event.runName, event.actionName }
  return table.concat(run, '/')
end

--- Apply the params of `flyteSidecar/events`.
function M.update(client_id, params)
  local waiting = params.reset and {} or M.state(client_id).waiting
  for _, event in ipairs(params.waiting) do
    event.backend, event.client_id = params.backend, client_id
    waiting[key(event)] = event
  end
  for _, event in ipairs(vim.list_extend(params.ended, params.removed)) do
    waiting[key(event)] = nil
  end
  states[client_id] = vim.tbl_extend('force', params, { waiting = waiting })
  vim.api.nvim_exec_autocmds('User', { pattern = 'FlyteEvents', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

--- Return what a server has reported: `phase`, `error`, `omitted`, and `waiting` by key.
function M.state(client_id) return states[client_id] or { phase = 'connecting', waiting = {} } end

--- Return the waiting events of all servers, the oldest first. Several may report the same ones.
function M.waiting()
  local found, events = {}, {}
  for _, client in ipairs(vim.lsp.get_clients({ name = 'flyte_sidecar' })) do
    for id, event in pairs(M.state(client.id).waiting) do
      found[('%s %s %s'):format(event.createdAt, event.backend, id)] = event
    end
  end
  for _, event in vim.spairs(found) do
    table.insert(events, event)
  end
  return events
end

--- Return the waiting event that an argument of a command names, if there is one.
function M.find(client_id, argument) return M.state(client_id).waiting[key(argument)] end

return M
