--- What a person sees. Names and prompts are written by others: they must not forge lines.
local M = {}

local news = {} ---@type table<string, [string, string]> message and command, by event or `login`

--- Return a text as one line without control characters, cut to a number of cells.
function M.one_line(text, cells)
  -- U+2028 to U+202E and U+2066 to U+2069 break or reorder a line.
  text = text:gsub('\226\128[\168-\174]', ' '):gsub('\226\129[\166-\169]', ' ')
  text = vim.trim((text:gsub('\194[\128-\159]', ' '):gsub('[%c%s]+', ' ')))
  if not cells or vim.fn.strdisplaywidth(text) <= cells then return text end
  return vim.fn.printf('%.*S…', math.max(cells - 1, 0), text)
end

--- Return an event as its name, which completion writes too.
function M.id(event) return M.one_line(('%s/%s'):format(event.runName, event.name)) end

--- Return an event and its question as one line of the screen.
function M.describe(event)
  local question = ('%s · %s'):format(M.id(event), event.prompt or 'waits for an answer')
  return M.one_line(question, vim.o.columns - 12)
end

function M.notify(message, level)
  vim.notify(message, level or vim.log.levels.INFO, { title = 'Flyte' })
end

--- Return a message and the command that shows more, cut so that it fits into one line: after a
--- longer message, Neovim waits for Enter and takes the next keys.
function M.fit(message, command)
  return ('%s (%s)'):format(M.one_line(message, vim.v.echospace - #command - 3), command)
end

local function show_news()
  if vim.api.nvim_get_mode().mode:find('^[ciRr]') then return vim.defer_fn(show_news, 200) end
  local all = vim.tbl_values(news)
  local several = #all > 1 and { #all .. ' runs wait for an answer', ':FlyteEvents' }
  local shown = news.login or several or all[1]
  if shown then M.notify(M.fit(unpack(shown))) end
  news = {}
end

--- Report what nobody has asked for, once no prompt is open and no text is typed.
---@param key string of an event, or `login`: a later message replaces one that nobody has seen
---@param message? string nil if there is nothing to report any more
---@param command? string what shows more
function M.announce(key, message, command)
  if next(news) == nil then vim.defer_fn(show_news, 200) end
  news[key] = message and { message, command }
end

--- Open a link of a deployment in the browser.
function M.browse(url)
  local problem = 'This is not a web page.'
  if url:find('^https?://') then problem = select(2, vim.ui.open(url)) end
  if problem then M.notify(problem, vim.log.levels.ERROR) end
end

--- Let the person choose one of several items, and use it.
function M.choose(prompt, items, label, use)
  vim.ui.select(items, { prompt = prompt, format_item = label }, function(item)
    if item then use(item) end
  end)
end

return M
