/** All actions of the desk as values, and the one listener that turns keys into them. */
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useLayoutEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { changeConversation, findConversation } from "@/api/cache";
import { updateConversation } from "@/api/desk";
import { useHasDesk, useMe } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Actor, ConversationStatus, DeskConversation } from "@/api/types";
import { showToast } from "@/components/overlays";
import { type Action, ActionsContext, isModalOpen, isWriting, matchesShortcut } from "@/lib/actions";
import { chatDialogStore, chatPanel } from "@/lib/chat-view";
import {
  type ConversationChange,
  deskPanel,
  dialogStore,
  focusRequest,
  searchRequest,
  statusOf,
  visibleOrder,
} from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { setLanguage } from "@/lib/i18n";
import {
  conversationPath,
  navigate,
  openChatOf,
  openConversationOf,
  siblingPath,
  usePath,
} from "@/lib/router";
import { setTheme } from "@/lib/theme";
import { Turns } from "@/lib/turns";
import { ChangeContext } from "./change";

const NARROW = "(max-width: 767px)";

export function ActionsProvider({ children }: { children: ReactNode }) {
  const change = useChange();
  const actions = useDeskActions(change);
  // Before the screen is seen: a key pressed at once means what is on it.
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      for (const action of actions.values()) {
        const { shortcut } = action;
        if (!shortcut || !matchesShortcut(event, shortcut)) continue;
        if (!shortcut.mod && (isWriting(event.target) || isModalOpen())) return;
        if (!action.isEnabled) return;
        event.preventDefault();
        action.run();
        return;
      }
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [actions]);
  return (
    <ChangeContext value={change}>
      <ActionsContext value={actions}>{children}</ActionsContext>
    </ChangeContext>
  );
}

/** Changes a conversation at once on screen and then, in the order asked, on the server; what is refused is taken back. */
function useChange() {
  const [turns] = useState(() => new Turns());
  const client = useQueryClient();
  const sync = useSync();
  const { t } = useTranslation();
  const me = useMe().actor.id;
  return useMemo(
    () => async (id: string, wanted: ConversationChange) => {
      const before = findConversation(client, id);
      changeConversation(client, id, me, (row) => ({
        ...row,
        ...(wanted.status ? { status: wanted.status, snoozed_until: wanted.snoozed_until ?? null } : {}),
        ...(wanted.assignee !== undefined ? { assignee: wanted.assignee } : {}),
      }));
      const { assignee, ...rest } = wanted;
      const body = { ...rest, ...(assignee !== undefined ? { assignee_id: assignee?.id ?? null } : {}) };
      await turns.take(id, async (isLast) => {
        try {
          const changed = await updateConversation(id, body);
          if (isLast()) sync.keepConversation(changed);
        } catch (error) {
          if (before && isLast()) sync.keepConversation(before);
          showToast(errorText(error, t), { isBad: true });
        }
      });
    },
    [client, sync, t, me, turns],
  );
}

function step(current: string | null, by: 1 | -1): string | null {
  const order = visibleOrder.get();
  if (order.length === 0) return null;
  const at = current ? order.indexOf(current) : -1;
  if (at < 0) return order[0] ?? null;
  return order[at + by] ?? null;
}

