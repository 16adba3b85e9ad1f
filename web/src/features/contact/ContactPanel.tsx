/** Who one is talking with: what is known, editable in place, and their other conversations. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/cache";
import { type Filter, getContact, updateContact } from "@/api/desk";
import { useConversationList, useInboxes } from "@/api/hooks";
import { useSync } from "@/api/sync";
import type { Contact, DeskConversation } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Badge, Button, IconButton } from "@/components/controls";
import { Icon } from "@/components/Icon";
import { showToast } from "@/components/overlays";
import { errorText } from "@/lib/errors";
import { formatDay, formatShort } from "@/lib/format";
import { conversationPath, navigate } from "@/lib/router";

const EVERYTHING: Filter = { status: "all", inbox_id: null, assignee: null };

export function ContactPanel({
  conversation,
  onClose,
}: {
  conversation: DeskConversation;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const sync = useSync();
  const { contact: brief } = conversation;
  const query = useQuery({ queryKey: keys.contact(brief.id), queryFn: () => getContact(brief.id) });
  const inbox = useInboxes().data?.find((one) => one.id === conversation.inbox_id);
  const save = async (patch: Parameters<typeof updateContact>[1]) => {
    try {
      const saved = await updateContact(brief.id, patch);
      client.setQueryData(keys.contact(brief.id), saved);
      sync.keepContactName(brief.id, saved.name);
    } catch (error) {
      showToast(errorText(error, t), { isBad: true });
      throw error;
    }
  };
  return (
    <aside aria-label={t("contact.title")} className="flex h-full min-h-0 flex-col bg-surface">
      <header className="flex h-14 shrink-0 items-center justify-between pr-2 pl-4">
        <h2 className="font-semibold">{t("contact.title")}</h2>
        <IconButton icon="close" label={t("common.close")} onClick={onClose} />
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto px-4 pb-6">
        <div className="flex flex-col items-center gap-2 pt-2 pb-4 text-center">
          <Avatar id={brief.id} name={brief.name} size="lg" />
          <Editable label={t("contact.name")} value={brief.name} isTitle onSave={(name) => save({ name })} />
          {!brief.is_reachable && <Badge tone="warn">{t("contact.unreachable")}</Badge>}
        </div>
        <dl className="flex flex-col">
          {brief.username && <Fact label={t("contact.username")}>@{brief.username.replace(/^@/, "")}</Fact>}
          <Fact label={t("contact.address")}>{brief.address}</Fact>
          {inbox && <Fact label={t("contact.inbox")}>{inbox.name}</Fact>}
        </dl>
        {query.isError && (
          <div className="mt-4 flex flex-col items-center gap-2 text-sm text-muted">
            {t("contact.failed")}
            <Button size="sm" onClick={() => void query.refetch()}>
              {t("common.retry")}
            </Button>
          </div>
        )}
        {query.data && <Details contact={query.data} current={conversation.id} onSave={save} />}
      </div>
    </aside>
  );
}

function Details({
  contact,
  current,
  onSave,
}: {
  contact: Contact;
  current: string;
  onSave: (patch: Parameters<typeof updateContact>[1]) => Promise<void>;
}) {
  const { t } = useTranslation();
  const list = useConversationList({ ...EVERYTHING, contact_id: contact.id });
  const conversations = list.data?.items ?? [];
  const inboxes = useInboxes().data;
  return (
    <>
      <Editable
        label={t("contact.email")}
        value={contact.email ?? ""}
        type="email"
        onSave={(email) => onSave({ email: email || null })}
      />
      <Editable
        label={t("contact.phone")}
        value={contact.phone ?? ""}
        type="tel"
        onSave={(phone) => onSave({ phone: phone || null })}
      />
      <Editable
        label={t("contact.note")}
        value={contact.note}
        placeholder={t("contact.notePlaceholder")}
        isLong
        onSave={(note) => onSave({ note })}
      />
      {conversations.length > 1 && (
        <>
          <h3 className="pt-5 pb-1 text-xs font-medium text-muted">{t("contact.conversations")}</h3>
          <ul className="-mx-2">
            {conversations.map((one) => (
              <li key={one.id}>
                <button
                  type="button"
                  disabled={one.id === current}
                  onClick={() => navigate(conversationPath(one.id))}
                  className="flex h-9 w-full items-center gap-2 rounded-lg px-2 text-left text-sm enabled:hover:bg-hover"
                >
                  <Icon name="inbox" className="size-4 text-faint" />
                  <span className="min-w-0 flex-1 truncate">
                    {[
                      one.id === current ? t("contact.current") : t(`status.${one.status}`),
                      inboxes && inboxes.length > 1 && inboxes.find((i) => i.id === one.inbox_id)?.name,
                    ]
                      .filter(Boolean)
                      .join(" · ")}
                  </span>
                  <span className="text-xs text-muted">{formatShort(one.active_at)}</span>
                </button>
              </li>
            ))}
          </ul>
          {list.data?.next && (
            <Button size="sm" isBusy={list.isLoadingMore} onClick={() => void list.loadMore()}>
              {t("common.loadMore")}
            </Button>
          )}
        </>
      )}
      {contact.created_at && (
        <p className="pt-5 text-xs text-muted">
          {t("contact.since", { date: formatDay(contact.created_at) })}
        </p>
      )}
    </>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="flex min-h-8 items-baseline gap-3 py-1 text-sm">
      <dt className="w-24 shrink-0 text-muted">{label}</dt>
      <dd className="min-w-0 flex-1 truncate select-text">{children}</dd>
    </div>
  );
}

interface EditableProps {
  label: string;
  value: string;
  placeholder?: string;
  type?: string;
  isTitle?: boolean;
  isLong?: boolean;
  onSave: (value: string) => Promise<void>;
}

/** A value that is a field the moment one touches it: Enter or leaving saves, Escape gives up. */
function Editable({ label, value, placeholder, type = "text", isTitle, isLong, onSave }: EditableProps) {
  const { t } = useTranslation();
  const [text, setText] = useState(value);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => setText(value), [value]);
  const save = async () => {
    const wanted = text.trim();
    if (wanted === value || (isTitle && wanted === "")) return setText(value);
    setBusy(true);
    try {
      await onSave(wanted);
    } catch {
      // Told by the panel; the old value comes back.
      setText(value);
    } finally {
      setBusy(false);
    }
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement | HTMLTextAreaElement>) => {
    if (event.key === "Escape") {
      event.preventDefault();
      setText(value);
      const field = event.currentTarget;
      requestAnimationFrame(() => field.blur());
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      event.currentTarget.blur();
    }
  };
  const common = {
    value: text,
    disabled: isBusy,
    "aria-label": t("contact.edit", { field: label }),
    onBlur: () => void save(),
    onKeyDown,
  };
  const look =
    "w-full rounded-md bg-transparent px-2 outline-none hover:bg-hover focus:bg-surface focus:ring-2 focus:ring-accent disabled:opacity-60 dark:focus:bg-canvas";
  if (isTitle)
    return (
      <input
        {...common}
        dir="auto"
        title={text}
        onChange={(event) => setText(event.target.value)}
        className={`${look} py-0.5 text-center text-lg font-semibold text-ellipsis`}
      />
    );
  if (isLong) {
    return (
      <div className="pt-2 text-sm">
        <p className="pb-0.5 text-muted">{label}</p>
        <textarea
          {...common}
          rows={3}
          placeholder={placeholder}
          onChange={(event) => setText(event.target.value)}
          className={`${look} -mx-2 w-[calc(100%+16px)] resize-none py-1`}
        />
      </div>
    );
  }
  return (
    <div className="flex min-h-8 items-center gap-1 text-sm">
      <span className="w-24 shrink-0 text-muted">{label}</span>
      <input
        {...common}
        type={type}
        placeholder={t("contact.empty")}
        onChange={(event) => setText(event.target.value)}
        className={`${look} h-7 min-w-0 flex-1`}
      />
    </div>
  );
}
