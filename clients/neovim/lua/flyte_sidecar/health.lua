local M = {}

--- Report the command that starts the server, and the servers that run.
function M.check()
  local events, server = require('flyte_sidecar.events'), require('flyte_sidecar.server')
  local command, origin = vim.lsp.config.flyte_sidecar.cmd, 'cmd of the configuration'
  vim.health.start('flyte_sidecar')
  if type(command) ~= 'table' then
    command, origin = server.find()
  end
  if command then
    local run = vim.list_extend({ command[1] }, { '--version' })
    local ok, done = pcall(function() return vim.system(run, { text = true }):wait(10000) end)
    local report = ok and done.code == 0 and vim.health.ok or vim.health.error
    report(('%s (%s): %s'):format(command[1], origin, ok and vim.trim(done.stdout) or done))
  else
    vim.health.error(origin, server.INSTALL)
  end
  for _, client in ipairs(server.clients()) do
    local state = events.state(client.id)
    local count = vim.tbl_count(state.waiting)
    vim.health.info(('Client %d is %s: %d waiting'):format(client.id, state.phase, count))
    if state.error then vim.health.warn(state.error) end
  end
  if vim.fn.executable('flyte') == 0 then
    vim.health.warn('flyte is not on PATH: the lens "Run Locally" needs it')
  end
end

return M
