--- What the server and its lenses request of the editor.
local command = require('flyte_sidecar.command')
local events = require('flyte_sidecar.events')
local server = require('flyte_sidecar.server')
local ui = require('flyte_sidecar.ui')

local handlers = {}
local M = { handlers = handlers, commands = { ['flyteSidecar.signal'] = command.signal } }

handlers['sidecar.authRequired'] = command.on_login
handlers['sidecar.authEnded'] = command.on_login_ended

handlers['flyteSidecar/events'] = function(_, params, context)
  events.update(context.client_id, params)
  for _, event in ipairs(params.ended) do
    ui.announce(events.key(event), nil)
  end
end

handlers['flyteSidecar/ask'] = function(_, params)
  ui.announce(events.key(params.event), params.message, ':FlyteEvents')
  return vim.NIL
end

-- Neovim's own handler waits for Enter after each message.
handlers['window/showMessage'] = function(_, params)
  ui.notify(params.message, vim.log.levels.ERROR + 1 - params.type)
end

handlers['window/showDocument'] = function(err, params, context)
  if not vim.startswith(params.uri, 'flyte-event:') then
    return vim.lsp.handlers['window/showDocument'](err, params, context)
  end
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  client:request('workspace/textDocumentContent', { uri = params.uri }, function(problem, result)
    local lines = vim.split(problem and problem.message or result.text, '\n')
    vim.lsp.util.open_floating_preview(lines, 'markdown', { focus_id = params.uri })
  end)
  return { success = true }
end

--- Refresh the lenses of a buffer, or of all buffers, later: Neovim 0.11, which leaves this to
--- plugins, refreshes none while it waits for those of an older text.
---@param only? integer
function M.refresh_lenses(only)
  local show = vim.lsp.codelens.enable or function(_, filter) vim.lsp.codelens.refresh(filter) end
  vim.defer_fn(function()
    for _, client in ipairs(server.clients()) do
      for bufnr in pairs(client.attached_buffers) do
        if bufnr == (only or bufnr) then show(true, { bufnr = bufnr }) end
      end
    end
  end, 100)
  return vim.NIL
end

handlers['workspace/codeLens/refresh'] = not vim.lsp.codelens.enable and M.refresh_lenses or nil
handlers['workspace/textDocumentContent/refresh'] = function() return vim.NIL end

return M
