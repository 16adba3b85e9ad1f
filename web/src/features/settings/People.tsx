import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { inviteUser, renewInvitation, updateUser } from "@/api/accounts";
import { keys } from "@/api/cache";
import { useIsAdmin, useMe } from "@/api/hooks";
import type { Role, User } from "@/api/types";
import { Avatar } from "@/components/Avatar";
import { Badge, Button, IconButton } from "@/components/controls";
import { FormError, SelectField, TextField } from "@/components/fields";
import { Confirm, Dialog, Menu, MenuItem, MenuLabel, MenuLine } from "@/components/overlays";
import { SearchField } from "@/components/SearchField";
import { useTry } from "@/components/trying";
import { useForm } from "@/lib/form";
import { CopyBox, Lines, More, SettingsPage } from "./parts";
import { usePeopleList } from "./people";

const ROLES: Role[] = ["owner", "admin", "agent", "member"];
type Link = { name: string; url: string | null };

export function People() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const isAdmin = useIsAdmin();
  const [query, setQuery] = useState("");
  const people = usePeopleList(query);
  const [isInviting, setInviting] = useState(false);
  const [link, setLink] = useState<Link | null>(null);
  const reload = () => client.invalidateQueries({ queryKey: keys.users });
  return (
    <SettingsPage
      title={t("settings.people")}
      text={t("people.text")}
      action={
        isAdmin && (
          <Button tone="primary" icon="plus" onClick={() => setInviting(true)}>
            {t("people.invite")}
          </Button>
        )
      }
    >
      {people.isLong && people.items && (
        <div className="mb-3 max-w-sm">
          <SearchField
            value={query}
            label={t("people.find")}
            isBusy={people.isSearching}
            onChange={setQuery}
          />
        </div>
      )}
      <Lines
        query={{
          ...people.query,
          isPending: people.query.isPending || (people.isSearching && people.items?.length === 0),
        }}
        items={people.items}
        empty={
          query.trim()
            ? { icon: "search", title: t("chats.nobodyFound") }
            : { icon: "users", title: t("settings.people") }
        }
        render={(user) => <PersonLine user={user} isAdmin={isAdmin} onLink={setLink} onChange={reload} />}
      />
      {!people.isSearching && <More query={people.query} />}
      <Dialog isOpen={isInviting} onClose={() => setInviting(false)} title={t("people.inviteTitle")}>
        {isInviting && (
          <InviteForm
            onClose={() => setInviting(false)}
            onDone={(made) => {
              setInviting(false);
              setLink(made);
              void reload();
            }}
          />
        )}
      </Dialog>
      <Dialog
        isOpen={link !== null}
        onClose={() => setLink(null)}
        title={t("people.linkTitle", { name: link?.name })}
      >
        <div className="flex flex-col gap-3 px-5 pt-1 pb-5">
          <p className="text-sm text-muted">
            {link?.url ? t("people.linkText") : t("people.existing", { name: link?.name })}
          </p>
          {link?.url && <CopyBox text={link.url} />}
          <Button className="self-end" onClick={() => setLink(null)}>
            {t("common.done")}
          </Button>
        </div>
      </Dialog>
    </SettingsPage>
  );
}

function useRoles(): Role[] {
  return useMe().actor.role === "owner" ? ROLES : ROLES.filter((role) => role !== "owner");
}

