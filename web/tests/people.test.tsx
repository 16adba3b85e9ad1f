/** Choosing people: what Enter means while those of the words just typed are still asked for. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { listPeople } from "@/api/chats";
import { enter } from "@/api/session";
import type { SignedIn } from "@/api/types";
import { PeopleField } from "@/features/chats/PeopleField";
import { startI18n } from "@/lib/i18n";

vi.mock("@/api/chats", async (original) => ({
  ...(await original<typeof import("@/api/chats")>()),
  listPeople: vi.fn(),
}));

beforeEach(async () => {
  await startI18n();
  Element.prototype.scrollIntoView = () => undefined;
  enter({ access_token: "", expires_in_seconds: 900, me: { actor: { id: "act_me" } } } as SignedIn);
});
afterEach(cleanup);

it("is nobody else than who is meant by the words", async () => {
  const items = ["Anna", "Boris"].map((name) => ({ id: name, kind: "user", name }));
  const page = { items, next: null } as Awaited<ReturnType<typeof listPeople>>;
  vi.mocked(listPeople).mockImplementation((words) =>
    words === "" ? Promise.resolve(page) : new Promise(() => undefined),
  );
  const choose = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <PeopleField isSingle chosen={[]} onChange={choose} />
    </QueryClientProvider>,
  );
  await screen.findByRole("option", { name: /Boris/ });
  const field = screen.getByRole("combobox");
  fireEvent.change(field, { target: { value: "bor" } });
  fireEvent.keyDown(field, { key: "Enter" });
  expect(choose.mock.calls.map(([[one]]) => one.name)).toEqual(["Boris"]);
});