function useDeskActions(change: (id: string, wanted: ConversationChange) => Promise<void>) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const path = usePath();
  const me = useMe().actor;
  const hasDesk = useHasDesk();
  const current = openConversationOf(path);
  const chat = openChatOf(path);
  const status = useCurrent(current, (row) => row.status);
  const assignee = useCurrent(current, (row) => row.assignee?.id ?? null);
  return useMemo(() => {
    const list: Action[] = [];
    const add = (action: Omit<Action, "isEnabled"> & { isEnabled?: boolean }) =>
      list.push({ isEnabled: true, isListed: true, ...action });
    const go = (by: 1 | -1) => () => {
      const next = step(current ?? chat, by);
      if (next) navigate(siblingPath(path, next));
    };
    const setStatus = (wanted: ConversationStatus) => () => {
      if (!current) return;
      const before = findConversation(client, current);
      const following = step(current, 1) ?? step(current, -1);
      void change(current, { status: wanted });
      if (wanted !== "resolved") return;
      if (matchMedia(NARROW).matches) navigate("/inbox");
      else if (following && following !== current) navigate(conversationPath(following));
      const undo = () => {
        if (before) void change(current, statusOf(before));
        navigate(conversationPath(current));
      };
      showToast(t("conversation.resolved"), { action: { label: t("common.undo"), run: undo } });
    };
    const assign = (assignee: Actor | null) => () => current && void change(current, { assignee });
    const open = current ?? chat;
    const inConversation = { group: "conversation" as const };

    add({
      ...inConversation,
      name: "conversation.reply",
      label: t("actions.reply"),
      shortcut: { code: "KeyR" },
      isEnabled: Boolean(open),
      run: () => open && focusRequest.set({ conversation: open, isNote: false }),
    });
    add({
      ...inConversation,
      name: "conversation.note",
      label: t("actions.note"),
      shortcut: { code: "KeyN" },
      isEnabled: Boolean(current),
      run: () => current && focusRequest.set({ conversation: current, isNote: true }),
    });
    add({
      ...inConversation,
      name: "conversation.resolve",
      label: t("conversation.resolve"),
      shortcut: { code: "KeyE" },
      isEnabled: Boolean(current) && status !== "resolved",
      run: setStatus("resolved"),
    });
    add({
      ...inConversation,
      name: "conversation.reopen",
      label: status === "snoozed" ? t("conversation.unsnooze") : t("conversation.reopen"),
      shortcut: { code: "KeyO" },
      isEnabled: Boolean(current) && status !== "open",
      run: setStatus("open"),
    });
    add({
      ...inConversation,
      name: "conversation.pending",
      label: t("conversation.pending"),
      shortcut: { code: "KeyP" },
      isEnabled: Boolean(current) && status !== "pending",
      run: setStatus("pending"),
    });
    add({
      ...inConversation,
      name: "conversation.snooze",
      label: t("conversation.snooze"),
      shortcut: { code: "KeyS" },
      isEnabled: Boolean(current),
      run: () => dialogStore.set("snooze"),
    });
    add({
      ...inConversation,
      name: "conversation.assign",
      label: t("conversation.assign"),
      shortcut: { code: "KeyA" },
      isEnabled: Boolean(current),
      run: () => dialogStore.set("assign"),
    });
    add({
      ...inConversation,
      name: "conversation.assignMe",
      label: t("conversation.assignMe"),
      shortcut: { code: "KeyI" },
      isEnabled: Boolean(current) && assignee !== me.id,
      run: assign({ id: me.id, kind: me.kind, name: me.name, role: me.role }),
    });
    add({
      ...inConversation,
      name: "conversation.unassign",
      label: t("conversation.unassign"),
      isEnabled: Boolean(current) && assignee !== null,
      run: assign(null),
    });
    add({
      ...inConversation,
      name: "conversation.panel",
      label: t("actions.panel"),
      shortcut: { code: "KeyD" },
      isEnabled: Boolean(open),
      run: () => (chat ? chatPanel : deskPanel).toggle("details"),
    });
    add({
      group: "navigation",
      name: "list.next",
      label: t("actions.next"),
      shortcut: { code: "KeyJ" },
      isListed: false,
      run: go(1),
    });
    add({
      group: "navigation",
      name: "list.previous",
      label: t("actions.previous"),
      shortcut: { code: "KeyK" },
      isListed: false,
      run: go(-1),
    });
    add({
      group: "navigation",
      name: "list.search",
      label: t("actions.search"),
      shortcut: { code: "Slash" },
      run: () => {
        if (path.startsWith("/settings")) navigate(hasDesk ? "/inbox" : "/chats");
        searchRequest.set((n) => n + 1);
      },
    });
    add({
      group: "navigation",
      name: "go.inbox",
      label: t("actions.inbox"),
      isEnabled: hasDesk,
      run: () => navigate("/inbox"),
    });
    add({ group: "navigation", name: "go.chats", label: t("actions.chats"), run: () => navigate("/chats") });
    add({
      group: "navigation",
      name: "messages.find",
      label: t("chats.find"),
      shortcut: { code: "KeyF" },
      isEnabled: /^\/(inbox|chats)/.test(path),
      run: () => (path.startsWith("/chats") ? chatPanel : deskPanel).toggle("search"),
    });
    add({
      group: "navigation",
      name: "chats.new",
      label: t("chats.new"),
      shortcut: { code: "KeyC" },
      run: () => {
        if (!path.startsWith("/chats")) navigate("/chats");
        chatDialogStore.set("new");
      },
    });
    add({
      group: "navigation",
      name: "go.settings",
      label: t("actions.settings"),
      shortcut: { code: "Comma", mod: true },
      run: () => navigate("/settings"),
    });
    add({
      group: "general",
      name: "palette",
      label: t("actions.palette"),
      shortcut: { code: "KeyK", mod: true },
      isListed: false,
      run: () => dialogStore.set("palette"),
    });
    add({
      group: "general",
      name: "help",
      label: t("actions.help"),
      shortcut: { code: "Slash", shift: true },
      run: () => dialogStore.set("help"),
    });
    add({
      group: "general",
      name: "theme",
      label: t("actions.theme"),
      run: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
    });
    add({
      group: "general",
      name: "language",
      label: t("actions.language"),
      run: () => void setLanguage(i18n.language === "ru" ? "en" : "ru"),
    });
    return new Map(list.map((action) => [action.name, action]));
  }, [t, i18n.language, client, current, chat, hasDesk, status, assignee, me, path, change]);
}

/** Something of the open conversation, followed in the cache. */
function useCurrent<T>(current: string | null, pick: (row: DeskConversation) => T): T | null {
  const client = useQueryClient();
  const find = () => {
    const row = current ? findConversation(client, current) : undefined;
    return row ? pick(row) : null;
  };
  return useSyncExternalStore(
    useCallback((listener: () => void) => client.getQueryCache().subscribe(listener), [client]),
    find,
  );
}
