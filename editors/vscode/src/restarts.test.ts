import { expect, test } from "vitest";
import { Crashes, Restarts } from "./restarts.js";

test("restarts never overlap, and many requests are one", async () => {
  let active = 0;
  let most = 0;
  let count = 0;
  const restarts = new Restarts(async () => {
    count += 1;
    active += 1;
    most = Math.max(most, active);
    await new Promise((resolve) => setTimeout(resolve, 20));
    active -= 1;
  });
  const first = restarts.request();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.all([first, restarts.request(), restarts.request(), restarts.request()]);
  expect([count, most]).toEqual([2, 1]);
});

test("a start that fails does not block the next one", async () => {
  let count = 0;
  const restarts = new Restarts(() => (count++ === 0 ? Promise.reject(new Error("no")) : Promise.resolve()));
  await expect(restarts.request()).rejects.toThrow("no");
  await restarts.request();
  expect(count).toBe(2);
});

test("three crashes in three minutes are waited out longer each time, the fourth is the last", () => {
  const crashes = new Crashes();
  expect([0, 1, 2, 3].map((second) => crashes.next(second * 1000))).toEqual([500, 1000, 2000, null]);
  expect(crashes.next(1_000_000)).toBe(500);
  crashes.forget();
  expect(crashes.next(1_000_001)).toBe(500);
});
