--- Code lenses: Neovim 0.11 leaves it to plugins when to refresh them, later versions do not.
local actions = require('flyte_sidecar.actions')
local ui = require('flyte_sidecar.ui')

local M = { commands = { ['flyteSidecar.signal'] = actions.signal } }

--- Refresh the lenses, later: Neovim refreshes none while it waits for those of an older text.
function M.refresh()
  vim.defer_fn(vim.lsp.codelens.refresh, 100)
  return vim.NIL
end

--- Show the lenses of a buffer.
function M.attach(bufnr)
  if vim.lsp.codelens.enable then return vim.lsp.codelens.enable(true, { bufnr = bufnr }) end
  local group = vim.api.nvim_create_augroup('flyte_sidecar.' .. bufnr, {})
  local options = { group = group, buffer = bufnr, callback = function() M.refresh() end }
  vim.api.nvim_create_autocmd({ 'TextChanged', 'InsertLeave' }, options)
  M.refresh()
end

--- Run a task in a terminal. With parameters, the command is typed for the person to complete.
M.commands['flyteSidecar.runLocally'] = function(command)
  local task = command.arguments[1] ---@type {uri: string, task: string, parameters: string[]}
  local run = { 'flyte', 'run', '--local', vim.uri_to_fname(task.uri), task.task }
  local keys = table.concat(vim.tbl_map(vim.fn.shellescape, run), ' ')
  if keys:find('%c') then return ui.notify('The path contains control characters.') end
  for _, name in ipairs(task.parameters) do
    keys = ('%s --%s '):format(keys, name)
  end
  vim.cmd('botright 15new')
  local shell = vim.fn.jobstart(vim.o.shell, { term = true })
  vim.api.nvim_chan_send(shell, keys .. (#task.parameters == 0 and '\r' or ''))
  vim.cmd.startinsert()
end

return M
