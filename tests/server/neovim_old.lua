-- Run with Neovim 0.7 to 0.10, as neovim_smoke.lua: starts the server as editors/neovim/README.md says for these (its text
-- is in TRAINLINT_SNIPPET), and writes what it saw.
local function main()
  local seen = {}
  assert(loadstring(vim.env.TRAINLINT_SNIPPET))()
  vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.TRAINLINT_FILE))
  vim.bo.filetype = 'python'
  local buffer = vim.api.nvim_get_current_buf()
  local function of(code)
    return vim.tbl_filter(function(d) return d.code == code end, vim.diagnostic.get(buffer))
  end
  seen.arrived = vim.wait(30000, function() return #of('IM001') == 1 and #of('LR004') == 1 end, 50)
  local client = vim.lsp.buf_get_clients(buffer)[1] or select(2, next(vim.lsp.buf_get_clients(buffer)))
  seen.encoding = client.offset_encoding
  seen.diagnostics = vim.tbl_map(function(d)
    local text = vim.api.nvim_buf_get_text(buffer, d.lnum, d.col, d.end_lnum, d.end_col, {})
    return { code = d.code, source = d.source, text = table.concat(text, '\n') }
  end, vim.diagnostic.get(buffer))
  local function ask(method, params)
    for _, answer in pairs(vim.lsp.buf_request_sync(buffer, method, params, 20000) or {}) do return answer.result end
  end
  local here = { uri = vim.uri_from_bufnr(buffer) }
  local hover = ask('textDocument/hover', { textDocument = here, position = { line = 25, character = 55 } })
  seen.hover = hover and hover.contents.value or ''
  local lenses = ask('textDocument/codeLens', { textDocument = here })
  seen.lens = lenses and lenses[1] and lenses[1].command.title or ''
  local image = of('IM001')[1]
  local context = { diagnostics = vim.lsp.diagnostic.get_line_diagnostics(buffer, image.lnum), only = { 'quickfix' } }
  local range = {
    start = { line = image.lnum, character = image.col }, ['end'] = { line = image.end_lnum, character = image.end_col },
  }
  local actions = ask('textDocument/codeAction', { textDocument = here, range = range, context = context })
  vim.lsp.util.apply_workspace_edit(actions[1].edit, client.offset_encoding)
  seen.gone = vim.wait(20000, function() return #of('IM001') == 0 end, 50)
  seen.kept = #of('LR004')
  client.stop()
  seen.stopped = vim.wait(10000, function() return client.is_stopped() end, 50)
  vim.fn.writefile({ vim.fn.json_encode(seen) }, vim.env.TRAINLINT_RESULT)
end
local ok, err = xpcall(main, debug.traceback)
if not ok then io.stderr:write(tostring(err) .. '\n'); vim.cmd('cq') end
vim.cmd('qa!')
