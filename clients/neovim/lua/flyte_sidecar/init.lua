local M = {}

--- Return the number of waiting events for a statusline, such as `flyte 2`, or an empty string.
---@return string
function M.statusline()
  local events = package.loaded['flyte_sidecar.events'] -- unless no server was started yet
  local count = events and #events.waiting() or 0
  return count > 0 and ('flyte %d'):format(count) or ''
end

return M
