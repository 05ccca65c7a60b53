import * as vscode from "vscode";
import type { Server } from "./server.js";

/** Opens a text that a person can paste into a report: versions, interpreter, settings. No paths of the code. */
export async function debugInformation(context: vscode.ExtensionContext, server: Server): Promise<void> {
  const settings = vscode.workspace.getConfiguration("trainlint");
  const { name, version } = context.extension.packageJSON as { name: string; version: string };
  const lines = [
    `${name} ${version}, ${vscode.env.appName} ${vscode.version}, ${process.platform} ${process.arch}`,
    `server: ${server.command?.what ?? "not started"}`,
    `interpreter: ${server.interpreter ? JSON.stringify(server.interpreter.found) : "none found"}`,
    `running: ${server.client?.isRunning() ?? false}, server says: ${JSON.stringify(server.client?.initializeResult?.serverInfo ?? null)}`,
    `trusted: ${vscode.workspace.isTrusted}, folders: ${vscode.workspace.workspaceFolders?.length ?? 0}`,
    `settings: ${JSON.stringify(settings)}`,
  ];
  const document = await vscode.workspace.openTextDocument({ content: lines.join("\n"), language: "plaintext" });
  await vscode.window.showTextDocument(document);
}
