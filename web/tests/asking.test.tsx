/** What is asked for again and again: as long as it may help, and no longer. */
import { focusManager, QueryClient, QueryClientProvider, QueryObserver } from "@tanstack/react-query";
import { cleanup, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { askAgain } from "@/api/asking";
import { findPeople } from "@/api/chats";
import { useColleagues } from "@/api/colleagues";
import { ApiError } from "@/api/http";
import type { Person } from "@/api/types";
import "./patience";

vi.mock("@/api/chats", async (original) => ({
  ...(await original<typeof import("@/api/chats")>()),
  findPeople: vi.fn(),
}));

describe("what is on screen", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    focusManager.setFocused(undefined);
    vi.useRealTimers();
  });
  const look = (queryFn: () => Promise<unknown>) =>
    new QueryObserver(new QueryClient(), {
      queryKey: ["seen"],
      queryFn,
      retry: false,
      networkMode: "always",
      refetchInterval: askAgain,
    }).subscribe(() => undefined);

  it.each([
    { about: "goes on while it is answered", error: null, asked: 7 },
    { about: "goes on while the server cannot be asked", error: new ApiError(0, "network", ""), asked: 7 },
    {
      about: "ends for good when it is not ours to see",
      error: new ApiError(403, "forbidden", ""),
      asked: 1,
    },
    { about: "ends for good when it is gone", error: new ApiError(404, "not_found", ""), asked: 1 },
  ])("is asked for again: that $about", async ({ error, asked }) => {
    const queryFn = vi.fn(() => (error ? Promise.reject(error) : Promise.resolve(1)));
    const leave = look(queryFn);
    await vi.advanceTimersByTimeAsync(65_000);
    expect(queryFn).toHaveBeenCalledTimes(asked);
    // nobody looks at it any more
    leave();
    await vi.advanceTimersByTimeAsync(65_000);
    expect(queryFn).toHaveBeenCalledTimes(asked);
  });

  it("is not asked for while the page is hidden", async () => {
    const queryFn = vi.fn(() => Promise.resolve(1));
    const leave = look(queryFn);
    await vi.advanceTimersByTimeAsync(15_000);
    focusManager.setFocused(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queryFn).toHaveBeenCalledTimes(2);
    focusManager.setFocused(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(queryFn).toHaveBeenCalledTimes(3);
    leave();
  });
});

describe("colleagues", () => {
  afterEach(cleanup);

  it("are others for who asks for others of the same inbox", async () => {
    const person = (id: string) => ({ id, kind: "user", name: id, role: "agent" }) as Person;
    vi.mocked(findPeople).mockResolvedValue({ items: [person("ann"), person("bob")], next: null });
    const client = new QueryClient();
    const wrapper = ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={client}>{children}</QueryClientProvider>
    );
    const found = (use: () => ReturnType<typeof useColleagues>) => renderHook(use, { wrapper }).result;
    const beside = found(() => useColleagues("", "beside", ["ann"]));
    await waitFor(() => expect(beside.current.people).toEqual([person("bob")]));
    const seeing = found(() => useColleagues("", "seeing", ["ann"]));
    await waitFor(() => expect(seeing.current.people).toEqual([person("ann")]));
  });
});
