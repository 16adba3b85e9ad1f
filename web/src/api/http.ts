/** One way to call the server: the access token is added, one refresh is tried, errors have one shape. */
import { currentToken, readingSignal, refreshSession } from "./session";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Record<string, unknown> = {},
  ) {
    super(message);
  }

  /** Nothing was decided by the server: repeating may help. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Of a list each value is given on its own. */
export type Query = Record<string, string | number | boolean | string[] | null | undefined>;

interface Options {
  body?: unknown;
  query?: Query;
  signal?: AbortSignal;
  /** Goes on when the page is closed meanwhile. */
  keepalive?: boolean;
  /** Public routes neither carry the token nor try to refresh it. */
  isPublic?: boolean;
}

export function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value) search.append(key, one);
    else if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** Reads the one error shape; anything else becomes `unexpected`. */
export function parseError(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as {
      error: { code: string; message: string; fields?: Record<string, unknown> };
    };
    return new ApiError(status, error.code, error.message, error.fields ?? {});
  } catch {
    return new ApiError(status, status >= 500 ? "unavailable" : "unexpected", "");
  }
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const token = options.isPublic ? null : currentToken();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(withQuery(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      keepalive: options.keepalive,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "network", "");
  }
}

async function exchange<T>(method: string, path: string, options: Options): Promise<T> {
  let response = await send(method, path, options);
  if (response.status === 401 && !options.isPublic && (await refreshSession())) {
    response = await send(method, path, options);
  }
  const text = response.status === 204 ? "" : await response.text();
  if (!response.ok) throw parseError(response.status, text);
  return (text ? JSON.parse(text) : undefined) as T;
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  if (method !== "GET" || options.isPublic) return exchange(method, path, options);
  const ends = readingSignal();
  const signal = options.signal ? AbortSignal.any([ends, options.signal]) : ends;
  try {
    return await exchange(method, path, { ...options, signal });
  } catch (error) {
    // What was read for a session that has ended is as good as refused.
    throw ends.aborted ? new ApiError(401, "unauthenticated", "") : error;
  }
}
