/** The door to change a conversation, given to the dialogs and panels of the desk. */
import { createContext, useContext } from "react";
import type { Actor, ConversationStatus } from "@/api/types";

export interface ConversationChange {
  status?: ConversationStatus;
  snoozed_until?: string;
  assignee?: Actor | null;
}

export const ChangeContext = createContext<(id: string, wanted: ConversationChange) => Promise<void>>(
  async () => undefined,
);
export const useChangeConversation = () => useContext(ChangeContext);
