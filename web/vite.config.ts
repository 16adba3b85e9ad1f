import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const server = process.env.PARLEY_SERVER ?? "http://127.0.0.1:8000";

/** Writes the service worker with the list of what the application is made of. */
function worker(): Plugin {
  const folder = fileURLToPath(new URL("./public", import.meta.url));
  return {
    name: "parley-worker",
    apply: "build",
    generateBundle(_, bundle) {
      const own = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath.slice(folder.length)}/${entry.name}`);
      const made = Object.keys(bundle).map((name) => `/${name}`);
      const shell = [...new Set(["/index.html", ...own, ...made])].sort();
      const version = createHash("sha256").update(shell.join("\n"));
      for (const path of own) version.update(readFileSync(folder + path));
      const page = bundle["index.html"];
      if (page?.type === "asset") version.update(page.source);
      const source = readFileSync(new URL("./worker/sw.js", import.meta.url), "utf8")
        .replace("__VERSION__", version.digest("hex").slice(0, 16))
        .replace("__SHELL__", JSON.stringify(shell));
      this.emitFile({ type: "asset", fileName: "sw.js", source });
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), worker()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "dist",
    // No data: addresses for scripts and fonts, so that the strict policy of the server holds.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: {
      "/v1": { target: server, ws: true },
      "/sandbox": { target: server, ws: true },
    },
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/patience.ts"],
    testTimeout: 60_000,
    restoreMocks: true,
  },
});
