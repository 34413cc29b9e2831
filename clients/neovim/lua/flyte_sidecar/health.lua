--- Report the command that starts the server, and the servers that run.
local function check()
  local events, server = require('flyte_sidecar.events'), require('flyte_sidecar.server')
  vim.health.start('flyte_sidecar')
  local command, origin = server.find()
  if type(command) == 'table' then
    local run = { command[1], '--version' }
    local ok, done = pcall(function() return vim.system(run, { text = true }):wait(5000) end)
    local report = ok and done.code == 0 and vim.health.ok or vim.health.error
    local output = ok and vim.trim(done.stdout .. done.stderr) or done
    report(('%s (%s): %s'):format(command[1], origin, output))
  elseif not command then
    vim.health.error(origin, server.advice(origin))
  end
  for _, client in ipairs(server.clients()) do
    local state = events.state(client.id)
    local count = vim.tbl_count(state.waiting)
    vim.health.info(('Client %d is %s: %d waiting'):format(client.id, state.phase, count))
    if state.error then vim.health.warn(state.error) end
  end
end

return { check = check }
