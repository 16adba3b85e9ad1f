/** How one signs in to this server, asked once for each page load: the query cache is emptied at every sign-out. */
import { useEffect, useState } from "react";
import { listWays } from "./signin";

type Ways = Awaited<ReturnType<typeof listWays>>;

const NONE: Ways = { has_phone: false, has_passkeys: false };
let known: Ways | null = null;

/** Until the answer is here, and when there is none, only what every server has. */
export function useWays(): Ways {
  const [ways, setWays] = useState(known ?? NONE);
  useEffect(() => {
    if (known) return;
    let isGone = false;
    listWays().then(
      (found) => {
        known = found;
        if (!isGone) setWays(found);
      },
      () => undefined,
    );
    return () => {
      isGone = true;
    };
  }, []);
  return ways;
}
