if vim.g.loaded_flyte_sidecar then return end
vim.g.loaded_flyte_sidecar = true

vim.api.nvim_create_user_command(
  'FlyteEvents',
  function(args) require('flyte_sidecar.command').run(args.args) end,
  {
    nargs = '*',
    desc = 'See and answer the events that runs wait for',
    complete = function(...) return require('flyte_sidecar.command').complete(...) end,
  }
)

-- Not `on_attach` of the configuration, which that of a user would replace.
vim.api.nvim_create_autocmd({ 'LspAttach', 'TextChanged', 'InsertLeave' }, {
  group = vim.api.nvim_create_augroup('flyte_sidecar', {}),
  callback = function(args)
    local handlers = package.loaded['flyte_sidecar.handlers'] -- once a server was started
    if handlers then handlers.refresh_lenses(args.buf) end
  end,
})

if vim.tbl_get(vim.g, 'flyte_sidecar', 'enable') ~= false then vim.lsp.enable('flyte_sidecar') end
