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
    experimental = {
      flyteSidecar = { events = true, asking = true, logins = true, runLocally = true },
    },
  },
  handlers = require('flyte_sidecar.handlers'),
  commands = require('flyte_sidecar.lenses').commands,
}
