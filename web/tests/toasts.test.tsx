/** A toast goes by itself, but not from under the hand that is about to answer it. */
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { showToast, Toasts } from "@/components/overlays";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});
const later = (seconds: number) => act(() => vi.advanceTimersByTime(seconds * 1_000));

it("waits while it is pointed at or has the focus, and goes a while after", () => {
  render(<Toasts />);
  act(() => showToast("Resolved", { action: { label: "Undo", run: () => undefined } }));
  later(8);
  const line = screen.getByText("Resolved");
  fireEvent.pointerEnter(line);
  later(60);
  fireEvent.pointerLeave(line);
  fireEvent.focus(screen.getByRole("button", { name: "Undo" }));
  later(60);
  fireEvent.blur(screen.getByRole("button", { name: "Undo" }));
  later(8);
  expect(screen.queryByText("Resolved")).not.toBeNull();
  later(3);
  expect(screen.queryByText("Resolved")).toBeNull();
});
