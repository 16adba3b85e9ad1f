/** Finding somebody among very many: who is asked for, and what becomes of the answer. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { findColleagues, fitting } from "@/api/colleagues";
import { request } from "@/api/http";
import type { Person, User } from "@/api/types";
import { inOrder, matching } from "@/features/settings/people";

vi.mock("@/api/http", async (original) => ({
  ...(await original<typeof import("@/api/http")>()),
  request: vi.fn(),
}));

const person = (name: string, role: Person["role"] = "member", kind: Person["kind"] = "user"): Person => ({
  id: `act_${name}`,
  kind,
  name,
  role,
  is_online: null,
  last_seen_at: null,
});
const user = (name: string, more: Partial<User> = {}): User => ({
  ...person(name),
  email: `${name.toLowerCase()}@example.org`,
  phone: null,
  has_joined: true,
  deactivated_at: null,
  created_at: "2026-01-01T10:00:00Z",
  ...more,
});

describe("colleagues of the desk", () => {
  /** One page each. */
  let pages: Person[][];
  let asked: unknown[];
  beforeEach(() => {
    asked = [];
    vi.mocked(request).mockImplementation(async (_method, _path, options) => {
      asked.push([options?.query?.role, options?.query?.cursor]);
      const at = Number(options?.query?.cursor ?? 0);
      return { items: pages[at] ?? [], next: at + 1 < pages.length ? String(at + 1) : null };
    });
  });
  const anybody = () => true;

  it("are asked for by their roles, and given a conversation if they see it", async () => {
    pages = [
      [person("Ann", "agent"), person("Bob", "agent")],
      [person("Ines", "agent"), person("Olga", "owner"), person("Zoe", "admin")],
    ];
    const found = await findColleagues("", fitting.seeing(new Set(["act_Bob"])));
    expect(found.map((one) => one.name)).toEqual(["Bob", "Olga", "Zoe"]);
    const roles = ["owner", "admin", "agent"];
    expect(asked).toEqual([
      [roles, null],
      [roles, "1"],
    ]);
  });

  it("are looked for no further than there is room to show, nor without end", async () => {
    pages = Array.from({ length: 30 }, () => Array.from({ length: 20 }, (_, n) => person(`A${n}`, "admin")));
    expect(await findColleagues("a", anybody)).toHaveLength(20);
    expect(asked).toHaveLength(1);
    asked = [];
    pages = Array.from({ length: 30 }, () => [person("Eve", "agent")]);
    expect(await findColleagues("e", fitting.seeing(new Set()))).toEqual([]);
    expect(asked).toHaveLength(10);
  });
});

describe("the list of people", () => {
  it("stands by name if it is whole, and as the pages come if it is not", () => {
    const read = [user("Zoe"), user("Bob", { deactivated_at: "2026-01-01T10:00:00Z" }), user("Ann")];
    expect(inOrder(read, true).map((one) => one.name)).toEqual(["Ann", "Zoe", "Bob"]);
    expect(inOrder(read, false).map((one) => one.name)).toEqual(["Zoe", "Bob", "Ann"]);
  });

  it("shows those who fit by name or e-mail, each once", () => {
    const known = [user("Ann"), user("Bob", { email: "annex@example.org" }), user("Zoe"), user("Ann")];
    expect(matching(known, "ann").map((one) => one.name)).toEqual(["Ann", "Bob"]);
  });
});
