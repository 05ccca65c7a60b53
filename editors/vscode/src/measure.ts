import * as vscode from "vscode";
import { ExecuteCommandRequest, WorkDoneProgress } from "vscode-languageclient/node";
import type { Server } from "./server.js";

let runs = 0;
/** Where it is remembered that the person agreed to run programs of this workspace. */
const AGREED = "trainlint.measure.agreed";

/**
 * Runs one training step of a file with the server's command and shows its progress with a Cancel button (progress
 * that a server creates itself is shown without one).
 */
export async function measure(server: Server, memory: vscode.Memento, uri: unknown, line: unknown): Promise<void> {
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
  if (!(await agreed(memory))) {
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

/** The first time in a workspace the person is asked: measuring is the only thing here that runs their code. */
export async function agreed(memory: vscode.Memento): Promise<boolean> {
  if (memory.get(AGREED) === true) {
    return true;
  }
  const text = "trainlint: measuring runs the program in a process of its own, up to the end of one training step. Run it?";
  const pressed = await vscode.window.showInformationMessage(text, { modal: true }, "Run");
  if (pressed !== "Run") {
    return false;
  }
  await memory.update(AGREED, true);
  return true;
}

/** Shows a report that `trainlint measure --output-format json` made elsewhere; nothing is run. */
export async function openReport(server: Server): Promise<void> {
  const client = server.client;
  if (!client?.isRunning()) {
    void vscode.window.showWarningMessage("trainlint: wait until the server runs.");
    return;
  }
  const filters = { "trainlint report": ["json"] };
  const chosen = await vscode.window.showOpenDialog({ title: "Open a measured report", filters, canSelectMany: false });
  const report = chosen?.[0];
  if (!report) {
    return;
  }
  // the document in front is the one that is meant where the name in the report does not tell
  const uri = vscode.window.activeTextEditor?.document.uri.toString();
  const request = { command: "trainlint.openReport", arguments: [{ uri, report: report.toString() }] };
  await client.sendRequest(ExecuteCommandRequest.type, request);
}

function tell(answer: unknown): void {
  const message = (answer as { message?: unknown } | null)?.message;
  if (typeof message === "string") {
    void vscode.window.showInformationMessage(`trainlint: ${message}`);
  }
}
