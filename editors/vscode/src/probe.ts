import { execFile } from "node:child_process";

/** What an interpreter says of itself. */
export interface Found {
  /** `[3, 11]` */
  version: [number, number];
  /** The version of an installed trainlint, null where there is none. */
  trainlint: string | null;
  libcst: boolean;
}

export type Answer = { ok: true; found: Found } | { ok: false; reason: string };

export const OLDEST: [number, number] = [3, 10];

/** Prints one line of JSON; `-I` keeps the working folder and `PYTHON*` variables out. */
const QUESTION = `
import json, sys
from importlib import metadata, util
try:
    version = metadata.version("trainlint-lsp")
except metadata.PackageNotFoundError:
    version = None
print(json.dumps({"version": sys.version_info[:2], "trainlint": version, "libcst": util.find_spec("libcst") is not None}))
`;

/** Ask an interpreter; a command that does not answer within `limit` milliseconds is as good as none. */
export function probe(command: readonly string[], limit = 5000): Promise<Answer> {
  const [program, ...rest] = command;
  if (!program) {
    return Promise.resolve({ ok: false, reason: "the command is empty" });
  }
  return new Promise((resolve) => {
    execFile(program, [...rest, "-I", "-c", QUESTION], { timeout: limit, windowsHide: true }, (error, stdout, stderr) => {
      resolve(error ? { ok: false, reason: whatFailed(error, stderr, limit) } : read(stdout));
    });
  });
}

export function isOldEnough(version: readonly [number, number]): boolean {
  return version[0] > OLDEST[0] || (version[0] === OLDEST[0] && version[1] >= OLDEST[1]);
}

function whatFailed(error: Error & { killed?: boolean; code?: unknown }, stderr: string, limit: number): string {
  if (error.killed) {
    return `it did not answer within ${limit / 1000} s`;
  }
  if (error.code === "ENOENT") {
    return "there is no such program";
  }
  const last = stderr.trim().split("\n").at(-1);
  return last ? last : error.message.split("\n")[0] ?? "it failed";
}

function read(stdout: string): Answer {
  try {
    const found = JSON.parse(stdout) as Found;
    if (!isOldEnough(found.version)) {
      return { ok: false, reason: `it is Python ${found.version.join(".")}; trainlint needs ${OLDEST.join(".")} or newer` };
    }
    return { ok: true, found };
  } catch {
    return { ok: false, reason: "it is no Python interpreter" };
  }
}
