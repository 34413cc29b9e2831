--- What a person can do with a waiting event.
local events = require('flyte_sidecar.events')
local server = require('flyte_sidecar.server')
local ui = require('flyte_sidecar.ui')

local M = {}

local function send(command)
  return function(event) server.execute(event.client_id, command, { event }) end
end

--- Return the question of an event as one line.
function M.question(event)
  local asks = event.prompt and 'asks: ' .. event.prompt or 'waits for an answer'
  local name = (' (%s): '):format(ui.one_line(event.name, 30))
  return ui.one_line(event.runName .. ' ' .. asks, vim.o.columns - #name - 12) .. name
end

--- Ask for an answer until the server accepts it; `problem` is what is wrong with the typed text.
local function answer(event, typed, problem)
  local prompt = problem and ui.one_line(problem) .. ' ' or M.question(event)
  vim.ui.input({ prompt = prompt, default = typed }, function(text)
    if not text then return end
    local check = { event.expectedType or vim.NIL, text }
    server.execute(event.client_id, 'checkAnswer', check, function(wrong)
      if type(wrong) == 'string' then return answer(event, text, wrong) end
      server.execute(event.client_id, 'answer', { event, text })
    end)
  end)
end

local function abort(event)
  vim.ui.input({ prompt = 'Reason (optional): ' }, function(reason)
    if not reason then return end
    server.execute(event.client_id, 'abort', { event, reason ~= '' and reason or nil })
  end)
end

local function answers_bool(event) return event.expectedType == 'bool' or not event.expectedType end
local function answers_text(event) return event.expectedType ~= 'bool' end
local function has_url(event) return event.url end
local function any() return true end

M.all = { -- name, label, condition, effect
  { 'approve', 'Approve', answers_bool, send('approve') },
  { 'reject', 'Reject', answers_bool, send('reject') },
  { 'answer', 'Answer…', answers_text, function(event) answer(event) end },
  { 'show', 'Show', any, send('showEvent') },
  { 'abort', 'Abort…', any, abort },
  { 'open', 'Open in browser', has_url, function(event) ui.browse(event.url) end },
  { 'copy', 'Copy id', any, function(event) vim.fn.setreg('+', event.actionName) end },
}

--- Ask for the answer to the event of a lens: `flyteSidecar.signal`.
function M.signal(command, context)
  local event = events.find(context.client_id, command.arguments[1])
  if event and #command.arguments == 1 then return answer(event) end
  server.execute(context.client_id, 'signal', command.arguments)
end

return M
