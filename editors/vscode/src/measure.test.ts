import { beforeEach, expect, test, vi } from "vitest";
import { asked, measure } from "./measure.js";

const vscode = vi.hoisted(() => ({
  trusted: true,
  pressed: "Run" as string | undefined,
  shown: [] as string[],
  cancelled: false,
}));

vi.mock("vscode", () => ({
  ProgressLocation: { Notification: 15 },
  workspace: {
    get isTrusted() {
      return vscode.trusted;
    },
  },
  window: {
    activeTextEditor: undefined,
    showWarningMessage: (text: string) => vscode.shown.push(text),
    showErrorMessage: (text: string) => vscode.shown.push(text),
    showInformationMessage: (text: string) => {
      vscode.shown.push(text);
      return Promise.resolve(vscode.pressed);
    },
    withProgress: (options: object, task: (progress: object, cancel: object) => unknown) => {
      expect(options).toMatchObject({ location: 15, cancellable: true });
      return task({ report: () => undefined }, { isCancellationRequested: vscode.cancelled });
    },
  },
}));
vi.mock("vscode-languageclient/node", () => ({ ExecuteCommandRequest: { type: "execute" }, WorkDoneProgress: { type: "progress" } }));


function memory() {
  const values = new Map<string, unknown>();
  return { get: (key: string) => values.get(key), update: (key: string, value: unknown) => Promise.resolve(void values.set(key, value)) };
}

function server(answer: () => unknown = () => ({ message: "done", measured: true })) {
  const sent: unknown[] = [];
  const client = {
    isRunning: () => true,
    onProgress: () => ({ dispose: () => undefined }),
    sendRequest: (_: unknown, request: unknown, cancel: unknown) => {
      sent.push([request, cancel]);
      return Promise.resolve().then(answer);
    },
  };
  return { sent, server: { client } };
}

beforeEach(() => Object.assign(vscode, { trusted: true, pressed: "Run", shown: [], cancelled: false }));

test("the server gets the document, our token and the button's cancellation", async () => {
  const { sent, server: running } = server();
  await measure(running as never, memory() as never, "file:///t.py", 3);
  const [request, cancel] = sent[0] as [{ command: string; arguments: { token: string }[] }, object];
  expect(request.command).toBe("trainlint.measure");
  expect(request.arguments[0]).toMatchObject({ uri: "file:///t.py", line: 3 });
  expect(request.arguments[0]?.token).toMatch(/^trainlint-measure-/);
  expect(cancel).toHaveProperty("isCancellationRequested");
  expect(vscode.shown.at(-1)).toBe("trainlint: done");
});

test("it asks once in a workspace, and a no runs nothing", async () => {
  const { sent, server: running } = server();
  const workspace = memory();
  vscode.pressed = undefined;
  await measure(running as never, workspace as never, "file:///t.py", 1);
  expect(sent).toHaveLength(0);
  vscode.pressed = "Run";
  await measure(running as never, workspace as never, "file:///t.py", 1);
  await measure(running as never, workspace as never, "file:///t.py", 1);
  expect(sent).toHaveLength(2);
  expect(vscode.shown.filter((text) => text.includes("Run it?"))).toHaveLength(2);
});

test("an untrusted workspace runs nothing and says why", async () => {
  const { sent, server: running } = server();
  vscode.trusted = false;
  await measure(running as never, memory() as never, "file:///t.py", 1);
  expect(sent).toHaveLength(0);
  expect(vscode.shown[0]).toContain("not trusted");
});

test("a cancelled run is no error, others are shown", async () => {
  const fail = () => {
    throw new Error("no torch");
  };
  const { server: running } = server(fail);
  vscode.cancelled = true;
  await measure(running as never, memory() as never, "file:///t.py", 1);
  expect(vscode.shown.some((text) => text.includes("no torch"))).toBe(false);
  vscode.cancelled = false;
  await measure(running as never, memory() as never, "file:///t.py", 1);
  expect(vscode.shown.at(-1)).toBe("trainlint: no torch");
});

test("what the lens sends is read", () => {
  expect(asked({ uri: "file:///t.py", line: 7 })).toEqual(["file:///t.py", 7]);
  expect(asked(null)).toEqual([undefined, undefined]);
});
