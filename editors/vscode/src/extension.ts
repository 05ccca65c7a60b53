import * as vscode from "vscode";
import { debugInformation } from "./debug.js";
import { showMemoryReport } from "./memory.js";
import { measure, openReport } from "./measure.js";
import { PythonExtensions } from "./python.js";
import { Server } from "./server.js";
import { Status } from "./status.js";

/** Settings that the server's process depends on; all others reach it as they change. */
const RESTARTING = ["interpreter", "path", "importStrategy", "args"].map((name) => `trainlint.${name}`);

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("trainlint", { log: true });
  const status = new Status();
  const python = new PythonExtensions();
  const running = new Server(context, log, status, python);
  server = running;
  const command = (id: string, action: (...args: unknown[]) => unknown) =>
    context.subscriptions.push(vscode.commands.registerCommand(`trainlint.${id}`, action));
  command("restart", () => running.restart());
  command("showLogs", () => log.show());
  command("debugInformation", () => debugInformation(context, running));
  command("measureFile", (uri?: unknown, line?: unknown) => measure(running, context.workspaceState, uri, line));
  command("openReportFile", () => openReport(running));
  command("memoryReport", (uri?: unknown) => showMemoryReport(context, running, uri));
  context.subscriptions.push(
    log,
    status,
    running,
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (RESTARTING.some((name) => change.affectsConfiguration(name))) {
        void running.restart();
      } else if (change.affectsConfiguration("trainlint.enable")) {
        running.showState();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void running.restart()),
  );
  void python.watch(() => void running.restart(), context.subscriptions);
  await running.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
