// How a program reports: one JSON value a line, errors as the class a caller would catch.

import { Comfy, ComfyError } from "@comfyorg/sdk";

/** A client as the SDK's README makes one; COMFY_BASE_URL says where to. */
export function connect(): Comfy {
  return new Comfy({ apiKey: process.env["COMFY_API_KEY"] });
}

export function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** What a caller could tell about an error. */
export function told(error: unknown): Record<string, unknown> {
  if (error instanceof ComfyError) {
    const { name, code, httpStatus, details, message } = error;
    return { error: name, code, status: httpStatus, details, message };
  }
  if (error instanceof Error) return { error: error.name, message: error.message };
  return { error: String(error) };
}

/** Say what an action gives, or how it failed. */
export async function report(action: () => Promise<unknown>): Promise<void> {
  try {
    say(await action());
  } catch (error) {
    say(told(error));
  }
}

export function argument(index: number): string {
  const value = process.argv[2 + index];
  if (value === undefined) throw new Error(`argument ${index} is missing`);
  return value;
}
