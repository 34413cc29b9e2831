--- Starts the server, and runs its commands.
local events = require('flyte_sidecar.events')
local ui = require('flyte_sidecar.ui')

local M = {}

local NAME = 'flyte_sidecar'
-- The extra has what logins at a deployment need: nobody could add it to what uvx installs.
local UVX_ARGUMENTS = {
  '--from',
  'flyte-sidecar[flyte]==' .. require('flyte_sidecar.version'),
  'flyte-sidecar',
}
local WINDOWS = vim.fn.has('win32') == 1
local PLUGIN = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h:h:h')
local BUNDLED = ('%s/bundled/%s/flyte-sidecar'):format(PLUGIN, WINDOWS and 'Scripts' or 'bin')
local NOT_FOUND = 'flyte-sidecar was not found.'
local START_TIMEOUT, DOWNLOAD_TIMEOUT = 10000, 120000 -- ms

local INSTALL = 'Install it with `uv tool install flyte-sidecar`, `pipx install flyte-sidecar` or'
  .. ' `pip install flyte-sidecar`.'

local uvx_accepted ---@type boolean? nil until the person was asked in this session

function M.clients() return vim.lsp.get_clients({ name = NAME }) end

--- Return the path of a program: a name on PATH, or an absolute path. Relative ones depend on the
--- current folder, which may be somebody else's.
local function find_program(name)
  name = name:gsub('^~/', vim.uv.os_homedir() .. '/')
  local folders, base = { vim.fs.dirname(name) }, vim.fs.basename(name)
  if base == name then folders = vim.split(vim.env.PATH or '', WINDOWS and ';' or ':') end
  if WINDOWS and not base:lower():find('%.exe$') then base = base .. '.exe' end
  for _, folder in ipairs(folders) do
    local path = folder .. '/' .. base
    if vim.fn.isabsolutepath(folder) == 1 and vim.fn.executable(path) == 1 then return path end
  end
end

--- Return what to do if there is no command for a reason, and what was tried.
function M.advice(reason)
  local tried = 'Tried: `cmd` of the configuration (not set), FLYTE_SIDECAR (not set), %s,'
    .. ' flyte-sidecar and uvx in the folders of PATH (%s).'
  tried = reason == NOT_FOUND and tried:format(BUNDLED, vim.env.PATH or 'not set') or nil
  return { INSTALL, tried }
end

--- Return the command that starts the server and where it was found, or nil and the reason.
---@return string[]|function|nil, string
function M.find()
  local configured, named = vim.lsp.config[NAME].cmd, vim.env.FLYTE_SIDECAR or ''
  if configured ~= M.spawn then return configured, 'cmd of the configuration' end
  if named ~= '' then
    local path = find_program(named)
    if path then return { path }, 'FLYTE_SIDECAR in the environment' end
    return nil, 'FLYTE_SIDECAR is no program: ' .. named
  end
  local bundled = find_program(BUNDLED)
  if bundled then return { bundled }, 'the folder of the plugin' end
  local on_path = find_program('flyte-sidecar')
  if on_path then return { on_path }, 'PATH' end
  local uvx = uvx_accepted and find_program('uvx')
  if uvx then return { uvx, unpack(UVX_ARGUMENTS) }, 'uvx, as you have accepted' end
  return nil, NOT_FOUND
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
  if reason == NOT_FOUND and uvx_accepted == nil and find_program('uvx') then
    local question = ('%s\nRun `uvx %s`?'):format(reason, table.concat(UVX_ARGUMENTS, ' '))
    uvx_accepted = vim.fn.confirm(question, '&Yes\n&No', 2) == 1
    command = M.find()
  end
  if not command then
    local message = { reason, unpack(M.advice(reason)) }
    return ui.notify(table.concat(message, ' '), vim.log.levels.ERROR)
  end
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
  proceed((uvx_accepted and DOWNLOAD_TIMEOUT or START_TIMEOUT) / 50)
end

return M
