import { hashOf, initials } from "@/lib/format";

const SIZES = {
  xs: "size-5 text-[9px]",
  sm: "size-7 text-2xs",
  md: "size-10 text-sm",
  lg: "size-16 text-xl",
};

/** Initials on a hue that belongs to the person for ever. */
export function Avatar({ id, name, size = "md" }: { id: string; name: string; size?: keyof typeof SIZES }) {
  return (
    <span
      aria-hidden="true"
      className={`hued hue-${hashOf(id) % 8} inline-flex shrink-0 items-center justify-center rounded-full font-semibold tracking-tight select-none ${SIZES[size]}`}
    >
      {initials(name) || "?"}
    </span>
  );
}
