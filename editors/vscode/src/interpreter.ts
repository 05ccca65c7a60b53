import * as fs from "node:fs";
import * as path from "node:path";
import { probe, type Answer, type Found } from "./probe.js";

/** A command that may be a Python, and where it was named. */
export interface Candidate {
  command: string[];
  from: string;
}

export interface Interpreter extends Candidate {
  found: Found;
}

export interface Sources {
  /** The setting `trainlint.interpreter`. */
  setting: readonly string[];
  /** The folder of the workspace, where there is one. */
  folder: string | undefined;
  /** What the Python extension has selected; may take long or never answer. */
  selected: () => Promise<string | undefined>;
  /** Milliseconds that the Python extension gets. */
  patience?: number;
  /** False in an untrusted workspace: nothing below the folder is started. */
  trusted: boolean;
  platform?: NodeJS.Platform;
}

/** Why no interpreter was found: one line for each that was tried. */
export class NoInterpreter extends Error {
  constructor(readonly tried: readonly string[]) {
    super(`no usable Python: ${tried.join("; ")}`);
  }
}

/**
 * The first interpreter that works: the setting alone where it is given, else what the Python extension has selected,
 * `.venv` and `venv` of the folder, and the Python on the PATH.
 */
export async function findInterpreter(sources: Sources): Promise<Interpreter> {
  const tried: string[] = [];
  for await (const candidate of candidates(sources)) {
    const answer: Answer = await probe(candidate.command);
    if (answer.ok) {
      return { ...candidate, found: answer.found };
    }
    tried.push(`${candidate.command.join(" ")} (${candidate.from}): ${answer.reason}`);
  }
  throw new NoInterpreter(tried);
}

async function* candidates(sources: Sources): AsyncGenerator<Candidate> {
  if (sources.setting.length > 0 && sources.trusted) {
    yield { command: expanded(sources.setting, sources.folder), from: "trainlint.interpreter" };
    return;
  }
  const selected = await within(sources.selected(), sources.patience ?? 2000);
  if (selected && (sources.trusted || !inside(selected, sources.folder))) {
    yield { command: [selected], from: "the Python extension" };
  }
  if (sources.folder && sources.trusted) {
    for (const name of [".venv", "venv"]) {
      const python = venvPython(path.join(sources.folder, name), sources.platform);
      if (fs.existsSync(python)) {
        yield { command: [python], from: name };
      }
    }
  }
  const windows = (sources.platform ?? process.platform) === "win32";
  for (const command of windows ? [["py", "-3"], ["python"]] : [["python3"], ["python"]]) {
    yield { command, from: "PATH" };
  }
}

export function venvPython(environment: string, platform: NodeJS.Platform = process.platform): string {
  return platform === "win32" ? path.join(environment, "Scripts", "python.exe") : path.join(environment, "bin", "python");
}

/** `${workspaceFolder}`, `~` and relative paths of a command; a bare name such as `python3` stays. */
export function expanded(command: readonly string[], folder: string | undefined): string[] {
  const [program = "", ...rest] = command.map((word) => (folder ? word.replaceAll("${workspaceFolder}", folder) : word));
  const home = program.startsWith("~/") ? path.join(process.env.HOME ?? "", program.slice(2)) : program;
  const relative = folder && /[\\/]/.test(home) && !path.isAbsolute(home);
  return [relative ? path.join(folder, home) : home, ...rest];
}

function inside(file: string, folder: string | undefined): boolean {
  return folder !== undefined && !path.relative(folder, file).startsWith("..");
}

/** The answer of a promise, or undefined where it fails or takes longer than `limit` milliseconds. */
export async function within<T>(promise: Promise<T>, limit: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
