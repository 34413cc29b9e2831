--- Starts the server, and runs its commands.
local events = require('flyte_sidecar.events')
local ui = require('flyte_sidecar.ui')

local M = {}

local NAME = 'flyte_sidecar'
local UVX = { 'uvx', 'flyte-sidecar@' .. require('flyte_sidecar.version') }
local START_TIMEOUT = 10000 -- ms until the events are used although they may be incomplete
local STOP_TIMEOUT = 3000 -- ms

M.INSTALL = 'Install it with `uv tool install flyte-sidecar`, `pipx install flyte-sidecar` or'
  .. ' `pip install flyte-sidecar`.'

local uvx_accepted ---@type boolean? nil until the person was asked in this session

function M.clients() return vim.lsp.get_clients({ name = NAME }) end

--- Return the command that starts the server and where it was found, or nil and the reason.
---@return string[]?, string
function M.find()
  local named, path = vim.env.FLYTE_SIDECAR or '', vim.fn.exepath('flyte-sidecar')
  if named ~= '' then
    if vim.fn.executable(named) == 1 then return { named }, 'FLYTE_SIDECAR in the environment' end
    return nil, ('FLYTE_SIDECAR names %s, which is not executable.'):format(named)
  end
  if path ~= '' then return { path }, 'PATH' end
  if uvx_accepted then return UVX, 'uvx, as you have accepted' end
  return nil, 'flyte-sidecar is not on PATH.'
end

--- Start the server: `cmd` of the configuration.
function M.spawn(dispatchers, config)
  local command = vim.list_extend(vim.deepcopy(assert(M.find())), { '--stdio' })
  return vim.lsp.rpc.start(command, dispatchers, { cwd = config.cmd_cwd, env = config.cmd_env })
end

local function can_start() return type(vim.lsp.config[NAME].cmd) == 'table' or M.find() ~= nil end

--- Find the root of a file: `root_dir` of the configuration. Without a command, nothing is started.
function M.root_dir(bufnr, on_dir)
  if can_start() then return on_dir(vim.fs.root(bufnr, vim.lsp.config[NAME].root_markers)) end
  local _, reason = M.find()
  vim.notify_once(ui.fit(reason, ':checkhealth flyte_sidecar'), vim.log.levels.WARN)
end

--- Run a command of the server, which reports the outcome to the person.
---@param command string without the prefix
---@param on_result? fun(result: any)
function M.execute(client_id, command, arguments, on_result)
  local client = vim.lsp.get_client_by_id(client_id)
  if not client then return ui.notify('flyte-sidecar has ended.', vim.log.levels.ERROR) end
  local params = { command = 'flyteSidecar.' .. command, arguments = arguments }
  client:request('workspace/executeCommand', params, function(err, result)
    if err then return ui.notify(ui.one_line(err.message), vim.log.levels.ERROR) end
    if on_result then on_result(result) end
  end)
end

--- Call a function once the server runs and has reported its events. It needs no open file.
function M.ensure(callback)
  if not can_start() then
    local _, reason = M.find()
    local named = (vim.env.FLYTE_SIDECAR or '') ~= ''
    if uvx_accepted == nil and not named and vim.fn.executable('uvx') == 1 then
      local question = ('%s Run `%s`?'):format(reason, table.concat(UVX, ' '))
      uvx_accepted = vim.fn.confirm(question, '&Yes\n&No', 2) == 1
    end
    if not M.find() then return ui.notify(reason .. ' ' .. M.INSTALL, vim.log.levels.ERROR) end
  end
  local config, client = vim.deepcopy(vim.lsp.config[NAME]), M.clients()[1]
  config.root_dir = vim.fs.root(vim.fn.getcwd(), config.root_markers)
  local id = client and client.id or vim.lsp.start(config, { attach = false })
  local function has_reported() return events.state(id).phase ~= 'connecting' end
  local function has_ended() return not vim.lsp.get_client_by_id(id) end
  vim.wait(START_TIMEOUT, function() return has_reported() or has_ended() end, 20)
  if #M.clients() > 0 then callback() end
end

--- Stop the servers, and start one again for the open files, or without one.
function M.restart()
  vim.lsp.enable(NAME, false)
  if not vim.wait(STOP_TIMEOUT, function() return #M.clients() == 0 end, 20) then
    vim.iter(M.clients()):each(function(client) client:stop(true) end)
  end
  vim.lsp.enable(NAME)
  vim.schedule_wrap(M.ensure)(function() ui.notify('flyte-sidecar was restarted.') end)
end

return M
