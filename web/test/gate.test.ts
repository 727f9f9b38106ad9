import { expect, test } from "vitest";
import { ApiFailure, isAbort, signedOutFailure } from "../src/api/failure.ts";
import { Gate } from "../src/api/gate.ts";

const never = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("turns wait until it is known who is signed in, and again while nobody is", async () => {
  const gate = new Gate();
  const told: string[] = [];
  gate.onShut(() => told.push("shut"));
  const first = gate.opened(never).then(() => told.push("first"));
  await settled();
  expect(told).toEqual([]);
  expect(gate.isShut).toBe(false);
  gate.open();
  await first;
  await gate.opened(never);
  gate.shut();
  gate.shut();
  const second = gate.opened(never).then(() => told.push("second"));
  await settled();
  expect(told).toEqual(["first", "shut"]);
  gate.open();
  await second;
  expect(told).toEqual(["first", "shut", "second"]);
});

test("who gives up waiting is let go, and is not called later", async () => {
  const gate = new Gate();
  const abort = new AbortController();
  const waits = gate.opened(abort.signal).catch((error: unknown) => error);
  abort.abort();
  expect(isAbort(await waits)).toBe(true);
  await expect(gate.opened(abort.signal)).rejects.toThrow(DOMException);
  gate.open();
});

test("being signed out passes, by signing in; a key that is not set does not pass by asking again", () => {
  expect(signedOutFailure().passes).toBe(true);
  expect(signedOutFailure().isSignedOut).toBe(true);
  expect(new ApiFailure(401, { type: "upstream_auth", message: "No." }).passes).toBe(false);
  expect(new ApiFailure(503, { type: "store_unavailable", message: "Busy." }).passes).toBe(true);
  expect(new ApiFailure(503, { type: "key_not_set", message: "No key." }).passes).toBe(false);
});
