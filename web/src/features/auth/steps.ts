/** What a sign-in asks for next, read from the server's refusal of the step before. */
import { ApiError } from "@/api/http";

export interface WorkspaceName {
  id: string;
  name: string;
}

export type Method = "totp" | "passkey" | "recovery_code";

export type Next =
  | { kind: "choose"; workspaces: WorkspaceName[]; again: (workspaceId: string) => Promise<void> }
  | { kind: "second"; challenge: string; methods: Method[] };

/** Does a step; returns what is asked for next, or null when the person is in. Throws what is an error indeed. */
export async function take(step: (workspaceId?: string) => Promise<void>): Promise<Next | null> {
  try {
    await step();
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { fields } = error;
    if (error.code === "choose_workspace")
      return { kind: "choose", workspaces: fields.workspaces as WorkspaceName[], again: step };
    if (error.code === "second_factor_needed")
      return { kind: "second", challenge: String(fields.challenge), methods: fields.methods as Method[] };
    throw error;
  }
}
