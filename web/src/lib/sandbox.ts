/** Opening the phone on which one plays a customer. */
import type { Inbox } from "@/api/types";

const PHONE = "popup,width=420,height=820";

export function openPhone(inbox: Inbox): void {
  if (inbox.phone_url) window.open(inbox.phone_url, `parley-phone-${inbox.id}`, PHONE);
}
