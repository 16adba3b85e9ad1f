/**
 * The service worker: keeps the application itself, so that it opens without a network. Never an answer of the API:
 * those carry what people wrote, and belong to who is signed in. `build` fills in the list of files and their version.
 */
const VERSION = "__VERSION__";
const SHELL = __SHELL__;
const CACHE = `parley-shell-${VERSION}`;
/** A network that does not answer within this is as good as none. */
const PATIENCE_MS = 4_000;
/** What the server answers itself; everything else below the root is the application. */
const NOT_OURS = /^\/(v1|sandbox|widget|docs|socket\.io|webhooks|openapi\.json|healthz|readyz|metrics)(\/|$)/;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith("parley-shell-") && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

// The page asks for it once the person agreed to load the new version.
self.addEventListener("message", (event) => {
  if (event.data === "activate") void self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || NOT_OURS.test(url.pathname)) return;
  if (request.mode === "navigate") event.respondWith(openPage(request));
  else if (SHELL.includes(url.pathname)) event.respondWith(fromShell(request, url.pathname));
});

/** The page as the server has it now; the kept one when the server cannot be reached. */
async function openPage(request) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    return await fetch(request, { signal: patience.signal });
  } catch {
    return (await caches.match("/index.html", { cacheName: CACHE })) ?? Response.error();
  } finally {
    clearTimeout(timer);
  }
}

/** Files named by their content never change; of the others the server is asked first. */
async function fromShell(request, path) {
  const kept = await caches.match(path, { cacheName: CACHE });
  if (kept && path.startsWith("/assets/")) return kept;
  try {
    return await fetch(request);
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}
