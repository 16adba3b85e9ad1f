import { useState } from "react";
import { thumbnailUrl } from "@/api/media";
import { hashOf, initials } from "@/lib/format";

const SIZES = {
  xs: "size-5 text-[9px]",
  sm: "size-7 text-2xs",
  md: "size-10 text-sm",
  lg: "size-16 text-xl",
};

interface AvatarProps {
  id: string;
  name: string;
  size?: keyof typeof SIZES;
  /** A picture to show; the initials stand in while it cannot be had. */
  picture?: string | null;
  isOnline?: boolean | null;
}

/** A picture, or initials on a hue that belongs to the person for ever. */
export function Avatar({ id, name, size = "md", picture, isOnline }: AvatarProps) {
  const [broken, setBroken] = useState<string | null>(null);
  return (
    <span
      aria-hidden="true"
      className={`hued hue-${hashOf(id) % 8} relative inline-flex shrink-0 items-center justify-center rounded-full font-semibold tracking-tight select-none ${SIZES[size]}`}
    >
      {picture && broken !== picture ? (
        <img
          src={thumbnailUrl(picture)}
          alt=""
          onError={() => setBroken(picture)}
          className="size-full rounded-full object-cover"
        />
      ) : (
        initials(name) || "?"
      )}
      {isOnline && (
        <span
          data-online=""
          className={`absolute right-0 bottom-0 rounded-full bg-good ring-2 ring-surface ${size === "sm" ? "size-2" : "size-2.5"}`}
        />
      )}
    </span>
  );
}
