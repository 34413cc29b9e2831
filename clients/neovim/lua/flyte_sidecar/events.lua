--- The waiting events that the servers have reported.
local M = {}

local states = {} ---@type table<integer, table> by the id of the client
local cache, cached_clients ---@type table[]?, string? of `waiting`: statuslines are drawn often

--- Return what identifies an event.
function M.key(event)
  local scope = ('%s/%s/%s'):format(event.org, event.project, event.domain)
  return ('%s/%s/%s'):format(scope, event.runName, event.actionName)
end

--- Draw what shows the waiting events again.
function M.redraw()
  vim.api.nvim_exec_autocmds('User', { pattern = 'FlyteEvents', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

--- Apply the params of `flyteSidecar/events`.
function M.update(client_id, params)
  local waiting = params.reset and {} or M.state(client_id).waiting
  for _, event in ipairs(params.waiting) do
    event.backend, event.client_id = params.backend, client_id
    waiting[M.key(event)] = event
  end
  for _, event in ipairs(vim.list_extend(params.ended, params.removed)) do
    waiting[M.key(event)] = nil
  end
  states[client_id], cache = vim.tbl_extend('force', params, { waiting = waiting }), nil
  M.redraw()
end

--- Return what a server has reported: `phase`, `error`, `omitted`, and `waiting` by key.
function M.state(client_id) return states[client_id] or { phase = 'connecting', waiting = {} } end

--- Return the waiting events of all servers, the oldest first. Several may report the same ones.
function M.waiting()
  local clients, found, events = vim.lsp.get_clients({ name = 'flyte_sidecar' }), {}, {}
  local ids = vim.iter(clients):map(function(client) return client.id end):join(' ')
  if cache and cached_clients == ids then return cache end
  for _, client in ipairs(clients) do
    for key, event in pairs(M.state(client.id).waiting) do
      found[('%s %s %s'):format(event.createdAt, event.backend, key)] = event
    end
  end
  for _, event in vim.spairs(found) do
    table.insert(events, event)
  end
  cache, cached_clients = events, ids
  return events
end

--- Return the number of waiting events for a statusline, such as `flyte 2`, or an empty string.
---@return string
function M.statusline()
  local count = #M.waiting()
  return count > 0 and ('flyte %d'):format(count) or ''
end

return M
