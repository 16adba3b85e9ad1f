import { beforeEach, describe, expect, it } from "vitest";
import { PATCHES, patchConversation, patchThread, type Thread, upsertMessage } from "@/api/patches";
import type { DeskConversation, EventFrame, EventKind, PersonalFrame, StreamFrame } from "@/api/types";
import { World } from "../mock/world.mjs";

interface Scene {
  world: InstanceType<typeof World>;
  row: ReturnType<typeof World.prototype.addConversation>;
  me: { id: string; kind: string; name: string };
  colleague: { id: string; kind: string; name: string };
  frames: StreamFrame[];
  snapshot: () => { thread: Thread; conversation: DeskConversation };
}

function makeScene(): Scene {
  const world = new World();
  const me = world.addUser("Anna", "owner", "anna@example.com");
  const colleague = world.addUser("Max", "agent", "max@example.com");
  const row = world.addConversation(world.addInbox("Shop", "@shop"), "Marina", {});
  for (let i = 0; i < 3; i += 1) world.post(row, row.contact, { text: `message ${i}` });
  world.post(row, me, { text: "answer" });
  const frames: StreamFrame[] = [];
  world.listeners.add((frame: StreamFrame) => {
    if (frame.type === "event" && frame.stream === row.id) frames.push(structuredClone(frame));
  });
  const snapshot = () => ({
    thread: world.page(row, me.id, {}),
    conversation: world.conversation(row, me.id),
  });
  return { world, row, me, colleague, frames, snapshot };
}

/** What happens in a conversation, by the kind of event it makes. */
const DEEDS: Partial<Record<EventKind, (scene: Scene) => void>> = {
  "message.created": ({ world, row, me, colleague }) => {
    world.post(row, row.contact, { text: "from the contact" });
    world.post(row, me, { text: "own, while something is unread" });
    world.post(row, colleague, { text: "a note", kind: "note" });
    world.moveRead(row, me.id, row.last_number);
    world.post(row, me, { text: "own, with nothing unread" });
  },
  "message.updated": ({ world, row, me }) => {
    world.edit(row, row.messages[1], "edited once", me.id);
    world.edit(row, row.messages.at(-1), "the last one edited", me.id);
  },
  "message.deleted": ({ world, row }) => {
    world.remove(row, row.messages[0], row.contact.id);
    world.remove(row, row.messages.at(-1), row.contact.id);
  },
  "message.status_changed": ({ world, row }) => {
    world.setStatus(row, row.messages.at(-1), "sending");
    world.setStatus(row, row.messages.at(-1), "failed", { code: "403", text: "blocked" });
  },
  "reaction.added": ({ world, row, me, colleague }) => {
    world.react(row, row.messages[1], "👍", me.id, true);
    world.react(row, row.messages[1], "👍", colleague.id, true);
    world.react(row, row.messages[1], "🔥", me.id, true);
  },
  "reaction.removed": ({ world, row, me, colleague }) => {
    world.react(row, row.messages[1], "👍", me.id, true);
    world.react(row, row.messages[1], "👍", colleague.id, true);
    world.react(row, row.messages[1], "👍", me.id, false);
    world.react(row, row.messages[1], "👍", colleague.id, false);
  },
  "conversation.status_changed": ({ world, row, me }) => {
    world.change(row, { status: "snoozed", snoozed_until: "2030-01-01T09:00:00Z" }, me.id);
    world.change(row, { status: "resolved" }, me.id);
  },
  "conversation.assigned": ({ world, row, me, colleague }) => {
    const { id, kind, name } = colleague;
    world.change(row, { assignee: { id, kind, name, role: "agent" } }, me.id);
  },
  "conversation.renamed": ({ world, row, me }) => world.rename(row, "Marina K.", me.id),
};

/** Kinds that desk screens do not show: they move the cursor and nothing else. */
const WITHOUT_EFFECT: EventKind[] = [
  "message.pinned",
  "message.unpinned",
  "member.joined",
  "member.left",
  "member.changed",
  "conversation.changed",
];

function applyAll(snapshot: ReturnType<Scene["snapshot"]>, frames: StreamFrame[], me: string) {
  return frames.reduce(
    (state, frame) => ({
      thread: patchThread(state.thread, frame, me),
      conversation: patchConversation(state.conversation, frame, me),
    }),
    snapshot,
  );
}

