--- What a person sees. Names and prompts are written by others: they must not forge lines.
local M = {}

--- Return a text as one line without control characters, cut to a number of cells.
function M.one_line(text, cells)
  -- U+2028 to U+202E and U+2066 to U+2069 break or reorder a line.
  text = text:gsub('\226\128[\168-\174]', ' '):gsub('\226\129[\166-\169]', ' ')
  text = vim.trim((text:gsub('\194[\128-\159]', ' '):gsub('[%c%s]+', ' ')))
  if not cells or vim.fn.strdisplaywidth(text) <= cells then return text end
  return vim.fn.printf('%.*S…', cells - 1, text)
end

--- Return how long ago a time of the protocol was, such as `5m`.
function M.age(timestamp)
  local read = { (timestamp or ''):match('^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)') }
  if #read == 0 then return '?' end
  local time = { year = read[1], month = read[2], day = read[3], hour = read[4], min = read[5] }
  time.sec, time.isdst = read[6], false -- both times are UTC, and read as if they were local
  local minutes = math.max(os.time(os.date('!*t')) - os.time(time), 0) / 60
  if minutes < 60 then return ('%dm'):format(minutes) end
  return minutes < 1440 and ('%dh'):format(minutes / 60) or ('%dd'):format(minutes / 1440)
end

function M.notify(message, level)
  vim.notify(message, level or vim.log.levels.INFO, { title = 'Flyte' })
end

--- Return a message and the command that shows more, cut so that it fits into one line.
function M.fit(message, hint)
  return ('%s (%s)'):format(M.one_line(message, vim.v.echospace - #hint - 3), hint)
end

--- Report what nobody has asked for, once no prompt is open and no text is typed. It fits into one
--- line: after a longer message, Neovim waits for Enter and takes the next keys.
---@param hint string the command that shows more
function M.announce(message, hint)
  if vim.api.nvim_get_mode().mode:find('^[ciRr]') then
    return vim.defer_fn(function() M.announce(message, hint) end, 200)
  end
  M.notify(M.fit(message, hint))
end

--- Open a link of a deployment in the browser.
function M.browse(url)
  local web = url:find('^https?://')
  local problem = web and select(2, vim.ui.open(url)) or not web and 'This is not a web page.'
  if problem then M.notify(problem, vim.log.levels.ERROR) end
end

--- Let the person choose one of several functions, each with a label.
---@param choices [string, fun()][]
function M.choose(prompt, choices)
  local options = { prompt = prompt, format_item = function(choice) return choice[1] end }
  vim.ui.select(choices, options, function(choice)
    if choice then choice[2]() end
  end)
end

return M
