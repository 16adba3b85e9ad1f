/** Calls of signing in by phone, passkey and second factor, and of one's own factors. */
import { createPasskey, signWithPasskey } from "@/lib/passkeys";
import { request } from "./http";
import type { components } from "./schema.gen";
import { enter } from "./session";
import type { SignedIn } from "./types";

type Answers = components["schemas"];
export type Factors = Answers["Factors"];
export type Passkey = Answers["Passkey"];
export type TotpSecret = Answers["TotpSecret"];
/** Exactly one of them. */
export type Proof =
  | { password: string }
  | { code: string }
  | { recovery_code: string }
  | { sms_code: string };

const open = { isPublic: true };

export const listWays = () => request<Answers["SignInWays"]>("GET", "/v1/auth/ways", open);

export const askCode = (phone: string, locale: string) =>
  request<Answers["CodeAsked"]>("POST", "/v1/auth/code", { ...open, body: { phone, locale } });

export async function signInByCode(body: {
  phone: string;
  code: string;
  name?: string;
  workspace_id?: string;
}): Promise<void> {
  enter(await request<SignedIn>("POST", "/v1/auth/code/check", { ...open, body }));
}

export async function giveSecondFactor(body: {
  challenge: string;
  code?: string;
  recovery_code?: string;
}): Promise<void> {
  enter(await request<SignedIn>("POST", "/v1/auth/second-factor", { ...open, body }));
}

export async function giveSecondPasskey(challenge: string): Promise<void> {
  const asked = await request<Answers["PasskeyOptions"]>("POST", "/v1/auth/second-factor/passkey", {
    ...open,
    body: { challenge },
  });
  const passkey = await signWithPasskey(asked.options);
  enter(await request<SignedIn>("POST", "/v1/auth/second-factor", { ...open, body: { challenge, passkey } }));
}

/** Asks the browser once; what comes back may be sent again with a workspace. */
export async function beginPasskey(): Promise<(workspaceId?: string) => Promise<void>> {
  const asked = await request<Answers["PasskeyOptions"]>("POST", "/v1/auth/passkey/begin", open);
  const credential = await signWithPasskey(asked.options);
  return async (workspace_id) => {
    const body = { challenge: asked.challenge, credential, workspace_id };
    enter(await request<SignedIn>("POST", "/v1/auth/passkey/finish", { ...open, body }));
  };
}

export const getFactors = () => request<Factors>("GET", "/v1/me/factors");
export const sendProofCode = (locale: string) =>
  request<Answers["CodeAsked"]>("POST", "/v1/me/proof-code", { body: { locale } });
export const startTotp = (proof: Proof) => request<TotpSecret>("POST", "/v1/me/totp", { body: { proof } });
export const confirmTotp = (code: string) =>
  request<Answers["RecoveryCodes"]>("POST", "/v1/me/totp/confirm", { body: { code } });
export const removeTotp = (proof: Proof) => request<void>("POST", "/v1/me/totp/remove", { body: { proof } });
export const renewCodes = (proof: Proof) =>
  request<Answers["RecoveryCodes"]>("POST", "/v1/me/recovery-codes", { body: { proof } });
export const askForPasskey = (needs_passkey: boolean, proof: Proof) =>
  request<Answers["RecoveryCodes"]>("POST", "/v1/me/second-factor", { body: { needs_passkey, proof } });
export const removePasskey = (id: string, proof: Proof) =>
  request<void>("POST", `/v1/me/passkeys/${id}/remove`, { body: { proof } });

export async function addPasskey(name: string, proof: Proof): Promise<void> {
  const asked = await request<Answers["PasskeyOptions"]>("POST", "/v1/me/passkeys/begin", {
    body: { proof },
  });
  const credential = await createPasskey(asked.options);
  await request<Passkey>("POST", "/v1/me/passkeys", {
    body: { challenge: asked.challenge, name, credential },
  });
}

export const askPhone = (phone: string, proof: Proof, locale: string) =>
  request<Answers["CodeAsked"]>("POST", "/v1/me/phone", { body: { phone, proof, locale } });
export const setPhone = (phone: string, code: string) =>
  request<void>("POST", "/v1/me/phone/check", { body: { phone, code } });
export const removePhone = (proof: Proof) =>
  request<void>("POST", "/v1/me/phone/remove", { body: { proof } });