describe("old snapshot + events = fresh snapshot", () => {
  let scene: Scene;
  beforeEach(() => {
    scene = makeScene();
  });

  it("covers every kind of event", () => {
    expect([...Object.keys(DEEDS), ...WITHOUT_EFFECT].sort()).toEqual(Object.keys(PATCHES).sort());
  });

  it.each(Object.keys(DEEDS) as EventKind[])("for %s", (kind) => {
    const old = scene.snapshot();
    const before = structuredClone(old);
    DEEDS[kind]?.(scene);
    expect(scene.frames.some((frame) => (frame as EventFrame).kind === kind)).toBe(true);
    const patched = applyAll(old, scene.frames, scene.me.id);
    const fresh = scene.snapshot();
    const { read_number, own_since, unread, ...rest } = fresh.conversation;
    expect(patched.thread.items).toEqual(fresh.thread.items);
    expect(patched.thread.head).toEqual(fresh.thread.head);
    expect(patched.conversation).toMatchObject(rest);
    // The patches never touch what they were given.
    expect(old).toEqual(before);
    // Reading is told by the personal stream; where it was not needed the arithmetic agrees by itself.
    if (kind !== "message.created") {
      expect(patched.conversation).toMatchObject({ read_number, own_since, unread });
      expect(patched.thread).toMatchObject({ read_number, own_since });
    }
  });

  it("for every kind, when each frame comes twice", () => {
    const old = scene.snapshot();
    for (const deed of Object.values(DEEDS)) deed?.(scene);
    const once = applyAll(old, scene.frames, scene.me.id);
    const twice = applyAll(
      old,
      scene.frames.flatMap((frame) => [frame, frame]),
      scene.me.id,
    );
    expect(twice).toEqual(once);
    expect(once.thread.items).toEqual(scene.snapshot().thread.items);
  });

  it("when the history was read after some of the events", () => {
    DEEDS["message.created"]?.(scene);
    const between = scene.snapshot();
    DEEDS["message.updated"]?.(scene);
    expect(applyAll(between, scene.frames, scene.me.id).thread.items).toEqual(scene.snapshot().thread.items);
  });
});

describe("unread", () => {
  it("counts what the contact says and not what I say", () => {
    const scene = makeScene();
    const old = scene.snapshot();
    expect(old.conversation.unread).toBe(3);
    scene.world.post(scene.row, scene.row.contact, { text: "one more" });
    scene.world.post(scene.row, scene.me, { text: "mine" });
    const patched = applyAll(old, scene.frames, scene.me.id);
    expect(patched.conversation.unread).toBe(scene.snapshot().conversation.unread);
    expect(patched.conversation.unread).toBe(4);
  });

  it("is not moved by notes", () => {
    const scene = makeScene();
    const old = scene.snapshot();
    scene.world.post(scene.row, scene.colleague, { text: "n", kind: "note" });
    expect(applyAll(old, scene.frames, scene.me.id).conversation.unread).toBe(old.conversation.unread);
  });
});

describe("a thread that does not reach the newest message", () => {
  it("takes no new message and still moves its cursor", () => {
    const scene = makeScene();
    const old = { ...scene.snapshot().thread, has_after: true };
    scene.world.post(scene.row, scene.row.contact, { text: "far below" });
    const patched = scene.frames.reduce((thread, frame) => patchThread(thread, frame, scene.me.id), old);
    expect(patched.items).toEqual(old.items);
    expect(patched.head).toEqual(scene.row.head);
  });
});

it("skip moves the cursor over what this reader may not see", () => {
  const scene = makeScene();
  const { thread } = scene.snapshot();
  const from = thread.head.number + 1;
  const skipped = patchThread(
    thread,
    { type: "skip", stream: scene.row.id, from, to: from + 3, tag: 7 },
    scene.me.id,
  );
  expect(skipped).toEqual({ ...thread, head: { number: from + 3, tag: 7 } });
});

it("a personal frame changes no thread", () => {
  const scene = makeScene();
  const { thread } = scene.snapshot();
  const frame = {
    type: "event",
    stream: scene.me.id,
    number: thread.head.number + 1,
    tag: 1,
    kind: "rights.changed",
    at: "",
    actor_id: null,
    data: {},
  } as PersonalFrame;
  expect(patchThread(thread, frame, scene.me.id).items).toBe(thread.items);
});

describe("an answer that comes after the events it caused", () => {
  it("changes neither the status nor an edit that the stream told already", () => {
    const scene = makeScene();
    const thread = scene.snapshot().thread;
    const shown = thread.items[0];
    if (!shown) throw new Error("the scene has messages");
    const now: Thread = {
      ...thread,
      items: [{ ...shown, version: 2, status: { state: "failed", error: null } }],
    };
    const late = { ...shown, version: 1, status: { state: "queued" as const, error: null } };
    expect(upsertMessage(now, late)).toEqual(now);
    const newer = upsertMessage(now, { ...late, version: 3, text: "newer" });
    expect(newer.items[0]).toMatchObject({ text: "newer", status: { state: "failed" } });
  });
});

describe("what a reply shows of the message it answers", () => {
  it("follows an edit and goes with the deletion", () => {
    const scene = makeScene();
    const thread = scene.snapshot().thread;
    const [quoted, reply] = thread.items;
    if (!quoted || !reply) throw new Error("the scene has messages");
    const shown: Thread = {
      ...thread,
      items: [
        quoted,
        { ...reply, reply_to: { id: quoted.id, sender_name: "Marina", text: quoted.text, quote: "words" } },
      ],
    };
    const edit = (text: string, number: number, deleted_at: string | null = null): StreamFrame => ({
      type: "event",
      stream: scene.row.id,
      number,
      tag: 1,
      kind: "message.updated",
      at: quoted.created_at,
      actor_id: null,
      data: { message: { ...quoted, version: number, text, deleted_at } },
    });
    const edited = patchThread(shown, edit("\u{1F600}".repeat(300), thread.head.number + 1), scene.me.id);
    expect(edited.items[1]?.reply_to?.text).toBe("\u{1F600}".repeat(200));
    expect(edited.items[1]?.reply_to?.quote).toBe("words");
    const gone = patchThread(edited, edit("", thread.head.number + 2, quoted.created_at), scene.me.id);
    expect(gone.items[1]?.reply_to).toMatchObject({ text: "", quote: null });
  });
});
