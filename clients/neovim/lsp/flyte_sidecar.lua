local events = require('flyte_sidecar.events')
local handlers = require('flyte_sidecar.handlers')
local server = require('flyte_sidecar.server')

---@type vim.lsp.Config
return {
  cmd = server.spawn,
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', '.git' },
  root_dir = server.root_dir,
  capabilities = {
    workspace = {
      codeLens = { refreshSupport = true },
      textDocumentContent = { dynamicRegistration = false },
    },
    experimental = { flyteSidecar = { events = true, asking = true, logins = true } },
  },
  handlers = handlers.handlers,
  commands = handlers.commands,
  on_exit = function() vim.defer_fn(events.redraw, 100) end, -- once the client is gone
}
