/** Light, dark, or as the system says. `public/theme.js` does the same before the first paint. */
import { createStore } from "./store";

export type ThemeChoice = "system" | "light" | "dark";

const KEY = "parley.theme";
const query = matchMedia("(prefers-color-scheme: dark)");

export const themeChoice = createStore<ThemeChoice>(read());

export function setTheme(choice: ThemeChoice): void {
  localStorage.setItem(KEY, choice);
  themeChoice.set(choice);
  applyTheme();
}

export function applyTheme(): void {
  const choice = themeChoice.get();
  const isDark = choice === "dark" || (choice === "system" && query.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", isDark ? "#131418" : "#ffffff");
}

query.addEventListener("change", applyTheme);
window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  themeChoice.set(read());
  applyTheme();
});

function read(): ThemeChoice {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}
