import * as vscode from "vscode";
import { ExecuteCommandRequest, WorkDoneProgress } from "vscode-languageclient/node";
import type { Server } from "./server.js";

let runs = 0;

/**
 * Runs one training step of a file with the server's command and shows its progress with a Cancel button (progress
 * that a server creates itself is shown without one).
 */
export async function measure(server: Server, uri: unknown, line: unknown): Promise<void> {
  const client = server.client;
  const target = typeof uri === "string" ? uri : vscode.window.activeTextEditor?.document.uri.toString();
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showWarningMessage("trainlint: measuring runs the script; this workspace is not trusted.");
    return;
  }
  if (!client?.isRunning() || !target) {
    void vscode.window.showWarningMessage("trainlint: open a Python file and wait until the server runs.");
    return;
  }
  const token = `trainlint-measure-${++runs}`;
  await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "trainlint: measuring one training step", cancellable: true },
    async (progress, cancel) => {
      let last = 0;
      const watching = client.onProgress(WorkDoneProgress.type, token, (value) => {
        if (value.kind === "report") {
          progress.report({ message: value.message, increment: (value.percentage ?? last) - last });
          last = value.percentage ?? last;
        }
      });
      try {
        const request = { uri: target, line: typeof line === "number" ? line : null, token };
        const answer: unknown = await client.sendRequest(ExecuteCommandRequest.type, { command: "trainlint.measure", arguments: [request] }, cancel);
        tell(answer);
      } catch (error) {
        if (!cancel.isCancellationRequested) {
          void vscode.window.showErrorMessage(`trainlint: ${error instanceof Error ? error.message : String(error)}`);
        }
      } finally {
        watching.dispose();
      }
    },
  );
}

/** File and line of the command's argument, `{uri, line}`. */
export function asked(argument: unknown): [unknown, unknown] {
  const { uri, line } = (argument ?? {}) as { uri?: unknown; line?: unknown };
  return [uri, line];
}

function tell(answer: unknown): void {
  const message = (answer as { message?: unknown } | null)?.message;
  if (typeof message === "string") {
    void vscode.window.showInformationMessage(`trainlint: ${message}`);
  }
}
