-- Neovim 0.11 or newer reads this file as the configuration `trainlint`: vim.lsp.enable("trainlint").

--- Ask the server to measure one training step of the buffer; the answer is a notification.
local function measure(client, buffer)
  local argument = { uri = vim.uri_from_bufnr(buffer), line = vim.api.nvim_win_get_cursor(0)[1] - 1 }
  client:exec_cmd({ title = "Measure memory", command = "trainlint.measure", arguments = { argument } }, { bufnr = buffer })
end

return {
  cmd = { "trainlint", "server" },
  filetypes = { "python" },
  root_markers = { "trainlint.toml", "pyproject.toml", ".git" },
  on_attach = function(client, buffer)
    vim.api.nvim_buf_create_user_command(buffer, "LspTrainlintMeasure", function()
      measure(client, buffer)
    end, { desc = "Run one training step and show its memory" })
  end,
}