function InviteForm({ onClose, onDone }: { onClose: () => void; onDone: (link: Link) => void }) {
  const { t } = useTranslation();
  const roles = useRoles();
  const form = useForm(
    { name: "", email: "", role: "agent" },
    { name: "required", email: "email" },
    async ({ name, email, role }) => {
      const { invite_url } = await inviteUser({ name: name.trim(), email: email.trim(), role: role as Role });
      onDone({ name: name.trim(), url: invite_url });
    },
  );
  const role = form.field("role");
  return (
    <form noValidate onSubmit={form.onSubmit} className="flex flex-col gap-4 px-5 pt-1 pb-5">
      <FormError>{form.failure}</FormError>
      <TextField label={t("people.nameLabel")} autoFocus autoComplete="off" {...form.field("name")} />
      <TextField label={t("fields.email")} type="email" autoComplete="off" {...form.field("email")} />
      <SelectField
        label={t("people.role")}
        hint={t(`people.${role.value as Role}Text`)}
        value={role.value}
        onChange={role.onChange}
      >
        {roles.map((one) => (
          <option key={one} value={one}>
            {t(`people.${one}`)}
          </option>
        ))}
      </SelectField>
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t("common.cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={form.isBusy}>
          {t("people.inviteSubmit")}
        </Button>
      </div>
    </form>
  );
}

interface PersonLineProps {
  user: User;
  isAdmin: boolean;
  onLink: (link: Link) => void;
  onChange: () => Promise<void>;
}

function PersonLine({ user, isAdmin, onLink, onChange }: PersonLineProps) {
  const { t } = useTranslation();
  const me = useMe().actor;
  const roles = useRoles();
  const [isAsking, setAsking] = useState(false);
  const { isBusy, run } = useTry();
  const isOff = Boolean(user.deactivated_at);
  const isChief = user.role === "owner" || user.role === "admin";
  const state = isOff
    ? t("people.deactivated")
    : !user.has_joined
      ? t("people.invited")
      : t(`people.${user.role ?? "member"}`);
  const change = async (body: Parameters<typeof updateUser>[1]) => {
    if (await run(() => updateUser(user.id, body))) await onChange();
    setAsking(false);
  };
  const renew = () =>
    run(async () => onLink({ name: user.name, url: (await renewInvitation(user.id)).invite_url }));
  const isManaged = isAdmin && user.id !== me.id && (user.role !== "owner" || me.role === "owner");
  return (
    <div className={`flex items-center gap-3 px-4 py-2.5 ${isOff ? "opacity-60" : ""}`}>
      <Avatar id={user.id} name={user.name} />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2">
          <span dir="auto" className="truncate text-left font-medium">
            {user.name}
          </span>
          {user.id === me.id && <span className="text-xs text-muted">{t("common.you")}</span>}
        </p>
        <p className="truncate text-sm text-muted">
          <span className="sm:hidden">{[state, user.email].filter(Boolean).join(" · ")}</span>
          <span className="max-sm:hidden">{user.email}</span>
        </p>
      </div>
      <span className="flex max-sm:hidden">
        <Badge tone={!isOff && isChief ? "accent" : "quiet"}>{state}</Badge>
      </span>
      {isManaged ? (
        <Menu trigger={<IconButton icon="more" label={t("people.actionsOf", { name: user.name })} />}>
          {!isOff && (
            <>
              <MenuLabel>{t("people.role")}</MenuLabel>
              {roles.map((role) => (
                <MenuItem key={role} isChecked={user.role === role} onSelect={() => void change({ role })}>
                  {t(`people.${role}`)}
                </MenuItem>
              ))}
              <MenuLine />
              <MenuItem icon="copy" onSelect={() => void renew()}>
                {t("people.newLink")}
              </MenuItem>
              <MenuItem icon="userOff" isDanger onSelect={() => setAsking(true)}>
                {t("people.deactivate")}
              </MenuItem>
            </>
          )}
          {isOff && (
            <MenuItem icon="user" onSelect={() => void change({ is_deactivated: false })}>
              {t("people.activate")}
            </MenuItem>
          )}
        </Menu>
      ) : (
        isAdmin && <span className="w-8 pointer-coarse:w-10" />
      )}
      <Confirm
        isOpen={isAsking}
        title={t("people.deactivateTitle", { name: user.name })}
        text={t("people.deactivateText")}
        action={t("people.deactivate")}
        isBusy={isBusy}
        onConfirm={() => void change({ is_deactivated: true })}
        onClose={() => setAsking(false)}
      />
    </div>
  );
}
