--- Starts the server, and runs its commands.
local events = require('flyte_sidecar.events')
local ui = require('flyte_sidecar.ui')

local M = {}

local NAME = 'flyte_sidecar'
local UVX = { 'uvx', 'flyte-sidecar@' .. require('flyte_sidecar.version') }
local NOT_FOUND = 'flyte-sidecar is not on PATH.'
local START_TIMEOUT = 10000 -- ms

M.INSTALL = 'Install it with `uv tool install flyte-sidecar`, `pipx install flyte-sidecar` or'
  .. ' `pip install flyte-sidecar`.'

local uvx_accepted ---@type boolean? nil until the person was asked in this session

function M.clients() return vim.lsp.get_clients({ name = NAME }) end

--- Return the command that starts the server and where it was found, or nil and the reason.
---@return string[]|function|nil, string
function M.find()
  local configured, named = vim.lsp.config[NAME].cmd, vim.env.FLYTE_SIDECAR or ''
  if configured ~= M.spawn then return configured, 'cmd of the configuration' end
  local origin = named ~= '' and 'FLYTE_SIDECAR in the environment' or 'PATH'
  local path = vim.fn.exepath(named ~= '' and named or 'flyte-sidecar')
  if path ~= '' then return { path }, origin end
  if named ~= '' then return nil, 'FLYTE_SIDECAR is not executable: ' .. named end
  return uvx_accepted and UVX or nil, uvx_accepted and 'uvx, as you have accepted' or NOT_FOUND
end

--- Start the server: `cmd` of the configuration, unless a user replaces it.
function M.spawn(dispatchers, config)
  local command = vim.list_extend(vim.deepcopy(assert(M.find())), { '--stdio' })
  return vim.lsp.rpc.start(command, dispatchers, { cwd = config.cmd_cwd, env = config.cmd_env })
end

--- Find the root of a file: `root_dir` of the configuration. Without a command, nothing is started.
function M.root_dir(bufnr, on_dir)
  local command, reason = M.find()
  if command then return on_dir(vim.fs.root(bufnr, vim.lsp.config[NAME].root_markers)) end
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

--- Call a function once a server has reported its events. It needs no open file.
function M.ensure(callback)
  local command, reason = M.find()
  if reason == NOT_FOUND and uvx_accepted == nil and vim.fn.executable('uvx') == 1 then
    local question = ('%s Run `%s`?'):format(reason, table.concat(UVX, ' '))
    uvx_accepted = vim.fn.confirm(question, '&Yes\n&No', 2) == 1
    command = M.find()
  end
  if not command then return ui.notify(reason .. ' ' .. M.INSTALL, vim.log.levels.ERROR) end
  if #M.clients() == 0 then
    -- For the open files, or else for the current folder.
    if vim.lsp.is_enabled and vim.lsp.is_enabled(NAME) then vim.lsp.enable(NAME) end
    local config = vim.deepcopy(vim.lsp.config[NAME])
    config.root_dir = vim.fs.root(vim.fn.getcwd(), config.root_markers)
    vim.lsp.start(config, { attach = false })
  end
  local function has_reported(client) return events.state(client.id).phase ~= 'connecting' end
  local function proceed(tries)
    if vim.iter(M.clients()):any(has_reported) then return callback() end
    if tries == 0 then return ui.notify('flyte-sidecar has not reported the events yet.') end
    vim.defer_fn(function() proceed(tries - 1) end, 50)
  end
  proceed(START_TIMEOUT / 50)
end

return M
