/** Words as they are once the typing pauses, so that not every letter asks the server. */
import { useDeferredValue, useEffect, useState } from "react";

const PAUSE_MS = 250;

export function usePaused(words: string, pause = PAUSE_MS): string {
  const [paused, setPaused] = useState(words);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(words), words === "" ? 0 : pause);
    return () => clearTimeout(timer);
  }, [words, pause]);
  return useDeferredValue(paused);
}
