if vim.g.loaded_flyte_sidecar then return end
vim.g.loaded_flyte_sidecar = true

vim.api.nvim_create_user_command(
  'FlyteEvents',
  function(args) require('flyte_sidecar.command').run(unpack(args.fargs)) end,
  {
    nargs = '*',
    desc = 'See and answer the events that runs wait for',
    complete = function(...) return require('flyte_sidecar.command').complete(...) end,
  }
)

-- Not `on_attach` of the configuration, which that of a user would replace.
vim.api.nvim_create_autocmd('LspAttach', {
  group = vim.api.nvim_create_augroup('flyte_sidecar', {}),
  callback = function(args)
    local client = vim.lsp.get_client_by_id(args.data.client_id)
    if client.name == 'flyte_sidecar' then require('flyte_sidecar.lenses').attach(args.buf) end
  end,
})

if vim.tbl_get(vim.g, 'flyte_sidecar', 'enable') ~= false then vim.lsp.enable('flyte_sidecar') end
