import * as vscode from "vscode";

/** The item in the language status bar: what runs, whether it is busy, and what to press when something is wrong. */
export class Status implements vscode.Disposable {
  private readonly item: vscode.LanguageStatusItem;

  constructor() {
    this.item = vscode.languages.createLanguageStatusItem("trainlint.status", [
      { language: "python" },
      { notebookType: "jupyter-notebook", language: "python" },
    ]);
    this.item.name = "trainlint";
    this.item.text = "trainlint";
  }

  starting(): void {
    this.item.busy = true;
    this.set("trainlint", "starting", vscode.LanguageStatusSeverity.Information, LOGS);
  }

  running(what: string): void {
    this.item.busy = false;
    this.set("trainlint", what, vscode.LanguageStatusSeverity.Information, LOGS);
  }

  off(): void {
    this.item.busy = false;
    this.set("trainlint", "switched off by trainlint.enable", vscode.LanguageStatusSeverity.Information, LOGS);
  }

  failed(why: string): void {
    this.item.busy = false;
    this.set("trainlint stopped", why, vscode.LanguageStatusSeverity.Error, RESTART);
  }

  private set(text: string, detail: string, severity: vscode.LanguageStatusSeverity, command: vscode.Command): void {
    Object.assign(this.item, { text, detail, severity, command });
  }

  dispose(): void {
    this.item.dispose();
  }
}

const LOGS: vscode.Command = { title: "Show logs", command: "trainlint.showLogs" };
const RESTART: vscode.Command = { title: "Restart", command: "trainlint.restart" };
