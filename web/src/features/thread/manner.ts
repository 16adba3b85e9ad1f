/** How the thread of one kind of conversation behaves: the desk and the chats each bring their own. */
import type { DeliveryState, Message } from "@/api/types";
import type { IconName } from "@/components/Icon";
import type { Sides } from "./items";

/** Something that can be done with a message, besides what every thread offers. */
export interface Extra {
  name: string;
  label: string;
  icon: IconName;
  run: () => void;
}

export interface Manner extends Sides {
  /** Whether those who speak are shown by a picture beside their words. */
  hasAvatars: boolean;
  can: {
    reply: (message: Message) => boolean;
    edit: (message: Message) => boolean;
    /** For everybody. */
    delete: (message: Message) => boolean;
    /** For oneself alone. */
    hide: (message: Message) => boolean;
  };
  extras: (message: Message) => Extra[];
  /** How far one's own message has come, where no provider tells. */
  receiptOf: (message: Message) => DeliveryState | null;
  nameOf: (actor: string) => string | undefined;
  /** What deleting means here. */
  deleteText: string;
  reactText: string;
  emptyText: string;
}
