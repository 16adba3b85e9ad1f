/** The desk: rail, list, thread, contact. Side by side where there is room, one after the other on a phone. */
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useConversation, useCounts, useInboxes } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Counts, DeskConversation } from "@/api/types";
import { Button, Empty } from "@/components/controls";
import { Composer } from "@/features/composer/Composer";
import { ContactPanel } from "@/features/contact/ContactPanel";
import { Welcome } from "@/features/inboxes/Welcome";
import { ConversationList } from "@/features/list/ConversationList";
import { ConversationMenu } from "@/features/list/ConversationMenu";
import { Rail } from "@/features/list/Rail";
import { AssignDialog, HelpDialog, PaletteDialog, SnoozeDialog } from "@/features/palette/Dialogs";
import { SearchPanel } from "@/features/search/SearchPanel";
import { Header } from "@/features/thread/Header";
import { Thread } from "@/features/thread/Thread";
import { deskPanel, dialogAbout } from "@/lib/desk-view";
import { errorText } from "@/lib/errors";
import { isCovering } from "@/lib/panel";
import { openConversationOf, usePath } from "@/lib/router";
import { useStore } from "@/lib/store";
import { Beside, closeByEscape } from "./Beside";
import { ConnectionBanner } from "./ConnectionBanner";
import { useChangeConversation } from "./change";
import { useDeskManner, useInboxOf, useObstacle } from "./desk-manner";
import { RailDrawer } from "./RailDrawer";
import { useTitle } from "./useTitle";

export function Desk() {
  const open = openConversationOf(usePath());
  const inboxes = useInboxes();
  const counts = useCounts().data;
  // Conversations of inboxes that were disconnected stay.
  const isEmpty = inboxes.data?.length === 0 && (!counts || totalOf(counts) === 0);
  const panel = useStore(deskPanel.store);
  useTitle();
  return (
    <div className="flex h-full flex-col">
      <ConnectionBanner />
      <div className="flex min-h-0 flex-1" onKeyDown={onKeyDown}>
        <div className="w-56 shrink-0 border-r border-line max-lg:w-52 max-md:hidden">
          <Rail />
        </div>
        {isEmpty ? (
          <main className="min-w-0 flex-1 bg-canvas">
            <Welcome />
          </main>
        ) : (
          <>
            <div
              className={`w-[348px] shrink-0 border-r border-line bg-surface max-lg:w-[320px] max-md:w-full max-md:border-r-0 ${open ? "max-md:hidden" : ""}`}
            >
              <ConversationList open={open} />
            </div>
            <main className={`flex min-w-0 flex-1 flex-col ${open ? "" : "max-md:hidden"}`}>
              {open ? <Open key={open} id={open} /> : <NothingOpen />}
            </main>
            {(panel === "search" || panel === "everywhere") && (
              <Beside width="w-[320px]">
                <Search key={panel} open={open} startsHere={panel === "search"} />
              </Beside>
            )}
          </>
        )}
      </div>
      <RailDrawer />
      <Dialogs open={open} />
    </div>
  );
}

const totalOf = ({ open, pending, snoozed, resolved }: Counts): number => open + pending + snoozed + resolved;

const onKeyDown = closeByEscape(deskPanel);

function Search({ open, startsHere }: { open: string | null; startsHere: boolean }) {
  const contact = useConversation(open ?? "").data?.contact;
  const people = contact && [{ id: contact.id, kind: "contact" as const, name: contact.name }];
  return (
    <SearchPanel here={open} people={people} startsHere={startsHere} onClose={() => deskPanel.set(null)} />
  );
}

function NothingOpen() {
  const { t } = useTranslation();
  return (
    <div className="h-full bg-canvas">
      <Empty icon="inbox" title={t("welcome.pickTitle")} text={t("welcome.pickText")} />
    </div>
  );
}

function Open({ id }: { id: string }) {
  const { t } = useTranslation();
  const sync = useSync();
  const isGone = useStore(sync.gone, (gone) => gone.has(id));
  const panel = useStore(deskPanel.store);
  const query = useConversation(id);
  const conversation = query.data;
  if (isGone || (query.isError && !conversation)) {
    return (
      <Empty
        icon="alert"
        title={t("thread.gone")}
        text={isGone ? t("thread.goneText") : errorText(query.error, t)}
      >
        {!isGone && <Button onClick={() => void query.refetch()}>{t("common.retry")}</Button>}
      </Empty>
    );
  }
  if (!conversation) return <div className="h-full bg-canvas" />;
  return (
    <div className="flex min-h-0 flex-1">
      <Talk conversation={conversation} />
      {panel === "details" && (
        <Beside width="w-[300px]">
          <ContactPanel
            key={conversation.contact.id}
            conversation={conversation}
            onClose={() => deskPanel.set(null)}
          />
        </Beside>
      )}
    </div>
  );
}

function Talk({ conversation }: { conversation: DeskConversation }) {
  const { t } = useTranslation();
  const { inbox, areKnown } = useInboxOf(conversation);
  const manner = useDeskManner(inbox?.features);
  const obstacle = useObstacle(conversation, inbox, areKnown);
  const { name } = conversation.contact;
  return (
    <section aria-label={name} className="flex min-w-0 flex-1 flex-col">
      <Header conversation={conversation} />
      <Thread conversation={conversation} manner={manner} />
      <Composer
        id={conversation.id}
        placeholder={t("composer.placeholder", { name })}
        features={inbox?.features}
        hasNotes
        obstacle={obstacle}
      />
    </section>
  );
}

function Dialogs({ open }: { open: string | null }) {
  const change = useChangeConversation();
  const about = useStore(dialogAbout) ?? open;
  useEffect(() => {
    // On a phone the panel covers the thread: a new conversation begins without it.
    if (open && isCovering()) deskPanel.store.set(null);
  }, [open]);
  return (
    <>
      <PaletteDialog />
      <HelpDialog />
      <SnoozeDialog
        onChoose={(until) =>
          about && void change(about, { status: "snoozed", snoozed_until: until.toISOString() })
        }
      />
      <AssignDialog about={about} onChoose={(assignee) => about && void change(about, { assignee })} />
      <ConversationMenu onChange={(id, wanted) => void change(id, wanted)} />
    </>
  );
}
