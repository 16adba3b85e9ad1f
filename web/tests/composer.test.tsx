/** Sending later from the composer, as far as it can be seen without a server. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/cache";
import { tellDraft } from "@/api/drafts";
import { uploadFile } from "@/api/media";
import { scheduleMessage } from "@/api/scheduled";
import { enter } from "@/api/session";
import { type Sync, SyncContext } from "@/api/sync";
import type { Media, Message, Sender, SignedIn } from "@/api/types";
import { Composer } from "@/features/composer/Composer";
import { composingStore, setComposing } from "@/lib/desk-view";
import { loadDraft } from "@/lib/drafts";
import { startI18n } from "@/lib/i18n";

vi.mock("@/api/drafts", async (original) => ({
  ...(await original<typeof import("@/api/drafts")>()),
  tellDraft: vi.fn(),
}));
vi.mock("@/api/media", async (original) => ({
  ...(await original<typeof import("@/api/media")>()),
  uploadFile: vi.fn(),
}));
vi.mock("@/api/scheduled", async (original) => ({
  ...(await original<typeof import("@/api/scheduled")>()),
  listScheduled: vi.fn(async () => []),
  scheduleMessage: vi.fn(),
}));

// jsdom has none, and it is asked for as soon as the composer is loaded.
vi.hoisted(() => {
  globalThis.matchMedia = (() => ({ matches: false })) as unknown as typeof matchMedia;
});

const ID = "cnv_1";
const area = () => screen.getByRole<HTMLTextAreaElement>("textbox");
const clock = () => screen.getByRole<HTMLButtonElement>("button", { name: "Send later" });
const write = (text: string) => fireEvent.change(area(), { target: { value: text } });
const add = vi.fn();
const SAID = {
  id: "msg_1",
  sender: { id: "act_2", kind: "user", name: "Boris" },
  text: "Tea at four, or coffee at five?",
  attachments: [],
  deleted_at: null,
} as unknown as Message;

/** The request that is under way ends. */
let done: () => void;

function open(people: Sender[] = []) {
  const sync = { outbox: { add }, sendTyping: vi.fn() } as unknown as Sync;
  const client = new QueryClient({ defaultOptions: { queries: { queryFn: () => null } } });
  client.setQueryData(keys.thread(ID), { items: [SAID] });
  return render(
    <QueryClientProvider client={client}>
      <SyncContext value={sync}>
        <Composer id={ID} placeholder="" hasNotes={false} obstacle={null} people={people} isFollowed />
      </SyncContext>
    </QueryClientProvider>,
  );
}

async function sendLater() {
  fireEvent.click(clock());
  fireEvent.click(await screen.findByRole("button", { name: /Tomorrow/ }));
  await waitFor(() => expect(scheduleMessage).toHaveBeenCalledOnce());
}

beforeEach(async () => {
  await startI18n();
  localStorage.clear();
  composingStore.set({});
  vi.mocked(scheduleMessage).mockImplementation(
    () =>
      new Promise((resolve) => {
        done = () => resolve({} as Awaited<ReturnType<typeof scheduleMessage>>);
      }),
  );
  enter({ access_token: "", expires_in_seconds: 900, me: { actor: { id: "act_1" } } } as SignedIn);
});

afterEach(() => {
  cleanup();
  vi.clearAllMocks();
});

describe("sending later", () => {
  it("waits for the files that are on their way up", async () => {
    let arrive = (_: Media) => {};
    vi.mocked(uploadFile).mockImplementation(
      () =>
        new Promise((resolve) => {
          arrive = resolve;
        }),
    );
    const { container } = open();
    write("with a file");
    const files = [new File(["x"], "x.txt", { type: "text/plain" })];
    fireEvent.change(container.querySelector("input[type=file]") as Element, { target: { files } });
    await waitFor(() => expect(uploadFile).toHaveBeenCalled());
    expect(clock().disabled).toBe(true);
    arrive({ id: "med_1", kind: "file", name: "x.txt", size_bytes: 1 } as unknown as Media);
    await waitFor(() => expect(clock().disabled).toBe(false));
    await sendLater();
    expect(vi.mocked(scheduleMessage).mock.calls[0]?.[1].media_ids).toEqual(["med_1"]);
  });

  it("neither sends the words at once as well nor loses those written meanwhile", async () => {
    open();
    write("tomorrow then");
    await sendLater();
    fireEvent.keyDown(area(), { key: "Enter" });
    expect(add).not.toHaveBeenCalled();
    write("tomorrow then, and one more thing");
    done();
    await waitFor(() => expect(area().value).toBe(", and one more thing"));
    expect(loadDraft(ID).text).toBe(", and one more thing");
    expect(tellDraft).toHaveBeenLastCalledWith(ID, ", and one more thing", null);
  });

  it("takes its draft back on the server although another chat is open by then", async () => {
    const { unmount } = open();
    write("tomorrow then");
    await sendLater();
    unmount();
    done();
    await waitFor(() => expect(tellDraft).toHaveBeenLastCalledWith(ID, "", null));
    expect(loadDraft(ID).text).toBe("");
  });
});

describe("calling somebody", () => {
  it("leaves the caret behind the name at once, for the next letter", () => {
    const frame = vi.spyOn(globalThis, "requestAnimationFrame").mockReturnValue(0);
    open([{ id: "act_2", kind: "user", name: "Zinaida" }]);
    fireEvent.change(area(), { target: { value: "@zi, soon" } });
    area().setSelectionRange(3, 3);
    fireEvent.select(area());
    fireEvent.keyDown(area(), { key: "Enter" });
    expect(area().value).toBe("@Zinaida , soon");
    expect(area().selectionStart).toBe("@Zinaida ".length);
    frame.mockRestore();
  });
});

describe("a quote", () => {
  it("is still there after a reload, and goes with the words", async () => {
    setComposing(ID, { kind: "reply", message: SAID, quote: "coffee at five" });
    const { unmount } = open();
    write("that one");
    unmount();
    // A reload leaves what is stored, and nothing of what was in the tab.
    composingStore.set({});
    open();
    await screen.findByText("coffee at five");
    expect(screen.getByText("Quote of Boris")).toBeTruthy();
    expect(area().value).toBe("that one");
    fireEvent.keyDown(area(), { key: "Enter" });
    expect(add.mock.calls[0]?.[0].reply_to).toMatchObject({ id: "msg_1", quote: "coffee at five" });
    expect(loadDraft(ID).quote).toBeUndefined();
  });

  it("of another message takes its place", async () => {
    setComposing(ID, { kind: "reply", message: SAID, quote: "coffee at five" });
    open();
    write("that one");
    setComposing(ID, { kind: "reply", message: { ...SAID, id: "msg_2" }, quote: null });
    await waitFor(() => expect(loadDraft(ID)).toMatchObject({ replyTo: "msg_2", quote: null }));
  });
});
