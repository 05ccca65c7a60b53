import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expanded, findInterpreter, NoInterpreter, venvPython, within } from "./interpreter.js";

const nothing = () => Promise.resolve(undefined);
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "trainlint interpreter "));
  execFileSync("python3", ["-m", "venv", "--without-pip", path.join(folder, ".venv")]);
}, 60_000);
afterAll(() => fs.rmSync(folder, { recursive: true }));

describe("the interpreter", () => {
  test("of the setting wins, and is the only one that is tried", async () => {
    const found = await findInterpreter({ setting: [".venv/bin/python"], folder, selected: nothing, trusted: true });
    expect(found).toMatchObject({ command: [venvPython(path.join(folder, ".venv"))], from: "trainlint.interpreter" });
    expect(found.found.trainlint).toBeNull();
    const broken = findInterpreter({ setting: ["/no/such/python"], folder, selected: nothing, trusted: true });
    await expect(broken).rejects.toThrow(NoInterpreter);
    await expect(broken).rejects.toThrow(/no such program/);
  });

  test("selected in the Python extension comes next, and .venv of the folder after it", async () => {
    const selected = () => Promise.resolve("/usr/bin/env");
    const after = await findInterpreter({ setting: [], folder, selected, trusted: true });
    expect(after.from).toBe(".venv");
    const own = venvPython(path.join(folder, ".venv"));
    const first = await findInterpreter({ setting: [], folder, selected: () => Promise.resolve(own), trusted: true });
    expect(first.from).toBe("the Python extension");
  });

  test("is found although the Python extension never answers", async () => {
    const never = () => new Promise<undefined>(() => undefined);
    const found = await findInterpreter({ setting: [], folder, selected: never, patience: 50, trusted: true });
    expect(found.from).toBe(".venv");
  });

  test("of an untrusted workspace is never started", async () => {
    const own = venvPython(path.join(folder, ".venv"));
    const sources = { setting: [own], folder, selected: () => Promise.resolve(own), trusted: false };
    expect((await findInterpreter(sources)).from).toBe("PATH");
  });
});

test("a command knows the folder and the home of the person, and leaves names alone", () => {
  expect(expanded(["${workspaceFolder}/.venv/bin/python"], "/w")).toEqual(["/w/.venv/bin/python"]);
  expect(expanded([".venv/bin/python", "-X", "dev"], "/w")).toEqual(["/w/.venv/bin/python", "-X", "dev"]);
  expect(expanded(["~/py"], "/w")).toEqual([path.join(process.env.HOME ?? "", "py")]);
  expect(expanded(["python3"], "/w")).toEqual(["python3"]);
});

test("Windows keeps its interpreter elsewhere", () => {
  expect(venvPython("env", "win32")).toBe(path.join("env", "Scripts", "python.exe"));
});

test("a promise that fails or is late gives nothing", async () => {
  expect(await within(Promise.resolve(1), 1000)).toBe(1);
  expect(await within(Promise.reject(new Error("no")), 1000)).toBeUndefined();
  expect(await within(new Promise(() => undefined), 10)).toBeUndefined();
});
