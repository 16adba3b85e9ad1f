/** Finding somebody among very many: who is asked for, and what becomes of the answer. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { request } from "@/api/http";
import type { Person, User } from "@/api/types";
import { findAssignable } from "@/features/palette/assignable";
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

describe("who can be given a conversation", () => {
  /** One page each. */
  let pages: Person[][];
  let asked: (string | null)[];
  beforeEach(() => {
    asked = [];
    vi.mocked(request).mockImplementation(async (_method, _path, options) => {
      const cursor = options?.query?.cursor as string | null;
      asked.push(cursor);
      const at = Number(cursor ?? 0);
      return { items: pages[at] ?? [], next: at + 1 < pages.length ? String(at + 1) : null };
    });
  });

  it("are administrators and the agents of its inbox, wherever they stand among the others", async () => {
    pages = [
      [person("Ann", "agent"), person("Bob", "agent"), person("Bot", "admin", "bot"), person("Eve")],
      [person("Ines"), person("Olga", "owner"), person("Zoe", "admin")],
    ];
    const found = await findAssignable("", new Set(["act_Bob", "act_Ines"]));
    expect(found.map((one) => one.name)).toEqual(["Bob", "Olga", "Zoe"]);
    expect(asked).toEqual([null, "1"]);
  });

  it("are looked for no further than there is room to show, nor through all of a very large workspace", async () => {
    pages = Array.from({ length: 30 }, () => Array.from({ length: 20 }, (_, n) => person(`A${n}`, "admin")));
    expect(await findAssignable("a", new Set())).toHaveLength(20);
    expect(asked).toHaveLength(1);
    asked = [];
    pages = Array.from({ length: 30 }, () => [person("Eve")]);
    expect(await findAssignable("e", new Set())).toEqual([]);
    expect(asked).toHaveLength(10);
  });
});

describe("the list of people", () => {
  it("stands by name if it is whole, and as the pages come if it is not", () => {
    const read = [user("Zoe"), user("Bob", { deactivated_at: "2026-01-01T10:00:00Z" }), user("Ann")];
    expect(inOrder(read, true).map((one) => one.name)).toEqual(["Ann", "Zoe", "Bob"]);
    expect(inOrder(read, false).map((one) => one.name)).toEqual(["Zoe", "Bob", "Ann"]);
  });

  it("shows those who fit once, and of the server's findings people alone", () => {
    const read = [user("Ann"), user("Bob", { email: "annex@example.org" }), user("Zoe")];
    const found = [person("Ann"), person("Anna"), person("Annbot", "member", "bot")];
    expect(matching(read, found, "ann").map((one) => one.name)).toEqual(["Ann", "Bob", "Anna"]);
  });
});
