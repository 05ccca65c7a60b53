-- Neovim 0.11 or newer reads this file as the configuration `trainlint`: vim.lsp.enable("trainlint").

--- Run a command of the server; it tells the answer itself.
local function run(client, buffer, name, argument)
  client:exec_cmd({ title = name, command = "trainlint." .. name, arguments = { argument } }, { bufnr = buffer }, function() end)
end

return {
  cmd = { "trainlint", "server" },
  filetypes = { "python" },
  root_markers = { "trainlint.toml", "pyproject.toml", ".git" },
  on_attach = function(client, buffer)
    local function command(name, desc, nargs, action)
      vim.api.nvim_buf_create_user_command(buffer, name, action, { desc = desc, nargs = nargs, complete = nargs == 1 and "file" or nil })
    end
    local function here()
      return { uri = vim.uri_from_bufnr(buffer), line = vim.api.nvim_win_get_cursor(0)[1] - 1 }
    end
    command("LspTrainlintMeasure", "Run one training step and show its memory", 0, function()
      run(client, buffer, "measure", here())
    end)
    command("LspTrainlintMeasureStop", "End the program that is being measured", 0, function()
      run(client, buffer, "cancelMeasure")
    end)
    command("LspTrainlintClearMeasurements", "Forget what was measured", 0, function()
      run(client, buffer, "clearMeasurements")
    end)
    command("LspTrainlintOpenReport", "Show a report of `trainlint measure`", 1, function(given)
      run(client, buffer, "openReport", { uri = vim.uri_from_bufnr(buffer), report = vim.fn.fnamemodify(given.args, ":p") })
    end)
  end,
}
