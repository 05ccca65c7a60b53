// node flow.mjs [light|dark]: what a person does with the extension, in a real workbench. Exits 1 at the first thing missing.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until, Workbench } from "./workbench.mjs";

const theme = process.argv[2] ?? "light";
const shots = join(dirname(fileURLToPath(import.meta.url)), "screenshots", theme);
const started = Date.now();
const bench = await Workbench.open({ theme, shots });
const { page } = bench;

async function step(name, action) {
  await action();
  console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${name}`);
}
const squiggles = (kind) => page.locator(`.monaco-editor .squiggly-${kind}`).count();
const inProblems = async (code) => (await bench.problems()).some((row) => row.includes(code));

try {
  await step("squiggle", async () => {
    await bench.show("train.py");
    await page.waitForSelector(".squiggly-error", { timeout: 40_000 });
  });
  await step("code lens and inlay hints", async () => {
    await page.waitForSelector(".codelens-decoration", { timeout: 30_000 });
    await bench.says("MiB at batch 64");
    const forward = page.locator(".view-line", { hasText: "torch.relu(self.conv2" });
    await until(async () => (await forward.innerText()).includes("MiB"), "a hint on a forward line");
    await bench.shot("0-lens-and-hints");
  });
  await step("hover on the batch size", async () => {
    await bench.caret(7, 3);
    await bench.command("Show or Focus Hover");
    await page.waitForSelector(".monaco-hover:not(.hidden) .hover-row", { timeout: 15_000 });
    await bench.says("activations");
    await page.waitForTimeout(600);
    await bench.shot("0-batch-size");
    await page.keyboard.press("Escape");
  });
  await step("problems panel", async () => {
    await page.keyboard.press("Control+Shift+M");
    await until(() => inProblems("LP001"), "LP001 in the problems panel");
    await until(() => inProblems("IM001"), "IM001 in the problems panel");
    await bench.shot("1-problems");
  });
  await step("hover on a layer", async () => {
    await bench.caret(13, 25);
    await bench.command("Show or Focus Hover");
    await page.waitForSelector(".monaco-hover:not(.hidden) .hover-row", { timeout: 15_000 });
    await bench.says("parameters");
    await page.waitForTimeout(600);
    await bench.shot("2-hover");
    await page.keyboard.press("Escape");
  });
  await step("settings without reload", async () => {
    bench.write({ ...bench.settings, "trainlint.enable": false });
    await until(async () => (await bench.problems()).every((row) => !row.includes("trainlint")), "no finding");
    assert.equal(await squiggles("error"), 0);
    bench.write({ ...bench.settings, "trainlint.lint.ignore": ["IM001"] });
    await until(() => inProblems("LP001"), "LP001 again");
    assert(!(await inProblems("IM001")), "IM001 is ignored");
    bench.write(bench.settings);
    await until(() => inProblems("IM001"), "IM001 again");
  });
  await step("restart", async () => {
    const starts = () => bench.log().split("starting the bundled trainlint").length;
    const before = starts();
    await bench.command("trainlint: Restart Server");
    await until(() => starts() > before, "another start in the log");
    await until(() => inProblems("IM001"), "the findings of the new server");
  });
  await step("half-typed code keeps the findings", async () => {
    await bench.caret(30, 1);
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.keyboard.type("broken = foo(");
    await page.waitForTimeout(1500);
    assert(await inProblems("LP001"), "LP001 is still there");
    assert(await inProblems("IM001"), "IM001 is still there");
    await page.keyboard.press("Escape");
    await bench.command("File: Revert File");
    await until(async () => (await bench.problems()).some((row) => /IM001.*Ln 44/.test(row)), "the findings on their old lines");
  });
  await step("quick fix", async () => {
    const before = (await bench.problems()).length;
    await bench.caret(44, 15);
    await page.keyboard.press("Control+.");
    await page.waitForSelector(".action-widget .monaco-list-row", { timeout: 15_000 });
    await page.waitForTimeout(300);
    await bench.shot("3-quick-fix");
    await page.keyboard.press("Enter");
    await until(async () => (await bench.problems()).length < before, "the finding to go");
  });
  await step("fix all", async () => {
    await bench.command("Fix All");
    await until(async () => !(await inProblems("LP001")), "LP001 to be fixed");
    await bench.shot("4-fixed");
  });
  await step("notebook", async () => {
    await bench.show("train.ipynb");
    await until(() => inProblems("IM001"), "IM001 in the problems panel");
    assert((await bench.problems()).some((row) => row.includes("at line 2,")), "lines are those of the cell");
    await page.locator(".markers-panel .monaco-list-row", { hasText: "LP001" }).first().dblclick();
    await page.waitForSelector(".notebookOverlay .squiggly-error, .notebookOverlay .squiggly-warning", { timeout: 40_000 });
    await bench.shot("5-notebook");
  });
} catch (error) {
  process.exitCode = 1;
  console.log(`FAILED: ${error.message}`);
  console.log((await bench.problems().catch(() => [])).join("\n"));
  console.log(bench.log().slice(-4000));
  await bench.shot("failed").catch(() => undefined);
} finally {
  await bench.close();
}
