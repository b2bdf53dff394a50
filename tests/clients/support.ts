// What every job needs of its surroundings.
import assert from 'node:assert/strict';

export function given(name: string): string {
  const value = process.env[`COUNTERSIGN_${name}`];
  assert(value, `COUNTERSIGN_${name} is not set`);
  return value;
}

/** The newest code that the mailbox holds for an address. */
export async function codeFor(address: string): Promise<string> {
  const messages = (await (await fetch(given('MAILBOX'))).json()) as Array<{ to: string; code: string | null }>;
  const message = messages.find(({ to, code }) => to === address && code);
  assert(message?.code, `no code went to ${address}`);
  return message.code;
}
