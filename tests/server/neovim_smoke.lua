-- Run as: nvim --headless --clean -S neovim_smoke.lua, with the server's command (JSON), the file and the result's path
-- in the environment. Opens the file, waits for findings, hovers, applies the fix of IM001 and writes what it saw.
local function main()
  local seen = {}
  vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.TRAINLINT_FILE))
  vim.lsp.config('trainlint', {
    cmd = vim.json.decode(vim.env.TRAINLINT_COMMAND),
    filetypes = { 'python' },
    root_markers = { 'pyproject.toml', '.git' },
  })
  vim.lsp.enable('trainlint')
  vim.bo.filetype = 'python'
  local buffer = vim.api.nvim_get_current_buf()
  local function of(code)
    return vim.tbl_filter(function(d) return d.code == code end, vim.diagnostic.get(buffer))
  end
  seen.arrived = vim.wait(20000, function() return #of('IM001') == 1 and #of('LR004') == 1 end, 50)
  local client = vim.lsp.get_clients()[1]
  seen.encoding = client.offset_encoding
  seen.pulls = client.server_capabilities.diagnosticProvider ~= nil
  seen.diagnostics = vim.tbl_map(function(d)
    local text = vim.api.nvim_buf_get_text(buffer, d.lnum, d.col, d.end_lnum, d.end_col, {})
    return { code = d.code, severity = d.severity, source = d.source, text = table.concat(text, '\n'),
      href = d.user_data.lsp.codeDescription.href }
  end, vim.diagnostic.get(buffer))
  local function ask(method, params)
    for _, answer in pairs(vim.lsp.buf_request_sync(buffer, method, params, 10000) or {}) do return answer.result end
  end
  local here = { uri = vim.uri_from_bufnr(buffer) }
  local image = of('IM001')[1]
  local range = image.user_data.lsp.range
  local hover = ask('textDocument/hover', { textDocument = here, position = { line = 25, character = 55 } })
  seen.hover = hover and hover.contents.value or ''
  local context = { diagnostics = { image.user_data.lsp }, only = { 'quickfix' } }
  local actions = ask('textDocument/codeAction', { textDocument = here, range = range, context = context })
  seen.titles = vim.tbl_map(function(a) return a.title end, actions)
  vim.lsp.util.apply_workspace_edit(actions[1].edit, client.offset_encoding)
  seen.gone = vim.wait(10000, function() return #of('IM001') == 0 end, 50)
  seen.kept = #of('LR004')
  seen.text = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n')
  client:stop()
  seen.stopped = vim.wait(5000, function() return client:is_stopped() end, 50)
  vim.fn.writefile({ vim.json.encode(seen) }, vim.env.TRAINLINT_RESULT)
end
local ok, err = xpcall(main, debug.traceback)
if not ok then io.stderr:write(tostring(err) .. '\n'); vim.cmd('cq') end
vim.cmd('qa!')
