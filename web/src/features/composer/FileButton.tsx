/** Chooses files to attach; the field has the focus again afterwards. */
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/components/controls";

export function FileButton({ onFiles }: { onFiles: (files: FileList | never[]) => void }) {
  const { t } = useTranslation();
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton icon="paperclip" label={t("composer.attach")} onClick={() => picker.current?.click()} />
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        onChange={(event) => {
          onFiles(event.target.files ?? []);
          event.target.value = "";
        }}
      />
    </>
  );
}
