/** Files dropped anywhere on the composer are taken; while they hover it says so. */
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

interface DropZoneProps {
  isOn: boolean;
  onFiles: (files: FileList) => void;
  children: ReactNode;
}

export function DropZone({ isOn, onFiles, children }: DropZoneProps) {
  const { t } = useTranslation();
  const [isDropping, setDropping] = useState(false);
  return (
    <div
      className="relative shrink-0 bg-canvas px-4 pb-4 max-md:px-2 max-md:pb-[max(8px,env(safe-area-inset-bottom))]"
      onDragOver={(event) => {
        if (!isOn || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={(event) =>
        !event.currentTarget.contains(event.relatedTarget as Node | null) && setDropping(false)
      }
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        if (isOn) onFiles(event.dataTransfer.files);
      }}
    >
      {children}
      {isDropping && (
        <div className="fade-in pointer-events-none absolute inset-x-4 inset-y-0 z-10 mb-4 flex items-center justify-center rounded-2xl border-2 border-dashed border-accent bg-[color-mix(in_srgb,var(--surface)_88%,var(--accent))] font-medium text-accent-ink">
          {t("composer.drop")}
        </div>
      )}
    </div>
  );
}
