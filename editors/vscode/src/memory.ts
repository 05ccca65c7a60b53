import { execFile } from "node:child_process";
import * as vscode from "vscode";
import type { Server } from "./server.js";

const MOST = 32 * 1024 * 1024; // bytes of a report

/** Opens the memory report of a file beside it: the page that `trainlint memory --output-format html` writes. */
export async function showMemoryReport(context: vscode.ExtensionContext, server: Server, uri: unknown): Promise<void> {
  const target = typeof uri === "string" ? vscode.Uri.parse(uri) : vscode.window.activeTextEditor?.document.uri;
  if (target?.scheme !== "file" || !server.command) {
    void vscode.window.showWarningMessage("trainlint: open a saved Python file and wait until the server runs.");
    return;
  }
  const name = vscode.workspace.asRelativePath(target);
  try {
    const page = await report(server, target.fsPath);
    const panel = vscode.window.createWebviewPanel("trainlint.memory", `Memory: ${name}`, vscode.ViewColumn.Beside, {
      enableScripts: true,
      localResourceRoots: [],
    });
    panel.webview.html = page;
    context.subscriptions.push(panel);
  } catch (error) {
    void vscode.window.showErrorMessage(`trainlint: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function report(server: Server, file: string): Promise<string> {
  const command = server.command?.command ?? "";
  const args: readonly string[] = server.command?.args ?? [];
  const before = args.slice(0, args.indexOf("server"));
  const asked = [...before, "memory", file, "--output-format", "html"];
  return new Promise((resolve, reject) => {
    execFile(command, asked, { timeout: 60_000, maxBuffer: MOST, windowsHide: true }, (error, stdout, stderr) => {
      if (error) {
        reject(new Error(stderr.trim().split("\n").at(-1) || error.message));
      } else {
        resolve(stdout);
      }
    });
  });
}
