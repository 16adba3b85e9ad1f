/** Passkeys between the browser's buffers and the JSON of the server. */

type Json = Record<string, unknown>;
interface Descriptor {
  id: string;
  type: "public-key";
  transports?: AuthenticatorTransport[];
}

/** The person closed the browser's question, or there is no passkey for it: nothing went wrong. */
export class PasskeyCancelled extends Error {}

export const canUsePasskeys = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && window.isSecureContext;

export async function createPasskey(options: Json): Promise<Json> {
  const user = options.user as { id: string; name: string; displayName: string };
  const made = await ask(() =>
    navigator.credentials.create({
      publicKey: {
        ...(options as unknown as PublicKeyCredentialCreationOptions),
        challenge: toBytes(options.challenge as string),
        user: { ...user, id: toBytes(user.id) },
        excludeCredentials: describe(options.excludeCredentials),
      },
    }),
  );
  const response = made.response as AuthenticatorAttestationResponse;
  return {
    ...head(made),
    response: {
      clientDataJSON: toText(response.clientDataJSON),
      attestationObject: toText(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

export async function signWithPasskey(options: Json): Promise<Json> {
  const made = await ask(() =>
    navigator.credentials.get({
      publicKey: {
        ...(options as unknown as PublicKeyCredentialRequestOptions),
        challenge: toBytes(options.challenge as string),
        allowCredentials: describe(options.allowCredentials),
      },
    }),
  );
  const response = made.response as AuthenticatorAssertionResponse;
  return {
    ...head(made),
    response: {
      clientDataJSON: toText(response.clientDataJSON),
      authenticatorData: toText(response.authenticatorData),
      signature: toText(response.signature),
      userHandle: response.userHandle ? toText(response.userHandle) : null,
    },
  };
}

async function ask(question: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let made: Credential | null;
  try {
    made = await question();
  } catch (error) {
    throw error instanceof DOMException ? new PasskeyCancelled(error.name) : error;
  }
  if (!made) throw new PasskeyCancelled();
  return made as PublicKeyCredential;
}

const head = (made: PublicKeyCredential): Json => ({
  id: made.id,
  rawId: toText(made.rawId),
  type: made.type,
  clientExtensionResults: made.getClientExtensionResults(),
});

const describe = (list: unknown): PublicKeyCredentialDescriptor[] =>
  ((list as Descriptor[] | undefined) ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

export function toBytes(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}

export function toText(buffer: ArrayBuffer): string {
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
