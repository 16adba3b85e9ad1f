import { describe, expect, it, vi } from "vitest";
import { nearest } from "@/features/list/RowMenu";

// jsdom has none, and it is asked for as soon as the module is loaded.
vi.hoisted(() => {
  globalThis.matchMedia = (() => ({ matches: false })) as unknown as typeof matchMedia;
});

describe("the menu of a row", () => {
  it("gives the focus to the row, or to the nearest that is left", () => {
    expect(nearest(["a", "b", "c", "d"], "c")).toEqual(["c", "b", "d", "a"]);
    expect(nearest(["a"], "z")).toEqual(["z"]);
  });
});
