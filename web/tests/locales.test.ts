import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import en from "@/locales/en.json";
import ru from "@/locales/ru.json";

type Tree = { [key: string]: string | Tree };
/** `errors.` are named by the server's codes, of which one ends like a plural. */
const PLURAL = /(?<!^errors\.\w+)_(zero|one|two|few|many|other)$/;

function flatten(tree: Tree, prefix = ""): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") flat.set(prefix + key, value);
    else for (const [path, text] of flatten(value, `${prefix}${key}.`)) flat.set(path, text);
  }
  return flat;
}

const english = flatten(en);
const russian = flatten(ru);
const bare = (flat: Map<string, string>) =>
  [...new Set([...flat.keys()].map((key) => key.replace(PLURAL, "")))].sort();

it("both languages have the same strings", () => {
  expect(bare(russian)).toEqual(bare(english));
});

it("every plural has the forms its language needs", () => {
  for (const [flat, language] of [
    [english, "en"],
    [russian, "ru"],
  ] as const) {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    const counted = new Set(
      [...flat.keys()].filter((key) => PLURAL.test(key)).map((key) => key.replace(PLURAL, "")),
    );
    for (const key of counted)
      for (const form of forms) expect(flat.has(`${key}_${form}`), `${language}: ${key}_${form}`).toBe(true);
  }
});

it("both languages fill in the same values", () => {
  const holes = (text: string) => [...text.matchAll(/{{(\w+)}}/g)].map((m) => m[1]).sort();
  for (const [key, text] of english) {
    if (PLURAL.test(key)) continue;
    expect(holes(russian.get(key) ?? ""), key).toEqual(holes(text));
  }
});

it("every string that the code names exists", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const known = new Set(bare(english));
  for (const name of files) {
    const source = readFileSync(join("src", name), "utf8");
    for (const [, key] of source.matchAll(/\bt\("([\w.]+)"/g))
      expect(known.has(key ?? ""), `${name}: ${key}`).toBe(true);
  }
});
