--- The login that a Flyte deployment requires.
local server = require('flyte_sidecar.server')
local ui = require('flyte_sidecar.ui')

local M = {}

local login ---@type {url: string, userCode?: string, client_id: integer}?

--- Handle `sidecar.authRequired`.
function M.on_required(_, params, context)
  login = { url = params.url, userCode = params.userCode, client_id = context.client_id }
  local code = params.userCode and ('code %s at '):format(params.userCode) or ''
  ui.announce(('Flyte login: %s%s'):format(code, params.url), ':FlyteEvents login')
end

--- Handle `sidecar.authEnded`.
function M.on_ended(_, params)
  login = nil
  local outcome = params.error and 'The login failed: ' .. params.error or 'You are logged in.'
  ui.announce(outcome, params.error and ':FlyteEvents login' or ':FlyteEvents')
end

--- Let the person continue the login that is open, or request one.
function M.choose()
  local open = login
  if not (open and vim.lsp.get_client_by_id(open.client_id)) then
    vim.iter(server.clients()):each(function(each) server.execute(each.id, 'refresh', {}) end)
    return ui.notify('No login is open. If Flyte requires one, its link follows.')
  end
  local code = open.userCode and (' with the code ' .. open.userCode) or ''
  ui.choose(ui.one_line(('Log in at %s%s:'):format(open.url, code)), {
    { 'Open in browser', function() ui.browse(open.url) end },
    { 'Copy link', function() vim.fn.setreg('+', open.url) end },
    { 'Cancel login', function() server.execute(open.client_id, 'cancelLogin', { open.url }) end },
  })
end

return M
