-- :checkhealth trainlint

local M = {}

function M.check()
  local health = vim.health
  health.start("trainlint")
  if vim.fn.has("nvim-0.11") ~= 1 then
    health.warn("Neovim 0.11 or newer reads lsp/trainlint.lua; see the README for older ones")
  end
  local config = vim.lsp.config and vim.lsp.config.trainlint or {}
  local command = type(config.cmd) == "table" and config.cmd or { "trainlint", "server" }
  if vim.fn.executable(command[1]) ~= 1 then
    health.error(("`%s` is not on the PATH"):format(command[1]), {
      "Install it from a checkout: python3 -m venv .venv && .venv/bin/pip install .",
      'Or name it: vim.lsp.config("trainlint", { cmd = { "/path/to/.venv/bin/trainlint", "server" } })',
    })
    return
  end
  local version = vim.fn.system({ command[1], "--version" })
  if vim.v.shell_error == 0 then
    health.ok(vim.trim(version) .. " at " .. vim.fn.exepath(command[1]))
  else
    health.error(("`%s --version` failed: %s"):format(command[1], vim.trim(version)))
  end
  local clients = vim.lsp.get_clients({ name = "trainlint" })
  if #clients == 0 then
    health.info('no buffer uses it: vim.lsp.enable("trainlint"), then open a Python file')
  end
  for _, client in ipairs(clients) do
    health.ok(("client %d runs in %s"):format(client.id, client.root_dir or "no folder"))
  end
end

return M
