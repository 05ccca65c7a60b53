import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type ServerOptions,
} from "vscode-languageclient/node";
import { spawn } from "node:child_process";
import { namedServer, serverCommand, type ImportStrategy, type ServerCommand } from "./command.js";
import { expanded, findInterpreter, type Interpreter } from "./interpreter.js";
import { Crashes, Restarts } from "./restarts.js";
import { asked, measure } from "./measure.js";
import type { PythonExtensions } from "./python.js";
import type { Status } from "./status.js";

const KEPT = 30; // last lines of standard error that an error shows

/** The language server's process and the client that speaks with it. */
export class Server implements vscode.Disposable {
  client: LanguageClient | undefined;
  interpreter: Interpreter | undefined;
  command: ServerCommand | undefined;
  private readonly restarts = new Restarts(() => this.replace());
  private readonly crashes = new Crashes();
  private stderr: string[] = [];
  private disposed = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly status: Status,
    private readonly python: PythonExtensions,
  ) {}

  /** Start, or stop and start again. Asked for by a person: earlier crashes are forgotten. */
  restart(): Promise<void> {
    this.crashes.forget();
    return this.restarts.request();
  }

  private async replace(): Promise<void> {
    await this.stop();
    if (this.disposed) {
      return;
    }
    this.status.starting();
    try {
      await this.start();
    } catch (error) {
      this.failed(error instanceof Error ? error.message : String(error));
    }
  }

  private async start(): Promise<void> {
    const folder = vscode.workspace.workspaceFolders?.[0];
    const settings = vscode.workspace.getConfiguration("trainlint", folder?.uri);
    const trusted = vscode.workspace.isTrusted;
    const extra = trusted ? settings.get<string[]>("args", []) : [];
    const named = trusted ? settings.get<string[]>("path", []) : [];
    if (named.length > 0) {
      this.interpreter = undefined;
      this.command = namedServer(expanded(named, folder?.uri.fsPath), extra);
    } else {
      this.interpreter = await findInterpreter({
        setting: settings.get<string[]>("interpreter", []),
        folder: folder?.uri.fsPath,
        selected: () => this.python.selected(folder?.uri),
        trusted,
      });
      const strategy = settings.get<ImportStrategy>("importStrategy", "useBundled");
      this.command = serverCommand(this.interpreter, strategy, this.context.extensionPath, extra, trusted);
    }
    this.log.info(`starting ${this.command.what}: ${this.command.command} ${this.command.args.join(" ")}`);
    this.client = new LanguageClient("trainlint", "trainlint", this.process(this.command), this.options());
    await this.client.start();
    this.showState();
  }

  /** Say in the status item what runs; the server itself falls silent where it is switched off. */
  showState(): void {
    const on = vscode.workspace.getConfiguration("trainlint").get("enable", true);
    if (!on) {
      this.status.off();
    } else if (this.client?.isRunning() && this.command) {
      this.status.running(this.command.what);
    }
  }

  private process(server: ServerCommand): ServerOptions {
    return () => {
      this.stderr = [];
      const child = spawn(server.command, server.args, {
        cwd: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath,
        env: { ...process.env, PYTHONUTF8: "1", PYTHONUNBUFFERED: "1" },
        windowsHide: true,
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        this.stderr = [...this.stderr, ...text.trimEnd().split("\n")].slice(-KEPT);
      });
      child.on("exit", (code, signal) => this.log.info(`the server ended (${signal ?? `exit code ${code}`})`));
      return Promise.resolve(child);
    };
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: [
        { scheme: "file", language: "python" },
        { scheme: "untitled", language: "python" },
        { scheme: "vscode-notebook", language: "python" },
        { scheme: "vscode-notebook-cell", language: "python" },
      ],
      outputChannel: this.log,
      diagnosticCollectionName: "trainlint",
      // the server runs nothing where the workspace is not trusted; when that changes, it is started anew
      initializationOptions: { ...vscode.workspace.getConfiguration("trainlint"), trusted: vscode.workspace.isTrusted },
      synchronize: { configurationSection: "trainlint" },
      middleware: {
        // a code lens or an action that measures: with a notification that has a Cancel button
        executeCommand: (command, args, next) =>
          command === "trainlint.measure"
            ? measure(this, this.context.workspaceState, ...asked(args[0]))
            : next(command, args),
      },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.closed();
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
    };
  }

  private closed(): void {
    const pause = this.crashes.next();
    const cause = this.stderr.filter((line) => line.trim()).at(-1) ?? "it said nothing";
    if (pause === null) {
      this.failed(`the server stopped again and again: ${cause}`);
      return;
    }
    this.log.warn(`the server stopped: ${cause}; starting it again in ${pause / 1000} s`);
    setTimeout(() => void this.restarts.request(), pause);
  }

  private failed(why: string): void {
    for (const line of this.stderr) {
      this.log.error(line);
    }
    const python = this.command ? ` (${this.command.what})` : "";
    this.log.error(`${why}${python}`);
    this.status.failed(why);
    if (vscode.workspace.getConfiguration("trainlint").get("showNotifications") !== "off") {
      void vscode.window.showErrorMessage(`trainlint: ${why}`, "Show Logs").then((pressed) => {
        if (pressed) {
          this.log.show();
        }
      });
    }
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client?.isRunning()) {
      await client.stop(2000).catch((error: unknown) => this.log.warn(`stopping: ${String(error)}`));
    }
    await client?.dispose().catch(() => undefined);
  }

  dispose(): void {
    this.disposed = true;
    void this.stop();
  }
}
