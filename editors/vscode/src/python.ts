import * as vscode from "vscode";

const IDS = ["ms-python.vscode-python-envs", "ms-python.python"];

/** The little of the Python extensions' interfaces that is used here; all of it may be missing. */
interface Environments {
  getActiveEnvironmentPath?(resource?: vscode.Uri): { path: string };
  resolveEnvironment?(path: unknown): Promise<{ executable?: { uri?: vscode.Uri } } | undefined>;
  onDidChangeActiveEnvironmentPath?: vscode.Event<unknown>;
}
interface EnvironmentManager {
  getEnvironment?(scope: vscode.Uri | undefined): Promise<{ execInfo?: { run?: { executable?: string } } } | undefined>;
  onDidChangeEnvironment?: vscode.Event<unknown>;
}

/** The interpreter that the person has selected in one of the Python extensions, where one is installed. */
export class PythonExtensions {
  /** May take as long as those extensions take to start; undefined where none is installed or nothing is selected. */
  async selected(folder: vscode.Uri | undefined): Promise<string | undefined> {
    for (const id of IDS) {
      const api = await activated(id);
      if (api === undefined) {
        continue;
      }
      const found = (await fromManager(api as EnvironmentManager, folder)) ?? (await fromPython(api, folder));
      if (found) {
        return found;
      }
    }
    return undefined;
  }

  /** Calls back when the selection changes. */
  async watch(changed: () => void, into: vscode.Disposable[]): Promise<void> {
    for (const id of IDS) {
      const api = await activated(id);
      const environments = (api as { environments?: Environments } | undefined)?.environments;
      const events = [environments?.onDidChangeActiveEnvironmentPath, (api as EnvironmentManager)?.onDidChangeEnvironment];
      for (const event of events) {
        if (event) {
          into.push(event(changed));
        }
      }
    }
  }
}

async function activated(id: string): Promise<unknown> {
  const extension = vscode.extensions.getExtension<unknown>(id);
  return extension === undefined ? undefined : await extension.activate();
}

async function fromManager(api: EnvironmentManager, folder: vscode.Uri | undefined): Promise<string | undefined> {
  return (await api.getEnvironment?.(folder))?.execInfo?.run?.executable;
}

async function fromPython(api: unknown, folder: vscode.Uri | undefined): Promise<string | undefined> {
  const environments = (api as { environments?: Environments }).environments;
  const active = environments?.getActiveEnvironmentPath?.(folder);
  const resolved = active && (await environments?.resolveEnvironment?.(active));
  return resolved?.executable?.uri?.fsPath ?? active?.path;
}
