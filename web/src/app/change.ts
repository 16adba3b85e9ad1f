/** The door to change a conversation, given to the dialogs and panels of the desk. */
import { createContext, useContext } from "react";
import type { ConversationChange } from "@/lib/desk-view";

export const ChangeContext = createContext<(id: string, wanted: ConversationChange) => Promise<void>>(
  async () => undefined,
);
export const useChangeConversation = () => useContext(ChangeContext);
