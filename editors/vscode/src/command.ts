import * as path from "node:path";
import type { Interpreter } from "./interpreter.js";

export type ImportStrategy = "useBundled" | "fromEnvironment";

/** How the server is started. */
export interface ServerCommand {
  command: string;
  args: string[];
  /** A sentence for the log and the status item. */
  what: string;
}

/** The server that a person named with `trainlint.path`. */
export function namedServer(command: readonly string[], extra: readonly string[]): ServerCommand {
  const [program = "trainlint", ...rest] = command;
  return { command: program, args: [...rest, "server", ...extra], what: `${program} (trainlint.path)` };
}

/**
 * The command of the server. The bundled one is started through `bundled/launch.py`, which brings its own packages; the
 * installed one only where the workspace is trusted and the interpreter has it.
 */
export function serverCommand(
  interpreter: Interpreter,
  strategy: ImportStrategy,
  extension: string,
  extra: readonly string[],
  trusted: boolean,
): ServerCommand {
  const [command = "python3", ...rest] = interpreter.command;
  const python = `Python ${interpreter.found.version.join(".")} (${interpreter.from})`;
  if (strategy === "fromEnvironment" && trusted && interpreter.found.trainlint !== null) {
    const args = [...rest, "-I", "-m", "trainlint", "server", ...extra];
    return { command, args, what: `trainlint ${interpreter.found.trainlint} of ${python}` };
  }
  const launcher = path.join(extension, "bundled", "launch.py");
  return { command, args: [...rest, "-I", launcher, "server", ...extra], what: `the bundled trainlint with ${python}` };
}
