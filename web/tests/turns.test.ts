import { expect, test } from "vitest";
import { Turns } from "@/lib/turns";

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

test("what is asked of one thing goes in order, and only the last is known to be the last", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const ask = (key: string, name: string, ms: number) =>
    turns.take(key, async (isLast) => {
      await pause(ms);
      seen.push(`${name} ${isLast()}`);
    });
  await Promise.all([ask("a", "slow", 30), ask("a", "quick", 0), ask("b", "other", 0)]);
  expect(seen).toEqual(["other true", "slow false", "quick true"]);
});

test("what fails holds up nobody", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const refused = turns.take("a", () => Promise.reject(new Error("refused")));
  await turns.take("a", async () => void seen.push("next"));
  expect(seen).toEqual(["next"]);
  await expect(refused).rejects.toThrow("refused");
});
