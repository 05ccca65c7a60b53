-- Run as neovim_smoke.lua: lets Neovim draw inlay hints and code lenses and writes what stands on which line.
local function drawn(buffer, namespace)
  local found = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buffer, namespace, 0, -1, { details = true })) do
    local text = table.concat(vim.tbl_map(function(chunk) return chunk[1] end, mark[4].virt_text or {}))
    table.insert(found, { line = mark[2], text = vim.trim(text) })
  end
  return found
end
local function main()
  local seen = {}
  vim.lsp.config('trainlint', { cmd = vim.json.decode(vim.env.TRAINLINT_COMMAND), filetypes = { 'python' } })
  vim.lsp.enable('trainlint')
  vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.TRAINLINT_FILE))
  vim.bo.filetype = 'python'
  local buffer = vim.api.nvim_get_current_buf()
  vim.wait(20000, function() return #vim.lsp.get_clients({ bufnr = buffer }) == 1 end, 50)
  local client = vim.lsp.get_clients({ bufnr = buffer })[1]
  vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
  local hints = vim.api.nvim_create_namespace('nvim.lsp.inlayhint')
  local lenses = vim.api.nvim_create_namespace('nvim.lsp.codelens:' .. client.id)
  local function both()
    vim.lsp.codelens.refresh({ bufnr = buffer })
    vim.wait(100)
    -- Neovim 0.11 draws a line once a version: one that is drawn while new hints are on their way stays as it is
    if #vim.lsp.inlay_hint.get({ bufnr = buffer }) > 0 then vim.cmd('redraw!') end
    seen.hints, seen.lenses = drawn(buffer, hints), drawn(buffer, lenses)
    return #seen.hints > 0 and #seen.lenses > 0
  end
  seen.arrived = vim.wait(30000, both, 100)
  seen.before = { hints = seen.hints, lenses = seen.lenses }
  -- a line above: everything moves along
  vim.api.nvim_buf_set_lines(buffer, 0, 0, false, { '# a note' })
  local first = seen.before.lenses[1]
  seen.moved = vim.wait(30000, function()
    return both() and seen.lenses[1].line == first.line + 1 and #seen.hints == #seen.before.hints
  end, 100)
  client:stop()
  vim.fn.writefile({ vim.json.encode(seen) }, vim.env.TRAINLINT_RESULT)
end
local ok, err = xpcall(main, debug.traceback)
if not ok then io.stderr:write(tostring(err) .. '\n'); vim.cmd('cq') end
vim.cmd('qa!')
