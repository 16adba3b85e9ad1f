/** What the audit's entries are called, and what is told of them. */
import i18next, { type TFunction } from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import type { Actor, AuditEntry } from "@/api/types";
import { actionOf, changesOf, subjectsOf } from "@/features/settings/audit-words";
import { setLanguage, startI18n } from "@/lib/i18n";

const olga: Actor = { id: "act_olga", kind: "user", name: "Olga", role: "owner" };
const boris: Actor = { id: "act_boris", kind: "user", name: "Boris", role: "agent" };

const entry = (action: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  id: "aud_1",
  at: "2026-01-01T10:00:00Z",
  actor: olga,
  action,
  target: more.about?.id ?? "",
  about: null,
  before: null,
  after: null,
  address: "",
  by_id: null,
  ...more,
});

let t: TFunction;
beforeAll(async () => {
  await startI18n();
  await setLanguage("ru");
  await setLanguage("en");
  t = i18next.t;
});

const inboxName = (id: string) => (id === "inb_1" ? "Front desk" : undefined);
const read = (one: AuditEntry) => ({
  action: actionOf(one, t),
  subjects: subjectsOf(one, inboxName),
  changes: changesOf(one, t).map(({ label, text }) => (text === null ? label : `${label}: ${text}`)),
});

describe("an entry of the audit", () => {
  it("says what was changed of whom, from what to what, and nothing that stayed", () => {
    const before = { role: "member", is_deactivated: false, name: "Boris" };
    const after = { role: "admin", is_deactivated: true, name: "Boris" };
    expect(read(entry("user.changed", { about: boris, before, after }))).toEqual({
      action: "User changed",
      subjects: ["Boris"],
      changes: ["Role: Member → Administrator", "Deactivated: no → yes"],
    });
  });

  it("names who was invited once, and their role", () => {
    const after = { name: "Boris", email: "boris@example.org", role: "agent" };
    expect(read(entry("user.invited", { about: boris, after }))).toEqual({
      action: "User invited",
      subjects: ["Boris"],
      changes: ["E-mail: boris@example.org", "Role: Agent"],
    });
  });

  it("names inboxes, and who was put into them; one that is not known by its id", () => {
    const after = { actor_id: boris.id };
    const added = { target: "inb_1", about: boris, after };
    expect(read(entry("inbox.member_added", added)).subjects).toEqual(["Boris", "Front desk"]);
    expect(read(entry("inbox.connected", { target: "inb_2" })).subjects).toEqual(["inb_2"]);
    const rule = {
      before: { reopen: "reopen", reopen_within_hours: null },
      after: { reopen: "reopen", reopen_within_hours: 72 },
    };
    expect(read(entry("inbox.changed", { target: "inb_1", ...rule })).changes).toEqual([
      `Reopen only within: ${t("inboxes.always")} → ${t("inboxes.hours", { count: 72 })}`,
    ]);
  });

  it("names keys and passkeys as they were called, and what a key may", () => {
    const after = { name: "Reports", hint: "pk_…9c1e", scopes: ["desk", "chat"] };
    expect(read(entry("api_key.created", { target: "key_1", after }))).toEqual({
      action: "API key created",
      subjects: ["Reports"],
      changes: ["May: Work at the desk, Team chats"],
    });
    expect(read(entry("passkey.removed", { about: olga, before: { name: "Laptop" } })).subjects).toEqual([
      "Laptop",
    ]);
  });

  it("tells of a contact which fields were changed, and of oneself no name", () => {
    const zoe: Actor = { id: "act_zoe", kind: "contact", name: "Zoe", role: null };
    const values = { before: { phone: false, note: true }, after: { phone: true, note: true } };
    expect(read(entry("contact.changed", { about: zoe, ...values }))).toEqual({
      action: "Contact changed",
      subjects: ["Zoe"],
      changes: ["Phone", "Note"],
    });
    const phone = { before: { phone: null }, after: { phone: "+79995550101" } };
    expect(read(entry("phone.changed", { about: olga, ...phone }))).toEqual({
      action: "Phone number changed",
      subjects: [],
      changes: ["Phone: — → +79995550101"],
    });
  });

  it("shows what it has no words for as it is", () => {
    const strange = entry("robot.taught", { target: "rob_1", after: { skill: "chess", level: 3 } });
    expect(read(strange)).toEqual({
      action: null,
      subjects: ["rob_1"],
      changes: ["skill: chess", "level: 3"],
    });
    for (const odd of ["user", "audit", "user_", "a:b.c", ""]) expect(actionOf(entry(odd), t)).toBeNull();
  });

  it("is told in the language on screen", async () => {
    await setLanguage("ru");
    const change = { before: { role: "member" }, after: { role: "admin" } };
    expect(read(entry("user.changed", { about: boris, ...change }))).toEqual({
      action: "Изменён пользователь",
      subjects: ["Boris"],
      changes: ["Роль: Участник → Администратор"],
    });
    await setLanguage("en");
  });
});
