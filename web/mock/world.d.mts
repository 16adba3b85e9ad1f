// The stand-in is plain JavaScript for Node; tests use it as a model and need no types of its inside.
export const FEATURES: import("../src/api/types").Features;
export const iso: (minutes: number) => string;
export const newId: (prefix: string) => string;
// biome-ignore lint/suspicious/noExplicitAny: see above
export const World: any;
