import { expect, test } from "vitest";
import { isOldEnough, probe } from "./probe.js";

test("a Python says its version", async () => {
  const answer = await probe(["python3"]);
  expect(answer).toMatchObject({ ok: true });
  expect(answer.ok && isOldEnough(answer.found.version)).toBe(true);
});

test("arguments of a launcher are kept", async () => {
  expect(await probe(["python3", "-X", "utf8"])).toMatchObject({ ok: true });
});

test("what is no Python says why, in one line", async () => {
  expect(await probe([])).toEqual({ ok: false, reason: "the command is empty" });
  expect(await probe(["/no/such/thing"])).toEqual({ ok: false, reason: "there is no such program" });
  expect(await probe(["echo"])).toEqual({ ok: false, reason: "it is no Python interpreter" });
  const hangs = await probe(["sh", "-c", "sleep 30"], 200);
  expect(hangs).toEqual({ ok: false, reason: "it did not answer within 0.2 s" });
});

test("3.9 is too old, 3.10 and 4.0 are not", () => {
  expect([isOldEnough([3, 9]), isOldEnough([3, 10]), isOldEnough([4, 0]), isOldEnough([2, 7])]).toEqual([false, true, true, false]);
});
