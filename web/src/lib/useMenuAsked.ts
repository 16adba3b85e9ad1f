/** Asking for the menu of something: the second button, a long press, the menu key or Shift+F10. */
import {
  type KeyboardEvent,
  type MouseEvent,
  type PointerEvent,
  type TouchEvent,
  useEffect,
  useRef,
} from "react";

const LONG_PRESS_MS = 500;
/** A finger that goes further scrolls. */
const STILL_PX = 10;

/** Returns what the thing listens to; `ask` is told where on the screen the menu is wanted. */
export function useMenuAsked(ask: (x: number, y: number) => void) {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const start = useRef({ x: 0, y: 0 });
  const wasLong = useRef(false);
  const stop = () => clearTimeout(timer.current);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    onContextMenu: (event: MouseEvent) => {
      event.preventDefault();
      stop();
      ask(event.clientX, event.clientY);
    },
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return;
      event.preventDefault();
      const { left, bottom } = event.currentTarget.getBoundingClientRect();
      ask(left + 16, bottom - 8);
    },
    // Browsers of iOS tell of a long press in no other way.
    onPointerDown: ({ pointerType, clientX, clientY }: PointerEvent) => {
      wasLong.current = false;
      if (pointerType === "mouse") return;
      start.current = { x: clientX, y: clientY };
      stop();
      timer.current = setTimeout(() => {
        wasLong.current = true;
        ask(clientX, clientY);
      }, LONG_PRESS_MS);
    },
    onPointerMove: ({ clientX, clientY }: PointerEvent) => {
      const { x, y } = start.current;
      if (Math.hypot(clientX - x, clientY - y) > STILL_PX) stop();
    },
    onPointerUp: stop,
    onPointerCancel: stop,
    /** The end of a long press is no press, and takes no focus from the menu. */
    onTouchEnd: (event: TouchEvent) => {
      if (wasLong.current && event.cancelable) event.preventDefault();
    },
  };
}
