--- Handlers of the server's requests and notifications.
local events = require('flyte_sidecar.events')
local login = require('flyte_sidecar.login')
local ui = require('flyte_sidecar.ui')

local M = {}

local questions = {} ---@type string[] those of the next notification
local documents = {} ---@type table<string, fun()> what reads each document again, by URI

M['sidecar.authRequired'] = login.on_required
M['sidecar.authEnded'] = login.on_ended
M['workspace/codeLens/refresh'] = require('flyte_sidecar.lenses').refresh
if vim.lsp.codelens.enable then M['workspace/codeLens/refresh'] = nil end

M['flyteSidecar/events'] = function(_, params, context) events.update(context.client_id, params) end

M['flyteSidecar/ask'] = function(_, params)
  table.insert(questions, params.message)
  if #questions > 1 then return vim.NIL end
  vim.defer_fn(function()
    local message = #questions == 1 and questions[1] or #questions .. ' runs wait for an answer'
    questions = {}
    ui.announce(message, ':FlyteEvents')
  end, 200)
  return vim.NIL
end

-- Neovim's own handler waits for Enter after each message.
M['window/showMessage'] = function(_, params)
  ui.notify(params.message, vim.log.levels.ERROR + 1 - params.type)
end

M['window/showDocument'] = function(err, params, context)
  if not vim.startswith(params.uri, 'flyte-event:') then
    return vim.lsp.handlers['window/showDocument'](err, params, context)
  end
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden, vim.bo[bufnr].filetype = 'wipe', 'markdown'
  -- Without the query, which identifies the event to the server. Another buffer may have the name.
  pcall(vim.api.nvim_buf_set_name, bufnr, (params.uri:gsub('%?.*', '')))
  documents[params.uri] = function()
    client:request('workspace/textDocumentContent', { uri = params.uri }, function(problem, result)
      if not vim.api.nvim_buf_is_valid(bufnr) then return end
      local text = problem and problem.message or result.text
      vim.bo[bufnr].modifiable = true
      vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, vim.split(text, '\n'))
      vim.bo[bufnr].modifiable = false
    end)
  end
  documents[params.uri]()
  vim.cmd.sbuffer(bufnr)
  return { success = true }
end

M['workspace/textDocumentContent/refresh'] = function(_, params)
  if documents[params.uri] then documents[params.uri]() end
  return vim.NIL
end

return M
