import { expect, test } from "vitest";
import { namedServer, serverCommand } from "./command.js";
import type { Interpreter } from "./interpreter.js";

const plain: Interpreter = { command: ["python3"], from: "PATH", found: { version: [3, 11], trainlint: null, libcst: false } };
const installed: Interpreter = { ...plain, command: ["py", "-3"], found: { version: [3, 12], trainlint: "0.1.0", libcst: true } };

test("the bundled server is started through its launcher, isolated from the workspace", () => {
  const found = serverCommand(plain, "useBundled", "/ext", ["--verbose"], true);
  expect(found.command).toBe("python3");
  expect(found.args).toEqual(["-I", "/ext/bundled/launch.py", "server", "--verbose"]);
});

test("the installed one is taken where it is asked for, trusted and there", () => {
  expect(serverCommand(installed, "fromEnvironment", "/ext", [], true).args).toEqual(["-3", "-I", "-m", "trainlint", "server"]);
  expect(serverCommand(installed, "fromEnvironment", "/ext", [], false).args).toContain("/ext/bundled/launch.py");
  expect(serverCommand(plain, "fromEnvironment", "/ext", [], true).args).toContain("/ext/bundled/launch.py");
  expect(serverCommand(installed, "useBundled", "/ext", [], true).what).toBe("the bundled trainlint with Python 3.12 (PATH)");
});

test("a server that is named runs as it is", () => {
  const found = namedServer(["/env/bin/trainlint"], ["--verbose"]);
  expect([found.command, ...found.args]).toEqual(["/env/bin/trainlint", "server", "--verbose"]);
});
